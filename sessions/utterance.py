"""One message being said: its words, its packets, and when each sounds."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from runtime.clock import Clock
from runtime.errors import TransportClosed
from runtime.media.frame import EncodedFrame
from runtime.media.resample import StreamResampler
from runtime.media.scheduler import Playout
from runtime.wire.conversation import WordTime
from sessions.peers.peer import FrameEncoder, ReplyOrder
from sessions.timeline import Mark, Timeline
from tts.engine import PcmBlock
from tts.stream import SpeechStream

END = "end"
"""Name of the mark behind the last packet."""


class Utterance:
    """
    Text goes in while it is being written; :meth:`play` puts it on the playout. Made by ``Speaker.begin``.

    Audio is resampled and encoded block by block as the engine makes it, once; from then on only the
    schedule touches it.
    """

    def __init__(
        self,
        order: ReplyOrder,
        stream: SpeechStream,
        playout: Playout,
        encoder: FrameEncoder,
        timeline: Timeline,
        clock: Clock,
    ) -> None:
        self.order = order
        self._stream = stream
        self._playout = playout
        self._encoder = encoder
        self._resampler = StreamResampler(stream.rate, encoder.rate)
        self._timeline = timeline
        self._clock = clock
        self._base = playout.pushed_samples
        self._samples = 0
        # Words that no packet has carried yet.
        self._words: deque[WordTime] = deque()
        self._over = asyncio.Event()

    @property
    def sounding(self) -> bool:
        """Whether packets have been queued and the last has not left."""
        return self._samples > 0 and not self._over.is_set()

    @property
    def seconds(self) -> float:
        """Audio queued so far, left or not."""
        return self._samples / self._encoder.rate

    @property
    def over(self) -> bool:
        """Whether the last packet has left, or it was stopped."""
        return self._over.is_set()

    async def ended(self) -> None:
        """Wait until it is over."""
        await self._over.wait()

    def say(self, words: str) -> None:
        """Add text; any split of it sounds the same."""
        self._stream.push(words)

    def finish(self) -> None:
        """No more text will come."""
        self._stream.finish()

    def cancel(self) -> None:
        """Make no more audio; :meth:`play` ends."""
        self._stream.cancel()
        self._over.set()

    async def play(self) -> None:
        """
        Queue everything, and return when the last packet has left or the utterance was stopped.

        Raises:
            SpeechError: The engine failed; what was queued will still be heard.
        """
        try:
            async for block in self._stream:
                if self._over.is_set():
                    return
                self._queue(block)
        finally:
            if not self._over.is_set():
                self._push((*self._encoder.push(self._resampler.flush()), *self._encoder.flush()))
                self._playout.finish()
        if self._samples == 0 or self._over.is_set():
            self._over.set()
            return
        self._playout.mark(END)
        await self._over.wait()

    def words_of(self, frames: Sequence[EncodedFrame]) -> list[WordTime]:
        """The words that begin in these packets, which leave now."""
        end = (frames[-1].pts + frames[-1].samples - self._base) / self._encoder.rate
        self._timeline.mark(Mark.FIRST_FRAME, self._clock.now())
        words = []
        while self._words and self._words[0].start < end:
            words.append(self._words.popleft())
        return words

    def left(self) -> None:
        """The last packet has left."""
        self._timeline.mark(Mark.LAST_FRAME, self._clock.now())
        self._over.set()

    def heard(self, position: int) -> float:
        """Seconds of it that were heard when the playout's heard position is ``position``."""
        return min(max(0, position - self._base), self._samples) / self._encoder.rate

    def _queue(self, block: PcmBlock) -> None:
        self._timeline.mark(Mark.FIRST_PCM, self._clock.now())
        self._words.extend(WordTime(word.start, word.end, word.source) for word in block.words)
        self._push(self._encoder.push(self._resampler.push(block.samples)))

    def _push(self, frames: Sequence[EncodedFrame]) -> None:
        try:
            self._playout.push(frames, self._clock.now())
        except TransportClosed:
            self.cancel()
            return
        self._samples += sum(frame.samples for frame in frames)
