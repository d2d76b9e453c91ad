"""
Agent Core voice: everything under ``/v1/agents/{agent_id}``, with ``X-API-Key``.

A missing or impossible field is a 400 here, and an error is ``{"error": text, "error_code": word}``. A
clone is answered when it can speak; a preview is a job with a number.
"""

from __future__ import annotations

import base64
from typing import Annotated, Any, Literal, NotRequired, cast

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from typing_extensions import TypedDict

from runtime.errors import (
    GateRejected,
    InsufficientCredits,
    InvalidRequest,
    NotFound,
    RateLimited,
    VivavoceError,
    VoiceNotFound,
)
from runtime.server.auth import Scheme
from runtime.server.dialects.judgement import ReasonJson
from runtime.server.dialects.pyai import public_url
from runtime.server.dialects.route import Caller, DialectRoute, Once, Refusal, Services, access
from runtime.server.dialects.truedy import AudioFile, InvalidAudio, decode
from runtime.server.voices import Enrolment, SourceClip
from tts.voices.design import elaborate, script
from tts.voices.voice import StockVoice, Voice, VoiceOrigin, VoiceState

RESERVED = frozenset({"library", "design", "clone", "preview", "integrations"})
"""Words of addresses; none is ever a voice."""

REMOTE_PREFIX = "el-"
"""What an ElevenLabs voice's id begins with here."""

Source = Literal["public", "user_designed", "user_trained", "user_elevenlabs"]

SOURCES: dict[VoiceOrigin, Source] = {
    VoiceOrigin.CLONED: "user_trained",
    VoiceOrigin.DESIGNED: "user_designed",
    VoiceOrigin.EXTERNAL: "user_elevenlabs",
    VoiceOrigin.STOCK: "public",
}


class ErrorAnswer(TypedDict):
    error: str
    error_code: str
    reasons: NotRequired[list[ReasonJson]]
    fix: NotRequired[str]


def refusal(_status: int) -> Refusal:
    """What a refusal looks like, whatever its status."""
    return Refusal(ErrorAnswer)


def render_error(error: VivavoceError, request: Request) -> Response:
    """An error as ``{"error", "error_code"}``."""
    status, code = error.status, error.code
    if isinstance(error, InsufficientCredits):
        status, code = 422, "insufficient_credits_for_job"
    elif isinstance(error, (GateRejected, InvalidAudio)):
        status = 400
    elif status == 403:
        code = "permission_denied"
    elif status == 404:
        code = "not_found"
    body: ErrorAnswer = {"error": error.message, "error_code": code}
    if isinstance(error, GateRejected) and isinstance(error.report, dict):
        body["reasons"] = error.report["reasons"]
    if error.fix:
        body["fix"] = error.fix
    headers = {"retry-after": str(max(1, round(error.retry_after)))} if isinstance(error, RateLimited) else {}
    return JSONResponse(body, status, headers)


class AgentCoreRoute(DialectRoute):
    schemes = Scheme.API_KEY
    render = staticmethod(render_error)


router = APIRouter(prefix="/v1/agents/{agent_id}", route_class=AgentCoreRoute, tags=["agentcore"])


class VoiceRow(TypedDict):
    voice_id: str
    name: str
    source: Source
    preview_url: str | None
    gender: NotRequired[str | None]
    language: NotRequired[str]
    description: NotRequired[str | None]


class Library(TypedDict):
    voices: list[VoiceRow]
    total: int


class Connection(TypedDict):
    connected: bool
    masked_key: str | None


class Subscription(TypedDict):
    tier: str


class Subscriber(TypedDict):
    subscription: Subscription


class Connected(TypedDict):
    connected: bool
    user: Subscriber


class Validity(TypedDict):
    valid: bool


class Script(TypedDict):
    voice_sample: str


class Description(TypedDict):
    voice_description: str


class DesignSample(TypedDict):
    generation_id: str
    audio: str
    """MP3, base64."""


class DesignSamples(TypedDict):
    samples: list[DesignSample]


class PreviewFile(TypedDict):
    id: int
    type: str
    file_url: str


class PreviewJob(TypedDict):
    id: int
    status: Literal["pending", "processing", "completed", "failed"]
    output_resources: list[PreviewFile]
    error: NotRequired[str]


class Enqueued(TypedDict):
    user_job_id: int


# --- library ------------------------------------------------------------------------------------------------


@router.get("/voice/library")
@access(refuses=(502,))
async def list_library(
    request: Request,
    caller: Caller,
    services: Services,
    agent_id: str,
    source: Annotated[Source | None, Query()] = None,
) -> Library:
    """Every voice the agent may be given, or those from one source."""
    await services.agents.get(caller.tenant_id, agent_id)
    rows = [stock_row(voice, request) for voice in services.voices.stock()]
    own, _ = await services.voices.page(caller.tenant_id, limit=1000)
    rows += [
        voice_row(voice)
        for voice in own
        if voice.state is VoiceState.READY
        and voice.agent_id in (None, agent_id)
        and voice.origin is not VoiceOrigin.EXTERNAL
    ]
    if source in (None, "user_elevenlabs"):
        rows += [
            {
                "voice_id": f"{REMOTE_PREFIX}{voice.voice_id}",
                "name": voice.name,
                "source": "user_elevenlabs",
                "preview_url": voice.preview_url,
            }
            for voice in await services.elevenlabs.voices(caller.tenant_id, agent_id)
        ]
    rows = [row for row in rows if source in (None, row["source"])]
    return {"voices": rows, "total": len(rows)}


# --- ElevenLabs ---------------------------------------------------------------------------------------------


class KeyBody(BaseModel):
    api_key: Annotated[str, Field(min_length=1, max_length=512)]


@router.get("/voice/integrations/elevenlabs")
@access()
async def elevenlabs_status(caller: Caller, services: Services, agent_id: str) -> Connection:
    """Whether the agent has a key of its own."""
    await services.agents.get(caller.tenant_id, agent_id)
    connection = await services.elevenlabs.status(caller.tenant_id, agent_id)
    return {
        "connected": connection is not None,
        "masked_key": None if connection is None else connection.masked_key,
    }


@router.post("/voice/integrations/elevenlabs")
@access("voice:clone", refuses=(502,))
async def connect_elevenlabs(caller: Caller, services: Services, agent_id: str, body: KeyBody) -> Connected:
    """Try a key, and keep it if ElevenLabs takes it."""
    await services.agents.get(caller.tenant_id, agent_id)
    connection = await services.elevenlabs.connect(
        caller.tenant_id, agent_id, body.api_key, actor=caller.key_id
    )
    return {"connected": True, "user": {"subscription": {"tier": connection.tier}}}


@router.post("/voice/integrations/elevenlabs/test")
@access("voice:clone", refuses=(502,))
async def test_elevenlabs(caller: Caller, services: Services, agent_id: str, body: KeyBody) -> Validity:
    """Try a key and keep nothing."""
    await services.agents.get(caller.tenant_id, agent_id)
    return {"valid": await services.elevenlabs.test(body.api_key)}


@router.delete("/voice/integrations/elevenlabs", status_code=204)
@access("voice:clone")
async def disconnect_elevenlabs(caller: Caller, services: Services, agent_id: str) -> Response:
    """Forget the key."""
    await services.agents.get(caller.tenant_id, agent_id)
    await services.elevenlabs.disconnect(caller.tenant_id, agent_id, actor=caller.key_id)
    return Response(status_code=204)


# --- design -------------------------------------------------------------------------------------------------


class ScriptBody(BaseModel):
    language: Annotated[str, Field(max_length=35)] = "en"


class DescriptionBody(BaseModel):
    gender: Annotated[str, Field(min_length=1, max_length=32)]
    voice_description: Annotated[str, Field(max_length=1_000)] = ""
    language: Annotated[str | None, Field(max_length=35)] = None
    script: Annotated[str | None, Field(max_length=5_000)] = None


class SamplesBody(BaseModel):
    text: Annotated[str, Field(min_length=1)]
    description: Annotated[str, Field(max_length=2_000)] = ""


class KeepBody(BaseModel):
    generation_id: Annotated[str, Field(min_length=1, max_length=255)]
    name: Annotated[str, Field(min_length=1)]
    gender: Annotated[str | None, Field(max_length=32)] = None
    language: Annotated[str | None, Field(max_length=35)] = None
    description: Annotated[str | None, Field(max_length=2_000)] = None


@router.post("/voice/design/generate-script")
@access()
async def generate_script(
    caller: Caller, services: Services, agent_id: str, body: ScriptBody | None = None
) -> Script:
    """Something for the voice to say."""
    await services.agents.get(caller.tenant_id, agent_id)
    return {"voice_sample": script((body or ScriptBody()).language)}


@router.post("/voice/design/generate-description")
@access()
async def generate_description(
    caller: Caller, services: Services, agent_id: str, body: DescriptionBody
) -> Description:
    """A full description from a few words."""
    await services.agents.get(caller.tenant_id, agent_id)
    return {"voice_description": elaborate(body.gender, body.voice_description)}


@router.post("/voice/design/generate-samples")
@access("voice:clone")
async def generate_samples(
    caller: Caller, services: Services, agent_id: str, body: SamplesBody
) -> DesignSamples:
    """Three different voices that fit the description, saying the text. Nothing is kept."""
    await services.agents.get(caller.tenant_id, agent_id)
    made = await services.designs.samples(
        caller.tenant_id, agent_id=agent_id, text=body.text, description=body.description
    )
    return {
        "samples": [
            {"generation_id": sample.generation_id, "audio": base64.b64encode(sample.audio).decode()}
            for sample in made
        ]
    }


@router.post("/voice/design", status_code=201)
@access("voice:clone", once=True)
async def keep_design(
    request: Request, caller: Caller, services: Services, agent_id: str, body: KeepBody
) -> VoiceRow:
    """Keep one of the samples as a voice."""
    await services.agents.get(caller.tenant_id, agent_id)
    voice = await services.designs.keep(
        caller.tenant_id,
        body.generation_id,
        agent_id=agent_id,
        name=body.name,
        gender=body.gender,
        language=body.language,
        description=body.description,
        actor=caller.key_id,
    )
    return voice_row(voice)


# --- clones -------------------------------------------------------------------------------------------------


class CloneBody(BaseModel):
    name: Annotated[str, Field(min_length=1)]
    audio_url: Annotated[str | None, Field(max_length=4_096)] = None
    audio_base64: str | None = None
    gender: Annotated[str | None, Field(max_length=32)] = None
    language: Annotated[str | None, Field(max_length=35)] = None
    description: Annotated[str | None, Field(max_length=2_000)] = None


@router.post("/voice/clone", status_code=201)
@access("voice:clone", body="base64", once=True, refuses=(422, 502, 504))
async def clone_voice(
    request: Request, caller: Caller, services: Services, once: Once, agent_id: str, body: CloneBody
) -> VoiceRow:
    """Make a voice of one recording, sent or fetched, and answer when it can speak."""
    await services.agents.get(caller.tenant_id, agent_id)
    if (body.audio_url is None) == (body.audio_base64 is None):
        raise InvalidRequest(
            "Exactly one of audio_url and audio_base64 is needed.", param="audio_url", fix="send one of them"
        )
    if body.audio_url is not None:
        data = await services.fetcher.fetch(body.audio_url)
    else:
        data = decode(AudioFile(filename="audio_base64", data=body.audio_base64 or ""))
    try:
        voice = await services.voices.enrol_now(
            caller.tenant_id,
            Enrolment(
                name=body.name,
                clips=[SourceClip(data)],
                profile="best_window",
                language=body.language,
                gender=body.gender,
                description=body.description,
                agent_id=agent_id,
                once=once,
                actor=caller.key_id,
            ),
        )
    except GateRejected as rejected:
        if isinstance(rejected.report, dict) and rejected.report["reasons"][0]["code"] == "undecodable":
            raise InvalidAudio(rejected.message, filename="audio") from rejected
        raise
    return voice_row(voice)


@router.delete("/voice/{voice_id}", status_code=204)
@access("voice:clone", refuses=(502,))
async def delete_voice(
    caller: Caller,
    services: Services,
    agent_id: str,
    voice_id: str,
    upstream: Annotated[bool, Query(description="Also delete it at ElevenLabs, for good.")] = False,
) -> Response:
    """Delete a voice of the agent's. One at ElevenLabs is only taken out of the library."""
    await services.agents.get(caller.tenant_id, agent_id)
    if services.resolver.stock.get(voice_id) is not None:
        raise NotFound("Public voices cannot be deleted.")
    if voice_id.startswith(REMOTE_PREFIX):
        remote = voice_id.removeprefix(REMOTE_PREFIX)
        if not await services.elevenlabs.hide(caller.tenant_id, agent_id, remote, upstream=upstream):
            raise _no_such_voice()
    else:
        await _own_voice(services, caller.tenant_id, agent_id, voice_id)
        await services.voices.delete(caller.tenant_id, voice_id, actor=caller.key_id)
    return Response(status_code=204)


# --- previews -----------------------------------------------------------------------------------------------


class PreviewBody(BaseModel):
    text: Annotated[str, Field(min_length=1)]


@router.get("/voice/preview/{job_id}")
@access()
async def get_preview(
    request: Request, caller: Caller, services: Services, agent_id: str, job_id: str
) -> PreviewJob:
    """How far a preview is; its audio when it is there."""
    await services.agents.get(caller.tenant_id, agent_id)
    if not (job_id.isascii() and job_id.isdigit()) or len(job_id) > 18:
        raise NotFound("No such job.")
    job = await services.previews.get(caller.tenant_id, int(job_id), agent_id=agent_id)
    body: PreviewJob = {
        "id": job.id,
        "status": cast(Any, job.state),
        "output_resources": [
            {
                "id": output["id"],
                "type": output["type"],
                "file_url": public_url(request)
                + services.files.address(caller.tenant_id, output["blob"], output["content_type"]),
            }
            for output in job.outputs
        ],
    }
    if job.error is not None:
        body["error"] = job.error
    return body


@router.post("/voice/{voice_id}/preview", status_code=202)
@access("voice:synthesize", once=True, refuses=(422, 502))
async def enqueue_preview(
    caller: Caller, services: Services, once: Once, agent_id: str, voice_id: str, body: PreviewBody
) -> Enqueued:
    """Have a voice say something; poll the job for the audio. Costs credits."""
    await services.agents.get(caller.tenant_id, agent_id)
    remote = voice_id.startswith(REMOTE_PREFIX)
    if remote:
        voice_id = voice_id.removeprefix(REMOTE_PREFIX)
        listed = await services.elevenlabs.voices(caller.tenant_id, agent_id)
        if voice_id not in {voice.voice_id for voice in listed}:
            raise _no_such_voice()
    elif services.resolver.stock_voice(voice_id) is None:
        await _own_voice(services, caller.tenant_id, agent_id, voice_id)
    job_id = await services.previews.enqueue(
        caller.tenant_id, agent_id=agent_id, voice=voice_id, text=body.text, remote=remote, once=once
    )
    return {"user_job_id": job_id}


def voice_row(voice: Voice) -> VoiceRow:
    return {
        "voice_id": voice.id,
        "name": voice.name,
        "source": SOURCES[voice.origin],
        "preview_url": None,
        "gender": voice.gender,
        "language": voice.language.partition("-")[0],
        "description": voice.description,
    }


def stock_row(voice: StockVoice, request: Request) -> VoiceRow:
    return {
        "voice_id": voice.voice_id,
        "name": voice.name,
        "source": "public",
        "preview_url": f"{public_url(request)}/v1/voices/{voice.voice_id}/sample",
        "gender": voice.gender,
        "language": voice.language.partition("-")[0],
        "description": voice.description,
    }


async def _own_voice(services: Services, tenant_id: str, agent_id: str, voice_id: str) -> Voice:
    """The voice, if it is this agent's or any agent's of the tenant."""
    if voice_id in RESERVED:
        raise _no_such_voice()
    voice = await services.voices.get(tenant_id, voice_id)
    if voice.agent_id not in (None, agent_id):
        raise _no_such_voice()
    return voice


def _no_such_voice() -> VoiceNotFound:
    return VoiceNotFound("No such voice.", param="id")
