"""
ElevenLabs: text to speech and voices over HTTP, with ``xi-api-key``.

``/v1/voices`` is PyAI's address too. A request that carries ``xi-api-key`` is answered here, every other one
there. The bit rate in a format's name is accepted and our encoder's own is used.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Query, UploadFile
from pydantic import BaseModel, ConfigDict, Field, with_config
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Match
from starlette.types import Scope
from typing_extensions import TypedDict

from runtime.errors import GateRejected, InvalidRequest, RateLimited, VivavoceError
from runtime.server.auth import Scheme
from runtime.server.dialects.pyai import public_url
from runtime.server.dialects.route import (
    Caller,
    DialectRoute,
    FieldError,
    InvalidFields,
    Once,
    Refusal,
    Services,
    access,
)
from runtime.server.dialects.sound import NO_BUFFERING, answers, in_pieces
from runtime.server.speech import Speech, SpeechOrder
from runtime.server.voices import Enrolment, SourceClip
from runtime.wire.alignment import CharacterClock, Characters
from tts.voices.voice import StockVoice, Voice, VoiceOrigin, VoiceState

DEFAULT_FORMAT = "mp3_44100_128"

FORMATS = {
    "mp3": "mp3",
    "pcm": "pcm",
    "wav": "wav",
    "ulaw": "g711_ulaw",
    "alaw": "g711_alaw",
    "opus": "opus",
}
"""ElevenLabs' name of a codec, and ours."""

CONTENT_TYPES = {"g711_ulaw": "audio/basic", "g711_alaw": "audio/basic"}

MODELS = ("eleven_multilingual_v2", "eleven_turbo_v2_5", "eleven_flash_v2_5")
"""Names a client may send. All mean the engine this server runs."""

STATUS = {401: "invalid_api_key", 402: "quota_exceeded", 404: "voice_not_found", 429: "too_many_requests"}


@with_config(ConfigDict(extra="allow"))
class Detail(TypedDict):
    status: str
    message: str


class ErrorAnswer(TypedDict):
    detail: Detail


class FieldOrError(TypedDict):
    """A 422: fields that fail validation, or one error."""

    detail: list[FieldError] | Detail


def refusal(status: int) -> Refusal:
    """What a refusal of this status looks like."""
    return Refusal(FieldOrError if status == 422 else ErrorAnswer)


def render_error(error: VivavoceError, request: Request) -> Response:
    """An error as ``{"detail": {"status", "message"}}``; fields that fail validation as a list."""
    if isinstance(error, InvalidFields):
        return JSONResponse(error.to_json(), 422)
    status = 400 if isinstance(error, GateRejected) else error.status
    detail: dict[str, Any] = {"status": STATUS.get(status, error.code), "message": error.message}
    if isinstance(error, GateRejected) and isinstance(error.report, dict):
        detail["reasons"] = error.report["reasons"]
    if error.fix:
        detail["fix"] = error.fix
    headers = {"retry-after": str(max(1, round(error.retry_after)))} if isinstance(error, RateLimited) else {}
    return JSONResponse({"detail": detail}, status, headers)


class ElevenLabsRoute(DialectRoute):
    schemes = Scheme.XI_API_KEY
    render = staticmethod(render_error)


class SharedRoute(ElevenLabsRoute):
    """An address that is PyAI's unless the request carries ``xi-api-key``, or names the dialect."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        named = scope["path"].startswith("/d/elevenlabs/")
        if scope["type"] == "http" and not named and "xi-api-key" not in Headers(scope=scope):
            return Match.NONE, {}
        return super().matches(scope)


router = APIRouter(prefix="/v1", route_class=ElevenLabsRoute, tags=["elevenlabs"])
shared = APIRouter(prefix="/v1", route_class=SharedRoute, tags=["elevenlabs"])


class VoiceSettings(BaseModel):
    """Only ``speed`` changes anything here: the embedded engine has no other of these knobs."""

    stability: float | None = None
    similarity_boost: float | None = None
    style: float | None = None
    use_speaker_boost: bool | None = None
    speed: Annotated[float | None, Field(ge=0.25, le=4)] = None


class SpeechBody(BaseModel):
    text: str
    model_id: str | None = None
    language_code: str | None = None
    voice_settings: VoiceSettings | None = None
    seed: Annotated[int | None, Field(ge=0, lt=2**32)] = None


OutputFormat = Annotated[str, Query(max_length=32)]

NDJSON = "application/x-ndjson"

SOUND = answers("audio/mpeg", "audio/pcm", "audio/wav", "audio/basic", "audio/ogg")


class Alignment(TypedDict):
    """When each character sounds."""

    characters: list[str]
    character_start_times_seconds: list[float]
    character_end_times_seconds: list[float]


class TimedAudio(TypedDict):
    audio_base64: str
    alignment: Alignment | None
    normalized_alignment: Alignment | None


class Language(TypedDict):
    language_id: str


class Model(TypedDict):
    model_id: str
    name: str
    can_do_text_to_speech: bool
    languages: list[Language]


class Subscription(TypedDict):
    tier: str
    character_count: int
    character_limit: int


class User(TypedDict):
    user_id: str
    subscription: Subscription


class VoiceJson(TypedDict):
    voice_id: str
    name: str
    category: str
    description: str | None
    labels: dict[str, Any]
    preview_url: str | None
    settings: dict[str, Any] | None


class Voices(TypedDict):
    voices: list[VoiceJson]


class Added(TypedDict):
    voice_id: str
    requires_verification: bool


class Done(TypedDict):
    status: str


@router.post("/text-to-speech/{voice_id}", response_class=Response, responses=SOUND)
@access("voice:synthesize", refuses=(409,))
async def text_to_speech(
    caller: Caller,
    services: Services,
    voice_id: str,
    body: SpeechBody,
    output_format: OutputFormat = DEFAULT_FORMAT,
) -> Response:
    """Say something in a voice; sent as it is spoken."""
    speech = await services.speech.speak(caller.tenant_id, order(voice_id, body, output_format))
    headers = NO_BUFFERING | speech.marks.headers()
    return StreamingResponse(in_pieces(speech), media_type=_content_type(speech), headers=headers)


router.add_api_route(
    "/text-to-speech/{voice_id}/stream",
    text_to_speech,
    methods=["POST"],
    response_class=Response,
    responses=SOUND,
    operation_id="text_to_speech_stream",
)


@router.post("/text-to-speech/{voice_id}/with-timestamps")
@access("voice:synthesize", refuses=(409,))
async def text_to_speech_with_timestamps(
    caller: Caller,
    services: Services,
    voice_id: str,
    body: SpeechBody,
    output_format: OutputFormat = DEFAULT_FORMAT,
) -> TimedAudio:
    """All of it at once, and when each character sounds."""
    speech = await services.speech.speak(caller.tenant_id, order(voice_id, body, output_format))
    clock = CharacterClock(body.text)
    audio, parts = b"", []
    async for piece, words in speech.timed():
        audio += piece
        parts.append(clock.take(words))
    parts.append(clock.rest(speech.seconds))
    whole = Characters(
        "".join(part.text for part in parts),
        tuple(start for part in parts for start in part.starts),
        tuple(end for part in parts for end in part.ends),
    )
    return _timed_json(audio, whole)


@router.post(
    "/text-to-speech/{voice_id}/stream/with-timestamps",
    response_class=Response,
    responses={200: {"content": {NDJSON: {"schema": {"type": "string"}}}}},
)
@access("voice:synthesize", refuses=(409,))
async def stream_with_timestamps(
    caller: Caller,
    services: Services,
    voice_id: str,
    body: SpeechBody,
    output_format: OutputFormat = DEFAULT_FORMAT,
) -> Response:
    """The same piece by piece, a line of JSON each."""
    speech = await services.speech.speak(caller.tenant_id, order(voice_id, body, output_format))
    return StreamingResponse(_timed_lines(speech, body.text), media_type=NDJSON, headers=dict(NO_BUFFERING))


@shared.get("/models")
@access()
async def list_models() -> list[Model]:
    """Unreachable without ``xi-api-key``; see :class:`SharedRoute`."""
    return [
        {"model_id": name, "name": name, "can_do_text_to_speech": True, "languages": [{"language_id": "en"}]}
        for name in MODELS
    ]


@router.get("/user")
@access()
async def get_user(caller: Caller, services: Services) -> User:
    """Who the key belongs to, and what is left."""
    balance = await services.accounts.balance(caller.tenant_id)
    return {
        "user_id": caller.tenant_id,
        "subscription": {"tier": "self_hosted", "character_count": 0, "character_limit": balance},
    }


@shared.get("/voices")
@access()
async def list_voices(request: Request, caller: Caller, services: Services) -> Voices:
    """Every voice you can speak in now."""
    own, _ = await services.voices.page(caller.tenant_id, limit=1000)
    rows = [
        voice_json(voice)
        for voice in own
        if voice.state is VoiceState.READY and voice.origin is not VoiceOrigin.EXTERNAL
    ]
    return {"voices": rows + [stock_json(voice, request) for voice in services.voices.stock()]}


@router.post("/voices/add")
@access("voice:clone", body="upload", once=True, refuses=(402, 504))
async def add_voice(
    caller: Caller,
    services: Services,
    once: Once,
    name: Annotated[str, Form()],
    files: Annotated[list[UploadFile], File()],
    description: Annotated[str | None, Form()] = None,
    labels: Annotated[str | None, Form(description="A JSON object.")] = None,
    remove_background_noise: Annotated[bool, Form()] = False,
) -> Added:
    """Make one voice of one or several recordings, and answer when it can speak."""
    if remove_background_noise:
        raise InvalidRequest(
            "remove_background_noise is not offered: denoising takes the voice's own highs away.",
            param="remove_background_noise",
            fix="record in a quiet room",
        )
    voice = await services.voices.enrol_now(
        caller.tenant_id,
        Enrolment(
            name=name,
            clips=[SourceClip(await file.read(), file.content_type, file.filename) for file in files],
            profile="best_window",
            description=description,
            attributes={"labels": _labels(labels)},
            once=once,
            actor=caller.key_id,
        ),
    )
    return {"voice_id": voice.id, "requires_verification": False}


@shared.get("/voices/{voice_id}")
@access()
async def get_voice(request: Request, caller: Caller, services: Services, voice_id: str) -> VoiceJson:
    """One voice."""
    if (stock := services.resolver.stock_voice(voice_id)) is not None:
        return stock_json(stock, request)
    return voice_json(await services.voices.get(caller.tenant_id, voice_id))


@shared.delete("/voices/{voice_id}")
@access("voice:clone")
async def delete_voice(caller: Caller, services: Services, voice_id: str) -> Done:
    """Delete a voice of yours."""
    await services.voices.delete(caller.tenant_id, voice_id, actor=caller.key_id)
    return {"status": "ok"}


def order(voice_id: str, body: SpeechBody, output_format: str) -> SpeechOrder:
    """
    A request in our terms.

    Raises:
        InvalidRequest: No such output format.
    """
    codec, _, rest = output_format.partition("_")
    rate, _, _bit_rate = rest.partition("_")
    if codec not in FORMATS or not (rate.isascii() and rate.isdigit()) or len(rate) > 6:
        raise InvalidRequest(
            f"there is no output_format {output_format!r}",
            code="output_format_not_allowed",
            param="output_format",
            fix="use for instance mp3_44100_128, pcm_24000, ulaw_8000 or opus_48000_64",
        )
    speed = body.voice_settings.speed if body.voice_settings else None
    return SpeechOrder(
        text=body.text,
        voice=voice_id,
        format=FORMATS[codec],
        sample_rate=int(rate),
        speed=speed or 1.0,
        seed=body.seed or 0,
    )


def voice_json(voice: Voice) -> VoiceJson:
    return {
        "voice_id": voice.id,
        "name": voice.name,
        "category": "generated" if voice.origin == "designed" else "cloned",
        "description": voice.description,
        "labels": {"language": voice.language} | ({"gender": voice.gender} if voice.gender else {}),
        "preview_url": None,
        "settings": None,
    }


def stock_json(voice: StockVoice, request: Request) -> VoiceJson:
    return {
        "voice_id": voice.voice_id,
        "name": voice.name,
        "category": "premade",
        "description": voice.description,
        "labels": {"language": voice.language, "gender": voice.gender},
        "preview_url": f"{public_url(request)}/v1/voices/{voice.voice_id}/sample",
        "settings": None,
    }


async def _timed_lines(speech: Speech, text: str) -> AsyncIterator[str]:
    clock = CharacterClock(text)
    async for piece, words in speech.timed():
        characters = clock.take(words)
        if piece or characters.text:
            yield json.dumps(_timed_json(piece, characters)) + "\n"
    if (rest := clock.rest(speech.seconds)).text:
        yield json.dumps(_timed_json(b"", rest)) + "\n"


def _timed_json(audio: bytes, characters: Characters) -> TimedAudio:
    alignment: Alignment | None = None
    if characters.text:
        alignment = {
            "characters": list(characters.text),
            "character_start_times_seconds": list(characters.starts),
            "character_end_times_seconds": list(characters.ends),
        }
    return {
        "audio_base64": base64.b64encode(audio).decode(),
        "alignment": alignment,
        "normalized_alignment": alignment,
    }


def _content_type(speech: Speech) -> str:
    return CONTENT_TYPES.get(speech.format.name, speech.format.content_type)


def _labels(text: str | None) -> dict[str, Any]:
    if not text:
        return {}
    try:
        labels = json.loads(text)
    except ValueError:
        labels = text
    if labels is None:  # what the Python SDK sends for none
        return {}
    if not isinstance(labels, dict):
        raise InvalidRequest("labels is not a JSON object.", param="labels")
    return labels
