"""The agent's voice as Opus packets: coded line by line, so that a phrase is coded once for all calls."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from runtime.media.frame import PTIME, SPEAKING_RATE, EncodedFrame, Pcm
from runtime.media.opus import BIT_RATE, OpusEncoder
from tts.phrases import WireFormat

_LENGTH = struct.Struct(">H")
"""Before each packet. RFC 6716 §3.4 bounds one at 1275 bytes a frame."""


class OpusLine:
    """One line, from PCM at 24 kHz to packets of 20 ms; the last is filled up with silence."""

    def __init__(self) -> None:
        self._opus = OpusEncoder(SPEAKING_RATE)

    def push(self, samples: Pcm) -> tuple[bytes, int]:
        return self._joined(self._opus.push(samples))

    def flush(self) -> tuple[bytes, int]:
        return self._joined(self._opus.flush())

    def _joined(self, packets: Sequence[bytes]) -> tuple[bytes, int]:
        coded = b"".join(_LENGTH.pack(len(packet)) + packet for packet in packets)
        return coded, len(packets) * self._opus.frame_samples


def _not_by_sample(samples: Pcm) -> bytes:
    raise TypeError("Opus codes packets, not samples")


OPUS = WireFormat(f"opus/{SPEAKING_RATE}/{BIT_RATE}", SPEAKING_RATE, _not_by_sample, OpusLine)


class OpusFrames:
    """
    The packets of one utterance. They are coded already; only their places are counted here.

    Args:
        position: Of the utterance's first sample on the outgoing stream.
    """

    wire = OPUS
    ptime = PTIME

    def __init__(self, *, position: int) -> None:
        self._position = position

    def push(self, coded: bytes) -> Sequence[EncodedFrame]:
        """Take the packets of a part of a line."""
        return list(self._frames(coded))

    def flush(self) -> Sequence[EncodedFrame]:
        """Nothing: every line has ended in a whole packet."""
        return ()

    def _frames(self, coded: bytes) -> Iterator[EncodedFrame]:
        samples = round(self.ptime * self.wire.rate)
        at = 0
        while at < len(coded):
            (length,) = _LENGTH.unpack_from(coded, at)
            at += _LENGTH.size
            yield EncodedFrame(coded[at : at + length], self._position, samples)
            at += length
            self._position += samples
