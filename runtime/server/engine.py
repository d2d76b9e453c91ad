"""Which engine speaks for this server, by its settings: one in workers of ours, or one across the network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from runtime.clock import Clock
from runtime.errors import EngineUnavailable
from runtime.settings import Settings
from tts.engine import Conditioning, SpeechEngine, Synthesizer
from tts.engines import synthesizer
from tts.engines.elevenlabs import ElevenLabsEngine
from tts.engines.openai_speech import OpenAISpeechEngine
from tts.engines.remote import Elsewhere
from tts.pool import SynthesisPool
from tts.provenance.marked import MarkedEngine
from tts.provenance.watermark import DEFAULT_KEY
from tts.voices.stock import stock_voices
from tts.voices.voice import StockVoice


class RunningEngine(SpeechEngine, Protocol):
    """A speech engine that is started with the server and ends with it."""

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    def lateness(self) -> float:
        """Seconds by which its most urgent call is late, for admission."""
        ...


@dataclass(frozen=True, slots=True)
class House:
    """Everything about the engine that other rooms ask for."""

    engine: RunningEngine
    cloner: Callable[[], Synthesizer]
    """Makes voices of recordings, in the enrolment process."""
    named: tuple[StockVoice, ...] = ()
    """Voices that live at the remote engine."""

    async def stock(self) -> Sequence[StockVoice]:
        """Voices that need no enrolment; asked in a child process where the engine is one of ours."""
        return self.named or await stock_voices(self.cloner)


def open_house(settings: Settings, clock: Clock) -> House:
    """
    The engine of the settings, not started yet.

    Raises:
        EngineUnavailable: A setting that the engine needs is missing.
    """
    match settings.engine:
        case "openai_speech":
            if settings.speech_base_url is None:
                raise EngineUnavailable(
                    "the engine openai_speech has no server to ask", fix="set VIVAVOCE_SPEECH_BASE_URL"
                )
            speech = OpenAISpeechEngine(
                base_url=settings.speech_base_url,
                api_key=settings.speech_api_key,
                model=settings.speech_model,
                rate=settings.speech_rate_hz,
                clock=clock,
            )
            return _elsewhere(MarkedEngine(speech, key=_watermark(settings)), speech.voice, settings)
        case "elevenlabs":
            if settings.speech_api_key is None:
                raise EngineUnavailable(
                    "the engine elevenlabs has no key", fix="set VIVAVOCE_SPEECH_API_KEY to an ElevenLabs key"
                )
            key, model = settings.speech_api_key, settings.speech_model
            eleven = ElevenLabsEngine(api_key=key, model=model, clock=clock)
            return _elsewhere(MarkedEngine(eleven, key=_watermark(settings)), eleven.voice, settings)
        case "pocket":
            cloner = synthesizer("pocket", model=settings.pocket_model, int8=settings.pocket_int8)
        case name:
            cloner = synthesizer(name)
    pool = SynthesisPool(
        cloner, workers=settings.synthesis_workers, clock=clock, watermark=_watermark(settings)
    )
    return House(pool, cloner)


def _watermark(settings: Settings) -> bytes | None:
    return watermark_keys(settings)[0] if settings.watermark else None


def watermark_keys(settings: Settings) -> tuple[bytes, ...]:
    """Keys whose marks this server knows: its own first, then the one that everybody knows."""
    own = settings.watermark_key
    return (DEFAULT_KEY,) if own is None else (own.encode(), DEFAULT_KEY)


def _elsewhere(engine: MarkedEngine, voice: Callable[[str], Conditioning], settings: Settings) -> House:
    if not settings.speech_voices:
        raise EngineUnavailable(
            f"the engine {settings.engine} has no voices", fix='set VIVAVOCE_SPEECH_VOICES, such as ["alloy"]'
        )
    named = tuple(
        StockVoice(
            voice_id=name,
            name=name,
            gender="neutral",
            language="en-US",
            description=f"A voice of the remote engine {settings.engine}.",
            conditioning=voice(name),
        )
        for name in settings.speech_voices
    )
    return House(engine, partial(Elsewhere, settings.engine), named)
