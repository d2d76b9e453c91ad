"""Encode an utterance in tenths of a second, for wires on which any length of audio is a message."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from runtime.media.frame import EncodedFrame, Pcm

FIRST = 0.04
"""Seconds in the first block, so that the reply starts early."""

BLOCK = 0.1
"""Seconds in the others: few enough messages, and a barge-in cuts within one."""


class BlockEncoder:
    """
    One utterance, from PCM to blocks of the peer's codec, without headers.

    The last block is as short as it happens to be; nothing is padded.

    Args:
        code: The codec, sample by sample: it may keep no state.
        rate: Hz.
        position: Of the utterance's first sample on the outgoing stream.
    """

    ptime = BLOCK

    def __init__(self, code: Callable[[Pcm], bytes], *, rate: int, position: int) -> None:
        self.rate = rate
        self._code = code
        self._position = position
        self._size = round(FIRST * rate)
        self._rest: Pcm = np.zeros(0, np.int16)

    def push(self, samples: Pcm) -> Sequence[EncodedFrame]:
        """Take a block of any length, and return the packets it completes."""
        waiting = np.concatenate((self._rest, samples)) if len(self._rest) else samples
        frames = []
        start = 0
        while len(waiting) - start >= self._size:
            frames.append(self._frame(waiting[start : start + self._size]))
            start += self._size
            self._size = round(BLOCK * self.rate)
        self._rest = waiting[start:]
        return frames

    def flush(self) -> Sequence[EncodedFrame]:
        """The last packet; empty where nothing is left."""
        rest, self._rest = self._rest, self._rest[:0]
        return [self._frame(rest)] if len(rest) else []

    def _frame(self, samples: Pcm) -> EncodedFrame:
        frame = EncodedFrame(self._code(samples), self._position, len(samples))
        self._position += len(samples)
        return frame
