"""How a telephone line's samples become bytes: G.711, or linear PCM with the low byte first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from runtime.media.frame import Pcm
from runtime.media.g711 import (
    ALAW_SILENCE,
    G711_RATE,
    MULAW_SILENCE,
    decode_alaw,
    decode_mulaw,
    encode_alaw,
    encode_mulaw,
)


@dataclass(frozen=True, slots=True)
class LineCodec:
    """One way to carry a line; equal names, equal bytes."""

    name: str
    """``pcmu/8000``, ``l16/16000``."""
    rate: int
    """Hz."""
    silence: bytes
    """One sample of it."""
    encode: Callable[[Pcm], bytes] = field(compare=False)
    decode: Callable[[bytes], Pcm] = field(compare=False)
    """Takes whole samples."""

    @property
    def sample_bytes(self) -> int:
        return len(self.silence)


def line_codec(coding: str, rate: int) -> LineCodec:
    """
    Args:
        coding: ``pcmu``, ``pcma`` or ``l16``.
        rate: Hz; 8000 for the first two.

    Raises:
        ValueError: There is no such codec, or not at this rate.
    """
    if coding == "l16" and rate > 0:
        return LineCodec(f"l16/{rate}", rate, b"\0\0", encode_l16, decode_l16)
    if coding not in _G711 or rate != G711_RATE:
        raise ValueError(f"no telephone line carries {coding!r} at {rate} Hz")
    return _G711[coding]


def encode_l16(samples: Pcm) -> bytes:
    """PCM, shape ``(n,)``, as ``2 n`` bytes, the low byte of each sample first."""
    return samples.astype("<i2", copy=False).tobytes()


def decode_l16(payload: bytes) -> Pcm:
    """
    The samples, shape ``(len(payload) / 2,)``.

    Raises:
        ValueError: An odd number of bytes.
    """
    return np.frombuffer(payload, "<i2").astype(np.int16, copy=False)


_G711 = {
    "pcmu": LineCodec("pcmu/8000", G711_RATE, MULAW_SILENCE, encode_mulaw, decode_mulaw),
    "pcma": LineCodec("pcma/8000", G711_RATE, ALAW_SILENCE, encode_alaw, decode_alaw),
}
