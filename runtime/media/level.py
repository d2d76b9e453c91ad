"""How loud a block is, and how to begin and end one without a click."""

from __future__ import annotations

import math

import numpy as np

from runtime.media.frame import Pcm

FULL_SCALE = 32_768
SILENCE_DBFS = -96.3
"""One step of 16 bits: what digital silence is reported as."""

FADE_SECONDS = 0.005
"""Long enough to hide the edge of a cut, short enough not to be heard as a fade."""


def rms_dbfs(samples: Pcm) -> float:
    """
    Power of a block in dB relative to full scale.

    A full-scale square wave is 0 dBFS and a full-scale sine -3.01 (the convention of ITU-T G.100.1 for
    dBov). Never below :data:`SILENCE_DBFS`, which is also the answer for an empty block.
    """
    if not len(samples):
        return SILENCE_DBFS
    wide = samples.astype(np.float64)
    power = float(np.dot(wide, wide)) / len(samples) / FULL_SCALE**2
    return max(SILENCE_DBFS, 10.0 * math.log10(power)) if power > 0 else SILENCE_DBFS


def peak_dbfs(samples: Pcm) -> float:
    """Largest magnitude of a block in dB relative to full scale; :data:`SILENCE_DBFS` at the least."""
    if not len(samples):
        return SILENCE_DBFS
    peak = max(abs(int(samples.max())), abs(int(samples.min())))
    return 20.0 * math.log10(peak / FULL_SCALE) if peak else SILENCE_DBFS


def fade_in(samples: Pcm, *, rate: int, seconds: float = FADE_SECONDS) -> Pcm:
    """A copy whose first ``seconds`` rise from silence along half a raised cosine."""
    return _ramped(samples, min(len(samples), round(rate * seconds)), rising=True)


def fade_out(samples: Pcm, *, rate: int, seconds: float = FADE_SECONDS) -> Pcm:
    """A copy whose last ``seconds`` fall to silence along half a raised cosine."""
    return _ramped(samples, min(len(samples), round(rate * seconds)), rising=False)


def _ramped(samples: Pcm, length: int, *, rising: bool) -> Pcm:
    faded = samples.copy()
    if length:
        ramp = 0.5 - 0.5 * np.cos(np.pi * (np.arange(length) + 0.5) / length)
        edge = slice(0, length) if rising else slice(len(samples) - length, None)
        faded[edge] = np.rint(samples[edge] * (ramp if rising else ramp[::-1])).astype(np.int16)
    return faded
