"""
OpenAI's speech and models, on the addresses that PyAI shares with it.

One route serves both. They differ in one default: PyAI's documented request names no format, no model, and
writes a ``.wav``; OpenAI's always names a ``model`` and means MP3. So the format nobody asked for is MP3
where a model other than PyAI's own is named, and WAV elsewhere. ``Content-Type`` and ``x-pyai-format`` say
which it was. OpenAI's form is sent as it is spoken; in PyAI's form a short WAV is held back until it is
complete, so that its header tells its true length.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response, StreamingResponse
from typing_extensions import TypedDict

from runtime import metrics
from runtime.errors import NotFound
from runtime.media.encode import SPEECH_FORMATS
from runtime.server.dialects.pyai import PyaiRoute
from runtime.server.dialects.route import Caller, Services, access
from runtime.server.dialects.sound import BINARY, MP3, NO_BUFFERING, in_pieces
from runtime.server.speech import PREVIEW_TEXT, Speech, SpeechOrder

PYAI_MODEL = "pyai-voice"

MODELS = ("vivavoce", PYAI_MODEL, "tts-1", "tts-1-hd", "gpt-4o-mini-tts", "gpt-realtime")
"""Names a client may send. All mean the engine this server runs; ``GET /v1/engine`` says which that is."""

router = APIRouter(prefix="/v1", route_class=PyaiRoute, tags=["openai"])


class VoiceRef(BaseModel):
    """OpenAI's other way to name a custom voice."""

    id: str


class SpeechBody(BaseModel):
    input: str
    voice: Annotated[str, Field(max_length=255)] | VoiceRef | None = None
    model: Annotated[str | None, Field(max_length=255)] = None
    response_format: Annotated[str | None, Field(max_length=32)] = None
    sample_rate: int | None = None
    speed: float = 1.0
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    instructions: Annotated[str | None, Field(description="Accepted; the embedded engine ignores it.")] = None
    temperature: Annotated[float | None, Field(description="Accepted; the engine is deterministic.")] = None
    stream_format: Literal["audio", "sse"] | None = None

    def order(self) -> SpeechOrder:
        openai_form = self.model is not None and self.model != PYAI_MODEL
        return SpeechOrder(
            text=self.input,
            voice=self.voice.id if isinstance(self.voice, VoiceRef) else self.voice,
            format=self.response_format or ("mp3" if openai_form else "wav"),
            sample_rate=self.sample_rate,
            speed=self.speed,
            seed=self.seed,
            whole=not openai_form and self.stream_format is None,
        )


class Model(TypedDict):
    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class Models(TypedDict):
    object: Literal["list"]
    data: list[Model]


class FirstAudio(TypedDict):
    """From text to the first PCM, in the latest utterances of this server process."""

    p50_ms: float
    p95_ms: float
    utterances: int
    measured_at: int
    """Milliseconds since the Unix epoch."""


class EngineCard(TypedDict):
    object: Literal["engine"]
    name: str
    version: str
    sample_rate: int
    languages: list[str]
    licence: str
    clones: bool
    placeholder: bool
    first_audio: FirstAudio | None
    """None before anything was said."""


SPEECH: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The sound; with `stream_format` `sse`, events `speech.audio.delta` and `…done`.",
        "content": {
            **{one.content_type: BINARY for one in SPEECH_FORMATS.values()},
            "text/event-stream": {"schema": {"type": "string"}},
        },
    }
}


@router.post("/audio/speech", response_class=Response, responses=SPEECH)
@access("voice:synthesize", refuses=(404, 409))
async def create_speech(caller: Caller, services: Services, body: SpeechBody) -> Response:
    """Say something in a voice; the audio is sent while it is spoken. Hanging up stops the engine."""
    speech = await services.speech.speak(caller.tenant_id, body.order())
    headers = {
        "x-pyai-format": speech.format.name,
        "x-pyai-sample-rate": str(speech.rate),
        **speech.marks.headers(),
    }
    if body.stream_format == "sse":
        return StreamingResponse(
            _events(speech, body.input), media_type="text/event-stream", headers=headers | NO_BUFFERING
        )
    return StreamingResponse(
        in_pieces(speech), media_type=speech.format.content_type, headers=headers | NO_BUFFERING
    )


@router.get("/voices/{id}/preview", response_class=Response, responses=MP3)
@access(refuses=(403, 409))
async def preview_voice(caller: Caller, services: Services, id: str) -> Response:
    """A sentence in a voice, as MP3."""
    order = SpeechOrder(text=PREVIEW_TEXT, voice=id, format="mp3")
    speech = await services.speech.speak(caller.tenant_id, order)
    return StreamingResponse(
        in_pieces(speech), media_type=speech.format.content_type, headers=speech.marks.headers()
    )


@router.get("/voices/{id}/sample", response_class=Response, responses=MP3)
@access(anyone=True)
async def sample_stock_voice(services: Services, id: str) -> Response:
    """A sentence in a stock voice, as MP3: for players that can send no key."""
    if services.resolver.stock_voice(id) is None:
        raise NotFound("There is nothing at this address.")
    speech = await services.speech.speak("", SpeechOrder(text=PREVIEW_TEXT, voice=id, format="mp3"))
    return StreamingResponse(
        in_pieces(speech), media_type=speech.format.content_type, headers=speech.marks.headers()
    )


@router.get("/models")
@access()
async def list_models(services: Services) -> Models:
    """The model names that mean this server's engine."""
    return {"object": "list", "data": [_model(name) for name in MODELS]}


@router.get("/models/{id}")
@access()
async def get_model(services: Services, id: str) -> Model:
    """One model name."""
    if id not in MODELS:
        raise NotFound(f"There is no model {id!r}.", code="model_not_found", param="model")
    return _model(id)


@router.get("/engine")
@access()
async def engine_card(services: Services) -> EngineCard:
    """What really speaks, whatever model name a request gave."""
    info = services.engine.info
    return {
        "object": "engine",
        "name": info.name,
        "version": info.version,
        "sample_rate": info.rate,
        "languages": list(info.languages),
        "licence": info.licence,
        "clones": info.clones,
        "placeholder": info.placeholder,
        "first_audio": _first_audio(services.clock.wall()),
    }


def _first_audio(now: float) -> FirstAudio | None:
    latest = metrics.first_audio
    if not len(latest):
        return None
    return {
        "p50_ms": round(1000 * latest.percentile(0.5), 1),
        "p95_ms": round(1000 * latest.percentile(0.95), 1),
        "utterances": len(latest),
        "measured_at": int(1000 * now),
    }


def _model(name: str) -> Model:
    return {"id": name, "object": "model", "created": 0, "owned_by": "vivavoce"}


async def _events(speech: Speech, text: str) -> AsyncIterator[str]:
    async for piece in in_pieces(speech):
        delta = {"type": "speech.audio.delta", "audio": base64.b64encode(piece).decode()}
        yield f"data: {json.dumps(delta)}\n\n"
    spoken, heard = _tokens(text), round(speech.seconds * 20)
    usage = {"input_tokens": spoken, "output_tokens": heard, "total_tokens": spoken + heard}
    yield f"data: {json.dumps({'type': 'speech.audio.done', 'usage': usage})}\n\n"


def _tokens(text: str) -> int:
    """Four characters a token, the usual estimate for English; audio is counted as 20 tokens a second."""
    return max(1, len(text) // 4)
