"""
Truedy: voices under ``/api/public/v1``, wrapped in ``{"data", "meta"}``.

Two shapes of error, as documented: fields that fail validation are a 422 with FastAPI's ``detail`` list,
everything else is ``{"error": {"code", "message", "details"}}``. There are no rate-limit headers; a 429
says in its body when to come back.
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, NotRequired, cast

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from typing_extensions import TypedDict

from runtime.errors import InsufficientCredits, InvalidRequest, RateLimited, VivavoceError
from runtime.server.auth import Scheme
from runtime.server.dialects.judgement import ReasonJson
from runtime.server.dialects.pyai import public_url
from runtime.server.dialects.route import (
    Caller,
    DialectRoute,
    FieldErrors,
    InvalidFields,
    Once,
    Refusal,
    Services,
    access,
    services_of,
)
from runtime.server.dialects.sound import MP3, in_pieces
from runtime.server.imports import ImportRefused
from runtime.server.speech import PREVIEW_TEXT, SpeechOrder
from runtime.server.voices import Enrolment, SourceClip
from tts.voices.voice import Voice, VoiceOrigin, VoiceState

PREFIX = "/api/public/v1"

STATUS: dict[VoiceState, Literal["training", "active", "failed"]] = {
    VoiceState.QUEUED: "training",
    VoiceState.ANALYSING: "training",
    VoiceState.ENROLLING: "training",
    VoiceState.READY: "active",
    VoiceState.REJECTED: "failed",
    VoiceState.ERROR: "failed",
}


class ErrorBody(TypedDict):
    code: str
    message: str
    details: dict[str, Any] | None


class Meta(TypedDict):
    request_id: str
    ts: str
    """ISO 8601, UTC, microseconds."""


class ErrorAnswer(TypedDict):
    error: ErrorBody
    meta: Meta


def refusal(status: int) -> Refusal:
    """What a refusal of this status looks like."""
    return Refusal(FieldErrors if status == 422 else ErrorAnswer)


def render_error(error: VivavoceError, request: Request) -> Response:
    """An error as Truedy's clients read it."""
    if isinstance(error, InvalidFields):
        return JSONResponse(error.to_json(), 422)
    if error.code == "invalid_json":
        return JSONResponse(
            {"detail": [{"loc": ["body"], "msg": error.message, "type": "json_invalid"}]}, 422
        )
    code = "not_found" if error.status == 404 else error.code
    body: ErrorAnswer = {
        "error": {"code": code, "message": error.message, "details": _details(error, request)},
        "meta": _meta(request),
    }
    return JSONResponse(body, error.status)


def _details(error: VivavoceError, request: Request) -> dict[str, Any] | None:
    if isinstance(error, InsufficientCredits):
        return {"required_credits": error.required, "current_balance": error.balance}
    if isinstance(error, RateLimited):
        services = services_of(request)
        reset = datetime.fromtimestamp(services.clock.wall(), UTC) + timedelta(seconds=error.retry_after)
        return {"limit": services.limiter.per_minute, "reset_at": _time(reset)}
    if isinstance(error, InvalidAudio):
        return {"file": error.filename, "reason": error.message}
    if error.status == 404:
        return {"resource": "voice", "id": request.path_params.get("voice_id")}
    details = {"param": getattr(error, "param", None), "fix": error.fix}
    return {key: value for key, value in details.items() if value is not None} or None


class InvalidAudio(InvalidRequest):
    """A file that is no recording."""

    code = "invalid_audio"

    def __init__(self, message: str, *, filename: str) -> None:
        super().__init__(message, code=self.code)
        self.filename = filename


class TruedyRoute(DialectRoute):
    schemes = Scheme.BEARER
    render = staticmethod(render_error)


router = APIRouter(prefix=PREFIX, route_class=TruedyRoute, tags=["truedy"])


class AudioFile(BaseModel):
    filename: Annotated[str, Field(min_length=1, max_length=255)]
    data: Annotated[str, Field(description="Base64.")]
    content_type: Annotated[str, Field(max_length=255)] = "audio/mpeg"


class CloneRequest(BaseModel):
    name: Annotated[str, Field(min_length=1, max_length=100)]
    files: Annotated[list[AudioFile], Field(min_length=1, max_length=25)]


class ImportRequest(BaseModel):
    name: Annotated[str, Field(min_length=1, max_length=100)]
    provider: Annotated[str, Field(max_length=64)] = "elevenlabs"
    provider_voice_id: Annotated[str, Field(min_length=1, max_length=255)]


class VoiceJson(TypedDict):
    id: str
    name: str
    provider: str
    type: Literal["custom", "reference"]
    language: str
    status: Literal["training", "active", "failed"]
    created_at: str
    updated_at: str
    gender: str | None
    accent: str | None
    preview_url: str
    is_custom: bool
    failure: NotRequired[ReasonJson]
    """Why it is ``failed``, and what to change."""


class VoiceAnswer(TypedDict):
    data: VoiceJson
    meta: Meta


class Pagination(TypedDict):
    has_more: bool
    next_cursor: str | None
    limit: int


class VoicesAnswer(TypedDict):
    data: list[VoiceJson]
    meta: Meta
    pagination: Pagination


@router.post("/voices/clone", status_code=201, operation_id="clone_voice")
@access("voice:clone", body="base64", once=True, refuses=(402,))
async def clone_voice(
    request: Request, caller: Caller, services: Services, once: Once, body: CloneRequest
) -> VoiceAnswer:
    """Make one voice of one or several recordings. It is ``training``, then ``active`` or ``failed``."""
    if once is None:  # a retry is answered from the record, whatever the balance has become
        await services.voices.check_credits(caller.tenant_id)
    clips = [SourceClip(decode(file), file.content_type, file.filename) for file in body.files]
    await _refuse_what_is_no_audio(services, clips)
    voice = await services.voices.enrol(
        caller.tenant_id,
        Enrolment(
            name=body.name,
            clips=clips,
            profile="best_window",
            language="en-US",
            once=once,
            actor=caller.key_id,
        ),
    )
    return {"data": voice_json(voice, request), "meta": _meta(request)}


@router.post("/voices", status_code=201, operation_id="import_voice")
@access("voice:clone", once=True, refuses=(502,))
async def import_voice(
    request: Request, caller: Caller, services: Services, once: Once, body: ImportRequest
) -> VoiceAnswer:
    """Refer to a voice of a connected ElevenLabs account."""
    try:
        voice = await services.imports.refer(
            caller.tenant_id,
            name=body.name,
            provider=body.provider,
            provider_voice_id=body.provider_voice_id,
            once=once,
            actor=caller.key_id,
        )
    except ImportRefused as refused:
        where = ("body", refused.param or "provider_voice_id")
        raise InvalidFields([{"loc": where, "msg": str(refused), "type": "value_error"}]) from refused
    return {"data": voice_json(voice, request), "meta": _meta(request)}


@router.get("/voices")
@access()
async def list_voices(
    request: Request,
    caller: Caller,
    services: Services,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[str | None, Query(max_length=64)] = None,
) -> VoicesAnswer:
    """Your voices, newest first."""
    voices, more = await services.voices.page(caller.tenant_id, limit=limit, after=cursor)
    return {
        "data": [voice_json(voice, request) for voice in voices],
        "meta": _meta(request),
        "pagination": {"has_more": more, "next_cursor": voices[-1].id if more else None, "limit": limit},
    }


@router.get("/voices/{voice_id}")
@access()
async def get_voice(request: Request, caller: Caller, services: Services, voice_id: str) -> VoiceAnswer:
    """One voice."""
    voice = await services.voices.get(caller.tenant_id, voice_id)
    return {"data": voice_json(voice, request), "meta": _meta(request)}


@router.get("/voices/{voice_id}/preview", response_class=Response, responses=MP3)
@access(refuses=(403, 409))
async def preview_voice(caller: Caller, services: Services, voice_id: str) -> Response:
    """A sentence in the voice, as MP3."""
    await services.voices.get(caller.tenant_id, voice_id)
    if (remote := await services.imports.preview(caller.tenant_id, voice_id, PREVIEW_TEXT)) is not None:
        return Response(remote, media_type="audio/mpeg")
    order = SpeechOrder(text=PREVIEW_TEXT, voice=voice_id, format="mp3")
    speech = await services.speech.speak(caller.tenant_id, order)
    return StreamingResponse(
        in_pieces(speech), media_type=speech.format.content_type, headers=speech.marks.headers()
    )


@router.delete("/voices/{voice_id}", status_code=204)
@access("voice:clone")
async def delete_voice(caller: Caller, services: Services, voice_id: str) -> Response:
    """Delete a voice with its recordings."""
    await services.voices.delete(caller.tenant_id, voice_id, actor=caller.key_id)
    return Response(status_code=204)


_NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/]")
_DATA_URL = re.compile(r"data:[\w.+-]+/[\w.+-]+(?:;[\w=.+-]+)*;base64,")


def decode(file: AudioFile) -> bytes:
    """
    The bytes of a file: standard or URL-safe alphabet, padded or not, spaced, with or without ``data:``.

    Raises:
        InvalidAudio: Not base64, or nothing in it.
    """
    text = _DATA_URL.sub("", file.data, count=1) if file.data.startswith("data:") else file.data
    text = "".join(text.split()).replace("-", "+").replace("_", "/").rstrip("=")
    if _NOT_BASE64.search(text) or len(text) % 4 == 1:
        raise InvalidAudio("data is not base64", filename=file.filename)
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:
        raise InvalidAudio(f"data is not base64: {error}", filename=file.filename) from error
    if not data:
        raise InvalidAudio("the file is empty", filename=file.filename)
    return data


async def _refuse_what_is_no_audio(services: Any, clips: list[SourceClip]) -> None:
    """One file that is a recording is enough; none is a 400, before anything is stored or charged."""
    report = await services.voices.check(clips, "best_window")
    if not report.accepted and report.reasons[0].code == "undecodable":
        raise InvalidAudio(report.reasons[0].message, filename=clips[0].filename or "")


def voice_json(voice: Voice, request: Request) -> VoiceJson:
    """Every member of both documented examples; ``status`` only from the documented three."""
    reference = voice.origin is VoiceOrigin.EXTERNAL
    body: VoiceJson = {
        "id": voice.id,
        "name": voice.name,
        "provider": voice.engine or (reference and voice.provider) or request.app.state.settings.engine,
        "type": "reference" if reference else "custom",
        "language": voice.language if "-" in voice.language else "en-US",
        "status": STATUS[voice.state],
        "created_at": _time(voice.created_at),
        "updated_at": _time(voice.updated_at or voice.created_at),
        "gender": voice.gender,
        "accent": voice.accent,
        "preview_url": f"{public_url(request)}{PREFIX}/voices/{voice.id}/preview",
        "is_custom": True,
    }
    if voice.reason is not None:
        body["failure"] = cast(ReasonJson, voice.reason.to_json())
    return body


def _meta(request: Request) -> Meta:
    now = datetime.fromtimestamp(services_of(request).clock.wall(), UTC)
    return {"request_id": request.state.request_id, "ts": _time(now)}


def _time(moment: datetime) -> str:
    """ISO 8601, UTC, microseconds, ``Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
