"""What a speech recogniser is asked, and what it hears."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from runtime.media.frame import Pcm


@dataclass(frozen=True, slots=True)
class HeardWord:
    """One recognised word and when it sounded."""

    word: str
    start: float
    """Seconds from the first sample pushed to the stream."""
    end: float
    confidence: float
    """0 to 1; 1 where the engine does not say."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """All that was heard in one utterance."""

    text: str
    """Empty when no word was recognised."""
    words: tuple[HeardWord, ...]
    """Empty when the engine gives no times."""
    seconds: float
    """Audio that was pushed."""
    language: str = "en"


class RecognizerStream(Protocol):
    """
    One utterance of one caller, from its pre-roll to its end.

    Not reusable; close it with :meth:`finish` or :meth:`abandon`, as it may hold an engine's decoder.
    """

    @property
    def text(self) -> str:
        """The words so far, as last heard of; always empty for engines without partial results."""
        ...

    def push(self, pcm: Pcm) -> None:
        """Give audio: mono int16 at 16 kHz, any length. Never blocks; it waits while the engine is busy."""
        ...

    async def partial(self) -> str | None:
        """
        Wait until the words so far change, and return them; None once the stream has ended.

        For one waiter at a time; changes that come faster than it asks are told together.
        """
        ...

    async def finish(self) -> Transcript:
        """
        Say that the utterance is over and wait for its transcript.

        Raises:
            RecognitionError: The engine failed, also on its second try.
        """
        ...

    def abandon(self) -> None:
        """Drop the utterance and free what it holds. Harmless after :meth:`finish`, and twice."""
        ...


class Recognizer(Protocol):
    """Speech to text, shared by all calls."""

    name: str
    adapts: bool
    """Whether an utterance comes out better ``after`` another of the same caller."""

    def open(
        self,
        language: str = "en",
        *,
        after: RecognizerStream | None = None,
        expects: Sequence[str] = (),
    ) -> RecognizerStream:
        """
        Begin an utterance.

        Args:
            language: BCP-47. Engines with one language ignore it and say so in the transcript.
            after: An earlier utterance of the same caller: engines that adapt to a voice and its line
                go on from what they learnt there.
            expects: Phrases the caller was just asked for. Whoever says one of them is understood more
                surely; who says something else still is.
        """
        ...

    async def start(self) -> None:
        """Load models, start workers. Call once, before the first stream."""
        ...

    async def close(self) -> None:
        """Stop workers; streams still open end with RecognitionError."""
        ...
