"""Text deltas in, PCM blocks with word times out: one reply being spoken while it is still being written."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from runtime.clock import Clock
from tts.engine import Conditioning, PcmBlock, SpeechEngine


class SpeechStream:
    """
    Speak one utterance whose text arrives in pieces.

    Iterate it once; it ends after :meth:`finish` when everything is spoken, or at :meth:`cancel`.

    Args:
        engine: Who speaks.
        conditioning: In whose voice.
        clock: For ``ttfb`` and ``rtf``.
        deadline: Asked before each piece: the monotonic second at which the listener's playout runs dry
            (now, if it is dry already). None for the whole argument, or returned: nobody is waiting.
        speed: Pace, 0.25 to 4.
        seed: Same text, voice and seed: same samples.
    """

    def __init__(
        self,
        engine: SpeechEngine,
        conditioning: Conditioning,
        *,
        clock: Clock,
        deadline: Callable[[], float | None] | None = None,
        speed: float = 1.0,
        seed: int = 0,
    ) -> None:
        self.rate = engine.info.rate
        """Hz of the blocks."""

    @property
    def text(self) -> str:
        """All that was pushed; the words' ``source`` spans index it."""
        raise NotImplementedError

    def push(self, delta: str) -> None:
        """Add text. Any split of the same text sounds the same. Ignored after :meth:`cancel`."""

    def finish(self) -> None:
        """No more text will come."""

    def cancel(self) -> None:
        """Stop before the next block; iteration ends."""

    def __aiter__(self) -> AsyncIterator[PcmBlock]:
        """
        Blocks in order. Word times count from the utterance's first sample; ``source`` indexes :attr:`text`.

        Raises:
            SpeechError: The engine failed; what was yielded stands.
        """
        raise NotImplementedError

    @property
    def ttfb(self) -> float | None:
        """Seconds from the first text to the first block; None until then."""
        raise NotImplementedError

    @property
    def rtf(self) -> float | None:
        """Seconds waited for the engine per second of audio; None until there is audio."""
        raise NotImplementedError

    @property
    def seconds(self) -> float:
        """Audio yielded so far."""
        raise NotImplementedError
