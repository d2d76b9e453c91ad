"""One message being said: its packets, and when each of its words sounds."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Sequence

from runtime.clock import Clock
from runtime.errors import SpeechError, TransportClosed, VivavoceError, WorkerDied
from runtime.media.frame import EncodedFrame
from runtime.media.scheduler import Playout
from runtime.wire.conversation import WordTime
from sessions.peers.peer import FrameEncoder, ReplyOrder
from sessions.timeline import Mark, Timeline
from tts.phrases import PhrasePart

END = "end"
"""Name of the mark behind the last packet."""

MOST_AHEAD, LEAST_AHEAD = 2.0, 1.0
"""
Seconds of packets that wait to leave. With more than the first, no more is asked for until only the second is
left: an engine is faster than any listener, and a long answer need not stand in memory in each of many calls,
only to be dropped by a word of theirs.
"""

SHORTEST_WAIT = 0.1
"""Seconds between two looks at a playout that does not move, because it is held."""


class Utterance:
    """
    Put what is being spoken on the playout, as it comes. Made by ``Speaker``.

    Everything was resampled and coded before, once; from here on only the schedule touches it.

    Args:
        order: The reply it belongs to.
        playout: Where its packets queue.
        encoder: Makes packets of coded audio.
        timeline: Marked with the first and the last frame.
    """

    def __init__(
        self, order: ReplyOrder, playout: Playout, encoder: FrameEncoder, timeline: Timeline, clock: Clock
    ) -> None:
        self.order = order
        self._playout = playout
        self._encoder = encoder
        self._timeline = timeline
        self._clock = clock
        self._base = playout.pushed_samples
        self._samples = 0
        # Words that no packet has carried yet.
        self._words: deque[WordTime] = deque()
        self._written = False
        self._over = asyncio.Event()

    @property
    def written(self) -> bool:
        """Whether all of it has been queued."""
        return self._written

    @property
    def sounding(self) -> bool:
        """Whether packets have been queued and the last has not left."""
        return self._samples > 0 and not self._over.is_set()

    @property
    def over(self) -> bool:
        """Whether the last packet has left, or it was stopped."""
        return self._over.is_set()

    async def ended(self) -> None:
        """Wait until it is over."""
        await self._over.wait()

    async def play(self, parts: AsyncIterator[PhrasePart]) -> None:
        """
        Queue all ``parts``, and return when the last packet has left or the utterance was stopped.

        Raises:
            SpeechError: The engine failed; what it had made was said to its end.
        """
        failure: VivavoceError | None = None
        try:
            async for part in parts:
                if self._over.is_set():
                    return
                self._timeline.mark(Mark.FIRST_PCM, self._clock.now())
                self._words.extend(WordTime(word.start, word.end, word.source) for word in part.words)
                self._push(self._encoder.push(part.coded))
                if self._ahead > MOST_AHEAD:
                    await self._room()
        except (SpeechError, WorkerDied) as error:
            failure = error
        finally:
            if not self._over.is_set():
                self._conclude()
        await self._over.wait()
        if failure is not None:
            raise failure

    def stop(self) -> None:
        """Queue nothing more; :meth:`play` ends with the next part."""
        self._over.set()

    def words_of(self, frames: Sequence[EncodedFrame]) -> list[WordTime]:
        """The words that begin in these packets, which leave now."""
        if frames[0].pts == self._base:
            self._timeline.mark(Mark.FIRST_FRAME, self._clock.now())
        words: list[WordTime] = []
        if self._words:
            end = (frames[-1].pts + frames[-1].samples - self._base) / self._encoder.wire.rate
            while self._words and self._words[0].start < end:
                words.append(self._words.popleft())
        return words

    def left(self) -> None:
        """The last packet has left."""
        self._timeline.mark(Mark.LAST_FRAME, self._clock.now())
        self._over.set()

    def heard(self, position: int) -> float:
        """Seconds of it that were heard when the playout's heard position is ``position``."""
        return min(max(0, position - self._base), self._samples) / self._encoder.wire.rate

    async def _room(self) -> None:
        """Wait until little is ahead, or it is over."""
        while (excess := self._ahead - LEAST_AHEAD) > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(excess, SHORTEST_WAIT)):
                    await self._over.wait()
                return

    @property
    def _ahead(self) -> float:
        return self._playout.queued_samples / self._playout.rate

    def _conclude(self) -> None:
        """Nothing more will be queued; it is over when what was has left."""
        self._push(self._encoder.flush())
        self._written = True
        if self._samples == 0 or self._playout.closed:
            self._over.set()
        else:
            self._playout.finish()
            self._playout.mark(END)

    def _push(self, frames: Sequence[EncodedFrame]) -> None:
        try:
            self._playout.push(frames, self._clock.now())
        except TransportClosed:
            self._over.set()
            return
        self._samples += sum(frame.samples for frame in frames)
