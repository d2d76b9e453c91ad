"""
UponAI: voices under ``/api/voices``, bare and in camel case.

There is no status: a voice that is answered can be used, so a clone is waited for and a recording the gate
refuses is an error. Actor headers select among the privileges a token has and never add one; whoever acts
as an administrator says why, and the audit log of the tenant acted upon keeps it.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, NotRequired

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from typing_extensions import TypedDict

from runtime.errors import (
    Forbidden,
    GateRejected,
    InsufficientCredits,
    InvalidRequest,
    NotFound,
    RateLimited,
    VivavoceError,
)
from runtime.server.auth import Principal, Scheme
from runtime.server.dialects.pyai import public_url
from runtime.server.dialects.route import Caller, DialectRoute, Once, Refusal, Services, access
from runtime.server.dialects.sound import MP3, in_pieces
from runtime.server.integrations import PROVIDER as ELEVENLABS
from runtime.server.speech import PREVIEW_TEXT, SpeechOrder
from runtime.server.voices import Enrolment, SourceClip, checked_name
from tts.voices.voice import StockVoice, Voice, VoiceState

ACTOR_TYPES = ("platform_admin", "provider_admin", "tenant_admin", "end_user")
PRIVILEGED = frozenset({"platform_admin", "provider_admin"})
FILE_PARTS = ("files", "files[]", "files.items")
MAX_REASON_CHARACTERS = 1_000
MAX_INTEGER = 2**31 - 1


class ErrorBody(TypedDict):
    code: str
    message: str
    details: dict[str, Any]


class ErrorAnswer(TypedDict):
    error: ErrorBody


def refusal(_status: int) -> Refusal:
    """What a refusal looks like, whatever its status."""
    return Refusal(ErrorAnswer)


def render_error(error: VivavoceError, request: Request) -> Response:
    """An error as ``{"error": {"code", "message", "details"}}``."""
    details: dict[str, Any] = {}
    if (param := getattr(error, "param", None)) is not None:
        details["field"] = param
    if error.fix:
        details["fix"] = error.fix
    if isinstance(error, InsufficientCredits):
        details |= {"requiredCredits": error.required, "currentBalance": error.balance}
    if isinstance(error, GateRejected) and isinstance(error.report, dict):
        details["reasons"] = error.report["reasons"]
    headers = {"retry-after": str(max(1, round(error.retry_after)))} if isinstance(error, RateLimited) else {}
    body: ErrorAnswer = {"error": {"code": error.code, "message": error.message, "details": details}}
    return JSONResponse(body, error.status, headers)


class UponaiRoute(DialectRoute):
    schemes = Scheme.BEARER
    render = staticmethod(render_error)


router = APIRouter(prefix="/api/voices", route_class=UponaiRoute, tags=["uponai"])


class VoiceJson(TypedDict):
    """A voice. What is unknown is left out: only three members may be null."""

    voiceId: str
    name: str
    gender: NotRequired[str]
    language: NotRequired[str]
    accent: NotRequired[str]
    description: NotRequired[str]
    provider: NotRequired[str]
    previewUrl: str
    playbackOverrideUrl: str | None
    tags: list[str]
    createdAt: str | None
    updatedAt: str | None


@dataclass(frozen=True, slots=True)
class Actor:
    """In whose name a request acts."""

    kind: str
    tenant_id: str
    """Whose voices are meant: the caller's own, or those of the tenant a privileged caller named."""
    workspace: int | None
    """A workspace named by ``X-Tenant-Id`` in place of the request's own."""
    reason: str | None
    key_id: str


async def acting(request: Request, caller: Caller, services: Services) -> Actor:
    """
    Read the four headers against what the token may do.

    Raises:
        InvalidRequest: An actor type or integer that is none; a privileged actor without a reason.
        Forbidden: The token lacks the role.
        NotFound: The tenant named is out of reach, or does not exist.
    """
    kind = request.headers.get("x-actor-type", "end_user").strip()
    if kind not in ACTOR_TYPES:
        raise InvalidRequest(
            f"X-Actor-Type {kind!r} is none of {', '.join(ACTOR_TYPES)}.", param="X-Actor-Type"
        )
    provider = _integer_header(request, "X-Provider-Id")
    number = _integer_header(request, "X-Tenant-Id")
    if kind not in PRIVILEGED:
        own = await services.accounts.tenant(caller.tenant_id)
        if number is not None and number != own.number:
            raise _no_such_workspace()
        return Actor(kind, caller.tenant_id, None, None, caller.key_id)
    if kind not in caller.roles:
        raise Forbidden(f"This token has not the role {kind}.")
    reason = _reason(request)
    tenant_id = await _reachable(services, caller, kind, number, provider)
    return Actor(kind, tenant_id, number, reason, caller.key_id)


async def _reachable(
    services: Services, caller: Principal, kind: str, number: int | None, provider: int | None
) -> str:
    """The tenant a privileged caller means: a provider's own customers, or anybody's for the platform."""
    own = await services.accounts.tenant(caller.tenant_id)
    if kind == "provider_admin":
        if own.provider_id is None or (provider is not None and provider != own.provider_id):
            raise _no_such_workspace()
        provider = own.provider_id
    if number is None or number == own.number:
        return caller.tenant_id
    try:
        return (await services.accounts.tenant_by_number(number, provider_id=provider)).id
    except NotFound:
        raise _no_such_workspace() from None


async def _record(services: Services, actor: Actor, verb: str, voice_id: str) -> None:
    """What a privileged actor did stands in the audit log of whom it was done to."""
    if actor.kind in PRIVILEGED:
        await services.accounts.record(
            actor.tenant_id,
            verb=verb,
            object=voice_id,
            actor=actor.key_id,
            actor_type=actor.kind,
            detail={"impersonation_reason": actor.reason, "workspace": actor.workspace},
        )


Acting = Annotated[Actor, Depends(acting)]
Workspace = Annotated[int, Query(alias="workspaceId", ge=0, le=MAX_INTEGER)]

CLONE_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["workspaceId", "voiceProvider", "voiceName", "files"],
                    "properties": {
                        "workspaceId": {"type": "integer"},
                        "voiceProvider": {"type": "string"},
                        "voiceName": {"type": "string"},
                        "files": {"type": "array", "items": {"type": "string", "format": "binary"}},
                    },
                }
            }
        },
    }
}


@router.post("/clone", status_code=201, openapi_extra=CLONE_FORM)
@access("voice:clone", body="upload", once=True, refuses=(402, 404, 422, 504))
async def clone_voice(request: Request, actor: Acting, services: Services, once: Once) -> VoiceJson:
    """Make one voice of one or several recordings, and answer when it can speak."""
    async with request.form() as form:
        workspace = _integer(_text(form, "workspaceId"), "workspaceId")
        provider = _text(form, "voiceProvider")
        name = checked_name(_text(form, "voiceName"), param="voiceName")
        clips = await _clips(form)
    voice = await services.voices.enrol_now(
        actor.tenant_id,
        Enrolment(
            name=name,
            clips=clips,
            profile="best_window",
            language="en-US",
            provider=provider,
            workspace_id=workspace if actor.workspace is None else actor.workspace,
            once=once,
            actor=actor.key_id,
        ),
    )
    await _record(services, actor, "voice.cloned_as_admin", voice.id)
    return voice_json(voice, request, provider=provider, workspace=workspace)


@router.get("")
@access(refuses=(403, 404))
async def list_voices(
    request: Request, actor: Acting, services: Services, workspace: Workspace
) -> list[VoiceJson]:
    """The workspace's voices that can speak, newest first."""
    voices, _ = await services.voices.page(
        actor.tenant_id, limit=1000, workspace_id=_effective(actor, workspace)
    )
    return [
        voice_json(voice, request, workspace=workspace) for voice in voices if voice.state is VoiceState.READY
    ]


@router.get("/search")
@access(refuses=(403, 404))
async def search_voices(
    request: Request,
    actor: Acting,
    services: Services,
    workspace: Workspace,
    query: Annotated[str, Query(max_length=200)] = "",
) -> list[VoiceJson]:
    """The workspace's voices and the stock voices whose name or description has the words of ``query``."""
    own, _ = await services.voices.page(
        actor.tenant_id, limit=1000, workspace_id=_effective(actor, workspace)
    )
    found = [
        voice_json(voice, request, workspace=workspace) for voice in own if voice.state is VoiceState.READY
    ]
    found += [stock_json(voice, request, workspace=workspace) for voice in services.voices.stock()]
    words = query.casefold().split()
    return [
        voice
        for voice in found
        if all(word in f"{voice['name']} {voice.get('description', '')}".casefold() for word in words)
    ]


class AddBody(BaseModel):
    workspaceId: Annotated[int, Field(ge=0, le=MAX_INTEGER)]
    voiceId: Annotated[str, Field(min_length=1, max_length=255)]
    """Of a shared voice, as the search lists it; with a provider, that provider's."""
    voiceName: Annotated[str | None, Field(max_length=200)] = None
    voiceProvider: Annotated[str | None, Field(max_length=64)] = None


@router.post("/add", status_code=201)
@access("voice:clone", once=True, refuses=(403, 404, 422, 502))
async def add_voice(
    request: Request, actor: Acting, services: Services, once: Once, body: AddBody
) -> VoiceJson:
    """Take a shared voice into the workspace, or refer to one of a connected ElevenLabs account."""
    workspace = _effective(actor, body.workspaceId)
    if body.voiceProvider == ELEVENLABS:
        voice = await services.imports.refer(
            actor.tenant_id,
            name=body.voiceName or body.voiceId,
            provider=ELEVENLABS,
            provider_voice_id=body.voiceId,
            workspace_id=workspace,
            once=once,
            actor=actor.key_id,
        )
    else:
        voice = await services.imports.share(
            actor.tenant_id,
            stock_id=body.voiceId,
            name=body.voiceName,
            workspace_id=workspace,
            once=once,
            actor=actor.key_id,
        )
    await _record(services, actor, "voice.added_as_admin", voice.id)
    return voice_json(voice, request, provider=body.voiceProvider, workspace=body.workspaceId)


@router.get("/{voiceId}")
@access(refuses=(403,))
async def get_voice(
    request: Request, actor: Acting, services: Services, voiceId: str, workspace: Workspace
) -> VoiceJson:
    """One voice of the workspace."""
    return voice_json(await _voice(services, actor, voiceId, workspace), request, workspace=workspace)


@router.get("/{voiceId}/sample", response_class=Response, responses=MP3)
@access(refuses=(403, 409))
async def sample_voice(actor: Acting, services: Services, voiceId: str, workspace: Workspace) -> Response:
    """A sentence in the voice, as MP3."""
    if services.resolver.stock_voice(voiceId) is None:
        await _voice(services, actor, voiceId, workspace)
        remote = await services.imports.preview(actor.tenant_id, voiceId, PREVIEW_TEXT)
        if remote is not None:
            return Response(remote, media_type="audio/mpeg")
    order = SpeechOrder(text=PREVIEW_TEXT, voice=voiceId, format="mp3")
    speech = await services.speech.speak(actor.tenant_id, order)
    return StreamingResponse(
        in_pieces(speech), media_type=speech.format.content_type, headers=speech.marks.headers()
    )


def voice_json(
    voice: Voice, request: Request, *, provider: str | None = None, workspace: int | None = None
) -> VoiceJson:
    body: VoiceJson = {
        "voiceId": voice.id,
        "name": voice.name,
        "language": voice.language,
        "provider": provider or voice.provider or voice.engine,
        "previewUrl": _sample_url(request, voice.id, workspace),
        "playbackOverrideUrl": None,
        "tags": list(voice.tags),
        "createdAt": _time(voice.created_at),
        "updatedAt": _time(voice.updated_at),
    }
    if voice.gender is not None:
        body["gender"] = voice.gender
    if voice.accent is not None:
        body["accent"] = voice.accent
    if voice.description is not None:
        body["description"] = voice.description
    return body


def stock_json(voice: StockVoice, request: Request, *, workspace: int) -> VoiceJson:
    return {
        "voiceId": voice.voice_id,
        "name": voice.name,
        "gender": voice.gender,
        "language": voice.language,
        "description": voice.description,
        "provider": voice.conditioning.engine,
        "previewUrl": _sample_url(request, voice.voice_id, workspace),
        "playbackOverrideUrl": None,
        "tags": ["stock"],
        "createdAt": None,
        "updatedAt": None,
    }


def _sample_url(request: Request, voice_id: str, workspace: int | None) -> str:
    return f"{public_url(request)}/api/voices/{voice_id}/sample?workspaceId={workspace or 0}"


async def _voice(services: Services, actor: Actor, voice_id: str, workspace: int) -> Voice:
    return await services.voices.get(actor.tenant_id, voice_id, workspace_id=_effective(actor, workspace))


def _effective(actor: Actor, workspace: int) -> int:
    return workspace if actor.workspace is None else actor.workspace


def _no_such_workspace() -> NotFound:
    """One answer for workspaces that do not exist, and for those out of reach."""
    return NotFound("No such workspace.", code="workspace_not_found")


def _reason(request: Request) -> str:
    raw = request.headers.get("x-impersonation-reason", "")
    reason = raw.strip()
    if not reason:
        raise InvalidRequest(
            "An administrator's request on a tenant needs X-Impersonation-Reason.",
            code="impersonation_reason_required",
            param="X-Impersonation-Reason",
            fix="say in that header why you act for the tenant",
        )
    if len(reason) > MAX_REASON_CHARACTERS or any(unicodedata.category(c) == "Cc" for c in reason):
        raise InvalidRequest(
            f"X-Impersonation-Reason is longer than {MAX_REASON_CHARACTERS} characters"
            " or has control characters in it.",
            param="X-Impersonation-Reason",
        )
    return raw


def _integer_header(request: Request, name: str) -> int | None:
    value = request.headers.get(name)
    return None if value is None else _integer(value, name)


def _integer(text: str, name: str) -> int:
    stripped = text.strip()
    if not (stripped.isascii() and stripped.isdigit()) or int(stripped[:20]) > MAX_INTEGER:
        raise InvalidRequest(f"{name} is not an integer from 0 to {MAX_INTEGER}.", param=name)
    return int(stripped)


def _text(form: FormData, name: str) -> str:
    value = form.get(name)
    if not isinstance(value, str) or not value.strip():
        raise InvalidRequest(f"{name} is missing.", param=name, fix=f"send it as the text part `{name}`")
    return value


async def _clips(form: FormData) -> list[SourceClip]:
    files = [part for name in FILE_PARTS for part in form.getlist(name)]
    if not files or not all(isinstance(part, UploadFile) for part in files):
        raise InvalidRequest("files is missing.", param="files", fix="send recordings as the parts `files`")
    return [
        SourceClip(await part.read(), part.content_type, part.filename)
        for part in files
        if isinstance(part, UploadFile)
    ]


def _time(moment: datetime | None) -> str | None:
    """ISO 8601, UTC, milliseconds, ``Z``."""
    return (
        None
        if moment is None
        else moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
    )
