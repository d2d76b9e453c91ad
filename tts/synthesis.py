"""What a synthesis worker does: keep voices warm, keep sentences half said, make the next block of each."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Protocol, TypeAlias, runtime_checkable

from runtime.workers.messages import Failure
from tts.engine import Conditioning, EngineInfo, PcmBlock, SpeechRequest, Synthesizer
from tts.provenance.watermark import Watermarker


@runtime_checkable
class BatchSynthesizer(Protocol):
    """A synthesizer that makes blocks for several utterances in little more time than for one."""

    batch_width: int
    """Most utterances worth a step."""

    def advance(self, speeches: Sequence[Iterator[PcmBlock]]) -> Sequence[PcmBlock | None]:
        """The next block of each, in order; None where it has ended. The iterators are its own."""
        ...


@runtime_checkable
class Unloading(Protocol):
    """A synthesizer that keeps state for each voice and can give it back."""

    def unload(self, digest: str) -> None:
        """Forget the voice whose conditioning has this digest; it may be loaded again later."""
        ...


class Setback(Enum):
    """Why a step made nothing, though nothing is wrong with the utterance."""

    VOICE_UNKNOWN = auto()
    """The worker does not hold the voice, or no longer: send it along."""
    SPEECH_UNKNOWN = auto()
    """The worker is a newer one than the one that began this utterance."""


@dataclass(frozen=True, slots=True)
class Opening:
    """How an utterance begins: a request with its voice named by digest, so that it crosses only once."""

    text: str
    digest: str
    speed: float
    seed: int
    first: bool
    voice: Conditioning | None
    """The voice itself, where the worker may not have it."""


@dataclass(frozen=True, slots=True)
class Step:
    """Ask for the next block of one utterance."""

    key: int
    opening: Opening | None
    """On the first step."""


Outcome: TypeAlias = PcmBlock | None | Setback | Failure
"""Of a step: a block, the end, nothing this time, or an error."""


class SynthesisService:
    """
    Lives in a worker process.

    Args:
        synthesizer: Makes the engine.
        voice_cache_bytes: Bound on the conditioning kept, least recently used first out. The voice that
            was asked for last is kept whatever its size.
        watermark: Key of the mark that all speech is given; None gives none. What is no speech gets none.
    """

    def __init__(
        self,
        synthesizer: Callable[[], Synthesizer],
        *,
        voice_cache_bytes: int,
        watermark: bytes | None = None,
    ) -> None:
        self._synthesizer = synthesizer()
        self._watermark = None if self._synthesizer.info.placeholder else watermark
        self._voices: OrderedDict[str, Conditioning] = OrderedDict()
        self._held_bytes = 0
        self._cache_bytes = voice_cache_bytes
        self._speeches: dict[int, Iterator[PcmBlock]] = {}
        self._markers: dict[int, Watermarker] = {}

    def card(self) -> tuple[EngineInfo, int]:
        """The engine's card, and how many utterances it likes to advance in one step."""
        width = self._synthesizer.batch_width if isinstance(self._synthesizer, BatchSynthesizer) else 1
        return self._synthesizer.info, width

    def warm(self, voice: Conditioning) -> None:
        """Hold the voice, ready to speak."""
        if voice.digest in self._voices:
            self._voices.move_to_end(voice.digest)
            return
        self._synthesizer.load(voice)
        self._voices[voice.digest] = voice
        self._held_bytes += len(voice.data)
        while self._held_bytes > self._cache_bytes and len(self._voices) > 1:
            digest, oldest = self._voices.popitem(last=False)
            self._held_bytes -= len(oldest.data)
            if isinstance(self._synthesizer, Unloading):
                self._synthesizer.unload(digest)

    def step(self, steps: Sequence[Step], dropped: Sequence[int]) -> list[Outcome]:
        """Forget the ``dropped`` utterances, then make the next block of each of ``steps``."""
        for key in dropped:
            self._forget(key)
        outcomes: dict[int, Outcome] = {}
        ready: dict[int, Iterator[PcmBlock]] = {}
        for step in steps:
            try:
                speech = self._open(step)
            except Exception as error:
                outcomes[step.key] = Failure.of(error)
                continue
            if isinstance(speech, Setback):
                outcomes[step.key] = speech
            else:
                ready[step.key] = speech
        outcomes |= self._advance(ready)
        for key, outcome in outcomes.items():
            if not isinstance(outcome, PcmBlock):
                self._forget(key)
            elif key in self._markers:
                outcomes[key] = replace(outcome, samples=self._markers[key].push(outcome.samples))
        return [outcomes[step.key] for step in steps]

    def _forget(self, key: int) -> None:
        self._speeches.pop(key, None)
        self._markers.pop(key, None)

    def _open(self, step: Step) -> Iterator[PcmBlock] | Setback:
        opening = step.opening
        if opening is None:
            return self._speeches.get(step.key, Setback.SPEECH_UNKNOWN)
        if opening.voice is not None:
            self.warm(opening.voice)
        voice = self._voices.get(opening.digest)
        if voice is None:
            return Setback.VOICE_UNKNOWN
        self._voices.move_to_end(opening.digest)
        request = SpeechRequest(opening.text, voice, opening.speed, opening.seed, opening.first)
        speech = self._speeches[step.key] = self._synthesizer.speak(request)
        if self._watermark is not None:
            rate = self._synthesizer.info.rate
            self._markers[step.key] = Watermarker(rate, key=self._watermark, voice_id=voice.voice_id)
        return speech

    def _advance(self, speeches: dict[int, Iterator[PcmBlock]]) -> dict[int, Outcome]:
        if len(speeches) > 1 and isinstance(self._synthesizer, BatchSynthesizer):
            try:
                blocks = self._synthesizer.advance(list(speeches.values()))
            except Exception as error:
                return dict.fromkeys(speeches, Failure.of(error))
            return dict(zip(speeches, blocks, strict=True))
        return {key: _next(speech) for key, speech in speeches.items()}


def _next(speech: Iterator[PcmBlock]) -> Outcome:
    try:
        return next(speech, None)
    except Exception as error:
        return Failure.of(error)
