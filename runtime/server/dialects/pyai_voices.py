"""PyAI: cloned voices, their reports, and the catalogue of all voices."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, File, Form, UploadFile
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypedDict

from runtime.errors import InvalidRequest
from runtime.server.dialects.judgement import LikenessJson, ReasonJson, ReportJson
from runtime.server.dialects.pyai import Cursor, Limit, Page, PyaiRoute, page
from runtime.server.dialects.route import Caller, Once, Services, access
from runtime.server.dialects.sound import answers
from runtime.server.voices import RETIRE_VOICE, Enrolment, SourceClip, StoredReport
from tts.voices.voice import StockVoice, Voice, VoiceOrigin, VoiceState

router = APIRouter(prefix="/v1", route_class=PyaiRoute, tags=["pyai"])


STATUS: dict[VoiceState, Literal["pending", "ready", "failed"]] = {
    VoiceState.QUEUED: "pending",
    VoiceState.ANALYSING: "pending",
    VoiceState.ENROLLING: "pending",
    VoiceState.READY: "ready",
    VoiceState.REJECTED: "failed",
    VoiceState.ERROR: "failed",
}


SPEAKING = (VoiceOrigin.CLONED, VoiceOrigin.DESIGNED, VoiceOrigin.STOCK)
"""Voices that speak here, and not only at somebody else's."""


class Failure(ReasonJson):
    cause: str


class Clone(TypedDict):
    id: str
    voice_id: str
    object: Literal["voice"]
    name: str
    status: Literal["pending", "ready", "failed"]
    created_at: int
    language: str
    failure: Failure | None
    likeness: LikenessJson | None
    report_url: str


class CatalogueVoice(TypedDict):
    object: Literal["voice"]
    voice_id: str
    name: str
    gender: str | None
    language: str
    bio: str | None
    source: Literal["stock", "clone", "design"]
    preview_url: str


class KeptReport(ReportJson):
    id: str
    plot_url: str
    """The same as a picture."""
    created_at: int


class RevokedConsent(TypedDict):
    object: Literal["voice.consent"]
    voice_id: str
    revoked: bool
    calls_ended: int


@router.post("/voice/clones", status_code=201)
@access("voice:clone", body="upload", once=True, refuses=(402,))
async def create_clone(
    caller: Caller,
    services: Services,
    once: Once,
    name: Annotated[str, Form()],
    file: Annotated[UploadFile, File()],
    language: Annotated[str | None, Form(max_length=35)] = None,
    metadata: Annotated[str | None, Form(description="A JSON object, given back with the voice.")] = None,
    consent: Annotated[
        bool, Form(description="You attest that the speaker gave explicit permission.")
    ] = False,
) -> Clone:
    """Make a voice of a recording of 6 to 15 seconds. Poll it until it is ``ready`` or ``failed``."""
    order = Enrolment(
        name=name,
        clips=[await _clip(file)],
        language=language,
        attributes={"metadata": _metadata(metadata)} if metadata else {},
        consent=consent,
        once=once,
        actor=caller.key_id,
    )
    return clone_json(await services.voices.enrol(caller.tenant_id, order))


@router.post("/voice/clones/check")
@access("voice:clone", body="upload")
async def check_clip(caller: Caller, services: Services, file: Annotated[UploadFile, File()]) -> ReportJson:
    """What the quality gate would say of a recording. Nothing is stored."""
    return cast(ReportJson, (await services.voices.check([await _clip(file)])).to_json())


@router.get("/voice/clones")
@access("voice:clone")
async def list_clones(
    caller: Caller, services: Services, limit: Limit = 20, cursor: Cursor = None
) -> Page[Clone]:
    """Your clones, newest first."""
    voices, more = await services.voices.page(caller.tenant_id, limit=limit, after=cursor)
    return page([clone_json(voice) for voice in voices], more=more, last=voices[-1].id if voices else None)


@router.get("/voice/clones/{id}")
@access("voice:clone")
async def get_clone(caller: Caller, services: Services, id: str) -> Clone:
    """One clone."""
    return clone_json(await services.voices.get(caller.tenant_id, id))


@router.delete("/voice/clones/{id}", status_code=204)
@access("voice:clone")
async def delete_clone(caller: Caller, services: Services, id: str) -> Response:
    """Delete a clone with its recording. Calls that speak in it now keep it to their end."""
    await services.voices.delete(caller.tenant_id, id, actor=caller.key_id)
    return Response(status_code=204)


@router.delete("/voice/clones/{id}/reference", status_code=204)
@access("voice:clone", refuses=(409,))
async def delete_reference(caller: Caller, services: Services, id: str) -> Response:
    """Delete the recording a voice was made of; the voice goes on speaking."""
    await services.voices.delete_reference(caller.tenant_id, id, actor=caller.key_id)
    return Response(status_code=204)


@router.post("/voice/clones/{id}/consent/revoke")
@access("voice:clone")
async def revoke_consent(request: Request, caller: Caller, services: Services, id: str) -> RevokedConsent:
    """
    The speaker has taken their consent back: the voice speaks nowhere from now on.

    Calls that are up end with the utterance they are saying.
    """
    await services.voices.revoke_consent(caller.tenant_id, id, actor=caller.key_id)
    ended = services.calls.retire_voice(id)
    elsewhere = await request.app.state.neighbours.ask(RETIRE_VOICE, id)
    ended += sum(int(number) for number in elsewhere.values() if number)
    return {"object": "voice.consent", "voice_id": id, "revoked": True, "calls_ended": ended}


@router.get("/voice/clones/{id}/report")
@access("voice:clone")
async def get_report(caller: Caller, services: Services, id: str) -> KeptReport:
    """What the gate measured, what it wanted, and what to change."""
    return _report_json(id, await services.voices.report(caller.tenant_id, id))


@router.get("/voice/clones/{id}/report.png", response_class=Response, responses=answers("image/png"))
@access("voice:clone")
async def get_report_picture(caller: Caller, services: Services, id: str) -> Response:
    """The report as a picture: spectrogram, cut-off, silences, verdict."""
    return Response(await services.voices.report_picture(caller.tenant_id, id), media_type="image/png")


@router.get("/voices")
@access()
async def list_voices(caller: Caller, services: Services) -> Page[CatalogueVoice]:
    """Every voice you can speak in now: the stock voices, then your own that are ready."""
    own, _ = await services.voices.page(caller.tenant_id, limit=1000, origins=SPEAKING)
    data = [stock_json(voice) for voice in services.voices.stock()]
    data += [catalogue_json(voice) for voice in own if voice.state is VoiceState.READY]
    return page(data)


@router.get("/voices/{id}")
@access()
async def get_voice(caller: Caller, services: Services, id: str) -> CatalogueVoice:
    """One voice of the catalogue; preset aliases such as ``alloy`` name the stock voice they stand for."""
    if (stock := services.resolver.stock_voice(id)) is not None:
        return stock_json(stock)
    return catalogue_json(await services.voices.get(caller.tenant_id, id))


def clone_json(voice: Voice) -> Clone:
    failure: Failure | None = None
    if voice.reason is not None:
        failure = cast(Failure, voice.reason.to_json() | {"cause": voice.reason.message})
    return {
        "id": voice.id,
        "voice_id": voice.id,
        "object": "voice",
        "name": voice.name,
        "status": STATUS[voice.state],
        "created_at": int(voice.created_at.timestamp()),
        "language": voice.language,
        "failure": failure,
        "likeness": _likeness_json(voice),
        "report_url": f"/v1/voice/clones/{voice.id}/report",
    }


def stock_json(voice: StockVoice) -> CatalogueVoice:
    return {
        "object": "voice",
        "voice_id": voice.voice_id,
        "name": voice.name,
        "gender": _initial(voice.gender),
        "language": voice.language,
        "bio": voice.description,
        "source": "stock",
        "preview_url": f"/v1/voices/{voice.voice_id}/preview",
    }


def catalogue_json(voice: Voice) -> CatalogueVoice:
    return {
        "object": "voice",
        "voice_id": voice.id,
        "name": voice.name,
        "gender": _initial(voice.gender),
        "language": voice.language,
        "bio": voice.description,
        "source": "design" if voice.origin == "designed" else "clone",
        "preview_url": f"/v1/voices/{voice.id}/preview",
    }


def _likeness_json(voice: Voice) -> LikenessJson | None:
    return None if voice.likeness is None else cast(LikenessJson, voice.likeness.to_json())


def _report_json(voice_id: str, report: StoredReport) -> KeptReport:
    body = {
        "id": report.id,
        **report.body,
        "plot_url": f"/v1/voice/clones/{voice_id}/report.png",
        "created_at": int(report.created_at),
    }
    return cast(KeptReport, body)


def _initial(gender: str | None) -> str | None:
    """PyAI writes M and F."""
    return None if gender is None else {"male": "M", "female": "F"}.get(gender, gender)


async def _clip(file: UploadFile) -> SourceClip:
    return SourceClip(await file.read(), file.content_type, file.filename)


def _metadata(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise InvalidRequest("metadata is not a JSON object.", param="metadata")
    return value
