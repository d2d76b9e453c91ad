"""OpenAI's custom voices: first a spoken consent, then the voice it allows."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, File, Form, Query, UploadFile
from pydantic import BaseModel
from typing_extensions import TypedDict

from runtime.errors import GateRejected, InvalidRequest
from runtime.server.dialects.pyai import PyaiRoute
from runtime.server.dialects.route import Caller, Once, Services, access
from runtime.server.voices import Enrolment, SourceClip
from runtime.store.models import ConsentRow
from tts.voices.voice import Voice

router = APIRouter(prefix="/v1/audio", route_class=PyaiRoute, tags=["openai"])


class Rename(BaseModel):
    name: str


class Consent(TypedDict):
    id: str
    object: Literal["audio.voice_consent"]
    name: str
    language: str | None
    created_at: int


class Consents(TypedDict):
    object: Literal["list"]
    data: list[Consent]
    has_more: bool
    first_id: str | None
    last_id: str | None


class DeletedConsent(TypedDict):
    id: str
    object: Literal["audio.voice_consent"]
    deleted: bool


class CustomVoice(TypedDict):
    id: str
    object: Literal["audio.voice"]
    name: str
    type: Literal["audio_sample"]
    created_at: int


class DeletedVoice(TypedDict):
    id: str
    object: Literal["audio.voice.deleted"]
    deleted: bool


@router.post("/voice_consents")
@access("voice:clone", body="upload", once=True)
async def create_consent(
    caller: Caller,
    services: Services,
    name: Annotated[str, Form()],
    language: Annotated[str, Form(min_length=2, max_length=35)],
    recording: Annotated[UploadFile, File()],
) -> Consent:
    """Keep a recording in which somebody agrees to be cloned."""
    row = await services.consents.record(
        caller.tenant_id,
        name=name,
        language=language,
        recording=await _clip(recording),
        actor=caller.key_id,
    )
    return consent_json(row)


@router.get("/voice_consents")
@access("voice:clone")
async def list_consents(
    caller: Caller,
    services: Services,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: Annotated[str | None, Query(max_length=64)] = None,
) -> Consents:
    """Recorded consents, newest first."""
    rows, more = await services.consents.page(caller.tenant_id, limit=limit, after=after)
    return {
        "object": "list",
        "data": [consent_json(row) for row in rows],
        "has_more": more,
        "first_id": rows[0].id if rows else None,
        "last_id": rows[-1].id if rows else None,
    }


@router.get("/voice_consents/{id}")
@access("voice:clone")
async def get_consent(caller: Caller, services: Services, id: str) -> Consent:
    """One consent."""
    return consent_json(await services.consents.get(caller.tenant_id, id))


@router.post("/voice_consents/{id}")
@access("voice:clone")
async def rename_consent(caller: Caller, services: Services, id: str, body: Rename) -> Consent:
    """Call it something else."""
    return consent_json(await services.consents.rename(caller.tenant_id, id, body.name))


@router.delete("/voice_consents/{id}")
@access("voice:clone")
async def delete_consent(caller: Caller, services: Services, id: str) -> DeletedConsent:
    """Remove it with its recording."""
    await services.consents.delete(caller.tenant_id, id, actor=caller.key_id)
    return {"id": id, "object": "audio.voice_consent", "deleted": True}


@router.post("/voices")
@access("voice:clone", body="upload", once=True, refuses=(402, 404, 422, 504))
async def create_voice(
    caller: Caller,
    services: Services,
    once: Once,
    name: Annotated[str, Form()],
    audio_sample: Annotated[UploadFile, File()],
    consent: Annotated[str, Form()],
    type: Annotated[Literal["audio_sample"], Form()] = "audio_sample",
) -> CustomVoice:
    """Make a voice of a sample, if the consent's speaker speaks in it; answered when it can speak."""
    clip = await _clip(audio_sample)
    await services.consents.check(caller.tenant_id, consent, clip)
    try:
        voice = await services.voices.enrol_now(
            caller.tenant_id,
            Enrolment(
                name=name,
                clips=[clip],
                profile="best_window",
                consent_id=consent,
                once=once,
                actor=caller.key_id,
            ),
        )
    except GateRejected as rejected:
        reasons = rejected.report["reasons"] if isinstance(rejected.report, dict) else []
        raise InvalidRequest(
            rejected.message,
            code="voice_rejected",
            param="audio_sample",
            fix=reasons[0]["fix"] if reasons else None,
        ) from rejected
    return voice_json(voice)


@router.delete("/voices/{id}")
@access("voice:clone")
async def delete_voice(caller: Caller, services: Services, id: str) -> DeletedVoice:
    """Delete a voice of yours."""
    await services.voices.delete(caller.tenant_id, id, actor=caller.key_id)
    return {"id": id, "object": "audio.voice.deleted", "deleted": True}


def consent_json(row: ConsentRow) -> Consent:
    return {
        "id": row.id,
        "object": "audio.voice_consent",
        "name": row.name,
        "language": row.language,
        "created_at": int(row.created_at),
    }


def voice_json(voice: Voice) -> CustomVoice:
    return {
        "id": voice.id,
        "object": "audio.voice",
        "name": voice.name,
        "type": "audio_sample",
        "created_at": int(voice.created_at.timestamp()),
    }


async def _clip(file: UploadFile) -> SourceClip:
    return SourceClip(await file.read(), file.content_type, file.filename)
