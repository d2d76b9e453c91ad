"""Cut an utterance into tenths of a second, for wires on which any length of audio is a message."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.media.frame import EncodedFrame
from tts.phrases import WireFormat

FIRST = 0.04
"""Seconds in the first block, so that the reply starts early."""

BLOCK = 0.1
"""Seconds in the others: few enough messages, and a barge-in cuts within one."""


class BlockEncoder:
    """
    One utterance, from coded audio to blocks without headers.

    The last block is as short as it happens to be; nothing is padded.

    Args:
        wire: How the audio is coded.
        sample_bytes: Of one coded sample.
        position: Of the utterance's first sample on the outgoing stream.
    """

    ptime = BLOCK

    def __init__(self, wire: WireFormat, *, sample_bytes: int, position: int) -> None:
        self.wire = wire
        self._sample_bytes = sample_bytes
        self._position = position
        self._size = round(FIRST * wire.rate) * sample_bytes
        self._rest = b""

    def push(self, coded: bytes) -> Sequence[EncodedFrame]:
        """Take coded audio of any length, and return the packets it completes."""
        waiting = self._rest + coded
        frames = []
        start = 0
        while len(waiting) - start >= self._size:
            frames.append(self._frame(waiting[start : start + self._size]))
            start += self._size
            self._size = round(BLOCK * self.wire.rate) * self._sample_bytes
        self._rest = waiting[start:]
        return frames

    def flush(self) -> Sequence[EncodedFrame]:
        """The last packet; empty where nothing is left."""
        rest, self._rest = self._rest, b""
        return [self._frame(rest)] if rest else []

    def _frame(self, coded: bytes) -> EncodedFrame:
        samples = len(coded) // self._sample_bytes
        frame = EncodedFrame(coded, self._position, samples)
        self._position += samples
        return frame
