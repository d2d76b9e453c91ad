"""G.711, the codec of every 8 kHz telephone line: one byte a sample, mu-law (PCMU) or A-law (PCMA)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from runtime.media.frame import Pcm

G711_RATE = 8_000
"""Hz. G.711 has no other."""

MULAW_SILENCE = b"\xff"
"""Code of the smallest positive value, which decodes to 0."""

ALAW_SILENCE = b"\xd5"
"""Code of the smallest positive value, which decodes to +8; A-law has no zero."""

_BIAS = 0x84
"""33 at the 14 bits of the standard, scaled to 16."""


def _expand_mulaw() -> Pcm:
    """ITU-T G.711, tables 2a and 2b: sign, three bits of segment, four of interval, all inverted."""
    code = ~np.arange(256, dtype=np.uint8)
    exponent = (code >> 4) & 0x07
    interval = (code & 0x0F).astype(np.int32)
    magnitude = (((interval << 3) + _BIAS) << exponent) - _BIAS
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _expand_alaw() -> Pcm:
    """ITU-T G.711, tables 1a and 1b: as mu-law without the bias, and only the even bits inverted."""
    code = np.arange(256, dtype=np.uint8) ^ 0x55
    exponent = ((code >> 4) & 0x07).astype(np.int32)
    interval = (code & 0x0F).astype(np.int32)
    linear = (interval << 4) + 8
    magnitude = np.where(exponent == 0, linear, (linear + 0x100) << np.maximum(exponent - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


def _segment(magnitude: NDArray[np.int32], *, lowest_bit: int) -> NDArray[np.int32]:
    """Number of the segment, 0 to 7: the place of the highest set bit above ``lowest_bit``."""
    bounds = [1 << (lowest_bit + 1 + k) for k in range(7)]
    return np.searchsorted(bounds, magnitude, side="right").astype(np.int32)


def _compress_mulaw() -> NDArray[np.uint8]:
    """Codes of all samples, indexed by the sample read as unsigned. Magnitudes beyond 32 635 clip."""
    sample = np.arange(65_536, dtype=np.uint16).view(np.int16).astype(np.int32)
    magnitude = np.minimum(np.abs(sample), 32_635) + _BIAS
    exponent = _segment(magnitude, lowest_bit=7)
    interval = (magnitude >> (exponent + 3)) & 0x0F
    sign = np.where(sample < 0, 0x80, 0)
    codes: NDArray[np.uint8] = (~(sign | (exponent << 4) | interval)).astype(np.uint8)
    return codes


def _compress_alaw() -> NDArray[np.uint8]:
    """
    Codes of all samples, indexed by the sample read as unsigned.

    The standard works on 13 bits in one's complement: a negative sample loses one before its magnitude is
    taken, so that -1 and 0 are neighbours in the table, not equals.
    """
    sample = np.arange(65_536, dtype=np.uint16).view(np.int16).astype(np.int32)
    magnitude = np.where(sample < 0, -sample - 1, sample)
    exponent = _segment(magnitude, lowest_bit=7)
    interval = (magnitude >> np.maximum(exponent + 3, 4)) & 0x0F
    sign = np.where(sample < 0, 0, 0x80)
    codes: NDArray[np.uint8] = ((sign | (exponent << 4) | interval) ^ 0x55).astype(np.uint8)
    return codes


_MULAW_TO_PCM = _expand_mulaw()
_ALAW_TO_PCM = _expand_alaw()
_PCM_TO_MULAW = _compress_mulaw()
_PCM_TO_ALAW = _compress_alaw()


def decode_mulaw(payload: bytes) -> Pcm:
    """
    Expand mu-law bytes to linear PCM.

    Args:
        payload: One byte per sample, as carried in RTP payload type 0 (PCMU).

    Returns:
        Samples, shape ``(len(payload),)``, full scale ±32124.

    Source: ITU-T G.711, tables 2a and 2b.
    """
    return _MULAW_TO_PCM.take(np.frombuffer(payload, np.uint8))


def decode_alaw(payload: bytes) -> Pcm:
    """
    Expand A-law bytes to linear PCM.

    Args:
        payload: One byte per sample, as carried in RTP payload type 8 (PCMA).

    Returns:
        Samples, shape ``(len(payload),)``, full scale ±32256.

    Source: ITU-T G.711, tables 1a and 1b.
    """
    return _ALAW_TO_PCM.take(np.frombuffer(payload, np.uint8))


def encode_mulaw(samples: Pcm) -> bytes:
    """Compress PCM, shape ``(n,)``, to ``n`` bytes of mu-law: each sample to the interval that holds it."""
    return _PCM_TO_MULAW.take(samples.view(np.uint16)).tobytes()


def encode_alaw(samples: Pcm) -> bytes:
    """Compress PCM, shape ``(n,)``, to ``n`` bytes of A-law: each sample to the interval that holds it."""
    return _PCM_TO_ALAW.take(samples.view(np.uint16)).tobytes()
