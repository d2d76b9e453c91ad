"""Text deltas in, PCM blocks with word times out: one reply being spoken while it is still being written."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import cast

from runtime.clock import Clock
from tts.engine import Conditioning, PcmBlock, SpeechEngine, SpeechRequest, SpokenWord
from tts.text.chunker import Piece, SpeechChunker
from tts.text.normalize import normalize
from tts.text.spoken import Spoken

PATIENCE = 0.4
"""Seconds a listener waits for a writer who stopped in mid-sentence, before what there is gets spoken."""

STOCK = 1.0
"""Seconds of audio in hand from which an engine may be holding back; its pace says nothing then."""


class SpeechStream:
    """
    Speak one utterance whose text arrives in pieces.

    Iterate it once; it ends after :meth:`finish` when everything is spoken, or at :meth:`cancel`. Memory is
    the text itself and one block.

    Args:
        engine: Who speaks.
        conditioning: In whose voice.
        clock: For ``ttfb``, ``rtf`` and patience.
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
        self._engine = engine
        self._conditioning = conditioning
        self._clock = clock
        self._deadline = deadline if deadline is not None else lambda: None
        self._speed = speed
        self._seed = seed
        self._chunker = SpeechChunker()
        self._pieces: deque[Piece] = deque()
        self._deltas: list[str] = []
        self._changed = asyncio.Event()
        self._coming: asyncio.Future[PcmBlock | None] | None = None
        self._finished = False
        self._cancelled = False
        self._begun_at: float | None = None
        self._pushed_at = 0.0
        self._ttfb: float | None = None
        self._seconds = 0.0
        self._paced_seconds = 0.0
        self._paced_wait = 0.0

    @property
    def text(self) -> str:
        """All that was pushed; the words' ``source`` spans index it."""
        self._deltas = ["".join(self._deltas)]
        return self._deltas[0]

    @property
    def ttfb(self) -> float | None:
        """Seconds from the first text to the first block; None until then."""
        return self._ttfb

    @property
    def rtf(self) -> float | None:
        """
        Seconds waited for the engine per second of audio; None until there is audio.

        Only blocks that the listener needed within a second count: with more in stock, the pool holds back.
        """
        return self._paced_wait / self._paced_seconds if self._paced_seconds else None

    @property
    def seconds(self) -> float:
        """Audio yielded so far."""
        return self._seconds

    def push(self, delta: str) -> None:
        """
        Add text. Any split of the same text sounds the same. Ignored after :meth:`cancel`.

        Raises:
            ValueError: After :meth:`finish`.
        """
        if self._cancelled or not delta:
            return
        self._pushed_at = self._clock.now()
        if self._begun_at is None:
            self._begun_at = self._pushed_at
        self._pieces += self._chunker.push(delta)
        self._deltas.append(delta)
        self._changed.set()

    def finish(self) -> None:
        """No more text will come."""
        if not self._finished:
            self._finished = True
            self._pieces += self._chunker.finish()
            self._changed.set()

    def cancel(self) -> None:
        """Stop before the next block; iteration ends."""
        self._cancelled = True
        self._changed.set()
        if self._coming is not None:
            self._coming.cancel()

    async def __aiter__(self) -> AsyncIterator[PcmBlock]:
        """
        Blocks in order. Word times count from the utterance's first sample; ``source`` indexes :attr:`text`.

        Raises:
            SpeechError: The engine failed; what was yielded stands.
        """
        while (piece := await self._next_piece()) is not None:
            spoken = normalize(piece.text, languages=self._engine.info.languages)
            if not spoken.audible:
                continue
            request = SpeechRequest(
                spoken.text, self._conditioning, self._speed, self._seed, first=self._seconds == 0.0
            )
            origin = self._seconds
            async with aclosing(self._blocks(request)) as blocks:
                async for block in blocks:
                    words = tuple(_placed(word, spoken, piece, origin) for word in block.words)
                    yield replace(block, words=words)
                    if self._cancelled:
                        return

    async def _blocks(self, request: SpeechRequest) -> AsyncGenerator[PcmBlock, None]:
        """What the engine yields, timed; it ends at once when the stream is cancelled."""
        speech = cast(
            "AsyncGenerator[PcmBlock, None]", self._engine.speak(request, deadline=self._deadline())
        )
        async with aclosing(speech):
            while not self._cancelled:
                asked_at = self._clock.now()
                self._coming = asyncio.ensure_future(anext(speech, None))
                try:
                    block = await self._coming
                except asyncio.CancelledError:
                    if self._cancelled and not _being_cancelled():
                        return  # by cancel(), which concerns the speech and not this task
                    raise
                finally:
                    self._coming = None
                if block is None:
                    return
                self._note(block, asked_at)
                yield block

    def _note(self, block: PcmBlock, asked_at: float) -> None:
        now = self._clock.now()
        seconds = len(block.samples) / block.rate
        if self._ttfb is None and self._begun_at is not None:
            self._ttfb = now - self._begun_at
        dry_at = self._deadline()
        if dry_at is None or dry_at - asked_at < STOCK:
            self._paced_wait += now - asked_at
            self._paced_seconds += seconds
        self._seconds += seconds

    def _patience(self) -> float | None:
        """How long to wait for text before hurrying; None while nobody is waiting for what is pending."""
        dry_at = self._deadline()
        if dry_at is None or not self._chunker.pending.strip():
            return None
        return max(0.0, max(self._pushed_at + PATIENCE, dry_at - PATIENCE) - self._clock.now())

    async def _next_piece(self) -> Piece | None:
        while not self._cancelled:
            if self._pieces:
                return self._pieces.popleft()
            if self._finished:
                return None
            self._changed.clear()
            try:
                async with asyncio.timeout(self._patience()):
                    await self._changed.wait()
            except TimeoutError:
                self._pieces += self._chunker.hurry()
                if not self._pieces:
                    await self._changed.wait()  # nothing in it can be said yet
        return None


def _being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _placed(word: SpokenWord, spoken: Spoken, piece: Piece, origin: float) -> SpokenWord:
    """The word in the coordinates of the whole utterance."""
    begin, end = spoken.source(*word.source)
    return SpokenWord(
        word.word, word.start + origin, word.end + origin, (begin + piece.begin, end + piece.begin)
    )
