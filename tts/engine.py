"""What a speech engine is asked, and what it yields."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from runtime.media.frame import Pcm


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """The engine's card: what really speaks."""

    name: str
    version: str
    """Changes whenever the same text and voice would sound different; part of every cache key."""
    rate: int
    """Hz of the PCM it yields."""
    languages: tuple[str, ...]
    """BCP-47."""
    licence: str
    clones: bool
    """Whether :meth:`Synthesizer.clone` works."""
    placeholder: bool = False
    """True for engines that make no speech (the tone)."""


@dataclass(frozen=True, slots=True)
class Conditioning:
    """What an engine needs to speak as one person. Immutable, picklable, made once at enrolment."""

    voice_id: str
    engine: str
    engine_version: str
    data: bytes
    """Opaque to everyone but the engine."""
    digest: str
    """SHA-256 of ``data``, hex: the cache key inside the workers."""


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """When one word of the text sounds."""

    word: str
    start: float
    """Seconds from the first sample of the utterance."""
    end: float
    source: tuple[int, int]
    """Span ``[begin, end)`` of the characters it speaks, in the text the engine (or stream) was given."""


@dataclass(frozen=True, slots=True)
class PcmBlock:
    """A piece of an utterance: 20 ms to about 0.6 s."""

    samples: Pcm
    rate: int
    words: tuple[SpokenWord, ...] = ()
    """The words that *begin* in this block."""


@dataclass(frozen=True, slots=True)
class SpeechRequest:
    """One speakable piece of text, already normalised: words, and punctuation for phrasing."""

    text: str
    conditioning: Conditioning
    speed: float = 1.0
    """Pace, 0.25 to 4; 1 is the voice's own."""
    seed: int = 0
    """Same request, same seed, same samples."""
    first: bool = field(default=True)
    """Whether this opens an utterance: the engine then makes its first block short, to start early."""


class Synthesizer(Protocol):
    """
    A blocking engine, as it runs inside a worker process.

    Blocks are pulled one at a time, so the pool can serve another call between any two of them, and
    dropping the iterator cancels the rest of the sentence.
    """

    info: EngineInfo

    def clone(self, samples: Pcm, rate: int, *, voice_id: str) -> Conditioning:
        """
        Make a voice of an accepted recording: mono PCM at its own genuine ``rate`` in Hz.

        Raises:
            EnrolmentError: The recording passed the gate but this engine can make nothing of it.
        """
        ...

    def load(self, conditioning: Conditioning) -> None:
        """Warm the voice: after this, its first block is not slower than its second."""
        ...

    def speak(self, request: SpeechRequest) -> Iterator[PcmBlock]:
        """
        Yield the piece as PCM, in order, with word times measured from this piece's first sample.

        Raises:
            SynthesisFailed: Nothing more will come; what was yielded stands.
        """
        ...


class SpeechEngine(Protocol):
    """
    The same promise as the rest of the house sees it: asynchronous, shared by all calls.

    The pool implements it over worker processes; remote engines implement it over HTTP.
    """

    @property
    def info(self) -> EngineInfo:
        """The engine's card."""
        ...

    def speak(self, request: SpeechRequest, *, deadline: float | None = None) -> AsyncIterator[PcmBlock]:
        """
        Yield the piece as PCM. Closing the iterator cancels it.

        Args:
            deadline: Monotonic seconds at which the listener's playout runs dry; the earliest is served
                first. None means "as soon as nobody is waiting".
        """
        ...

    async def warm(self, conditioning: Conditioning) -> None:
        """Make the voice ready to speak at once."""
        ...
