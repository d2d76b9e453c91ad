"""PyAI: cloned voices, their reports, and the catalogue of all voices."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, UploadFile
from starlette.responses import Response

from runtime.errors import InvalidRequest
from runtime.server.dialects.pyai import Cursor, Limit, PyaiRoute, page
from runtime.server.dialects.route import Caller, Once, Services, access
from runtime.server.voices import Enrolment, SourceClip, StoredReport
from tts.voices.voice import StockVoice, Voice, VoiceState

router = APIRouter(prefix="/v1", route_class=PyaiRoute, tags=["pyai"])


STATUS = {
    VoiceState.QUEUED: "pending",
    VoiceState.ANALYSING: "pending",
    VoiceState.ENROLLING: "pending",
    VoiceState.READY: "ready",
    VoiceState.REJECTED: "failed",
    VoiceState.ERROR: "failed",
}


@router.post("/voice/clones", status_code=201)
@access("voice:clone", body="upload", once=True)
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
) -> dict[str, Any]:
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
async def check_clip(
    caller: Caller, services: Services, file: Annotated[UploadFile, File()]
) -> dict[str, Any]:
    """What the quality gate would say of a recording. Nothing is stored."""
    return (await services.voices.check([await _clip(file)])).to_json()


@router.get("/voice/clones")
@access("voice:clone")
async def list_clones(
    caller: Caller, services: Services, limit: Limit = 20, cursor: Cursor = None
) -> dict[str, Any]:
    """Your clones, newest first."""
    voices, more = await services.voices.page(caller.tenant_id, limit=limit, after=cursor)
    return page([clone_json(voice) for voice in voices], more=more)


@router.get("/voice/clones/{id}")
@access("voice:clone")
async def get_clone(caller: Caller, services: Services, id: str) -> dict[str, Any]:
    """One clone."""
    return clone_json(await services.voices.get(caller.tenant_id, id))


@router.delete("/voice/clones/{id}", status_code=204)
@access("voice:clone")
async def delete_clone(caller: Caller, services: Services, id: str) -> Response:
    """Delete a clone with its recording. Calls that speak in it now keep it to their end."""
    await services.voices.delete(caller.tenant_id, id, actor=caller.key_id)
    return Response(status_code=204)


@router.post("/voice/clones/{id}/consent/revoke")
@access("voice:clone")
async def revoke_consent(caller: Caller, services: Services, id: str) -> dict[str, Any]:
    """
    The speaker has taken their consent back: the voice speaks nowhere from now on.

    Calls that are up end with the utterance they are saying.
    """
    await services.voices.revoke_consent(caller.tenant_id, id, actor=caller.key_id)
    ended = services.calls.retire_voice(id)
    return {"object": "voice.consent", "voice_id": id, "revoked": True, "calls_ended": ended}


@router.get("/voice/clones/{id}/report")
@access("voice:clone")
async def get_report(caller: Caller, services: Services, id: str) -> dict[str, Any]:
    """What the gate measured, what it wanted, and what to change."""
    return _report_json(id, await services.voices.report(caller.tenant_id, id))


@router.get("/voice/clones/{id}/report.png", response_class=Response)
@access("voice:clone")
async def get_report_picture(caller: Caller, services: Services, id: str) -> Response:
    """The report as a picture: spectrogram, cut-off, silences, verdict."""
    return Response(await services.voices.report_picture(caller.tenant_id, id), media_type="image/png")


@router.get("/voices")
@access()
async def list_voices(caller: Caller, services: Services) -> dict[str, Any]:
    """Every voice you can speak in now: the stock voices, then your own that are ready."""
    own, _ = await services.voices.page(caller.tenant_id, limit=1000)
    data = [stock_json(voice) for voice in services.voices.stock()]
    data += [catalogue_json(voice) for voice in own if voice.state is VoiceState.READY]
    return page(data, more=False)


@router.get("/voices/{id}")
@access()
async def get_voice(caller: Caller, services: Services, id: str) -> dict[str, Any]:
    """One voice of the catalogue; preset aliases such as ``alloy`` name the stock voice they stand for."""
    if (stock := services.resolver.stock_voice(id)) is not None:
        return stock_json(stock)
    return catalogue_json(await services.voices.get(caller.tenant_id, id))


def clone_json(voice: Voice) -> dict[str, Any]:
    failure = None
    if voice.reason is not None:
        failure = voice.reason.to_json()
        failure["cause"] = voice.reason.message
    return {
        "id": voice.id,
        "voice_id": voice.id,
        "object": "voice",
        "name": voice.name,
        "status": STATUS[voice.state],
        "created_at": int(voice.created_at.timestamp()),
        "language": voice.language,
        "failure": failure,
        "report_url": f"/v1/voice/clones/{voice.id}/report",
    }


def stock_json(voice: StockVoice) -> dict[str, Any]:
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


def catalogue_json(voice: Voice) -> dict[str, Any]:
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


def _report_json(voice_id: str, report: StoredReport) -> dict[str, Any]:
    return {
        "id": report.id,
        **report.body,
        "plot_url": f"/v1/voice/clones/{voice_id}/report.png",
        "created_at": int(report.created_at),
    }


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
