"""Traces of a lossy codec in the signal itself, whatever container it arrived in."""

from __future__ import annotations

import numpy as np

from tts.voices.gate.bandwidth import Bandwidth
from tts.voices.gate.sound import Sound

_LOWEST_HZ = 3_000.0
"""Codecs throw away detail from here up first."""

_HOLE_DB = 30.0
"""A cell this far below the mean of the bins beside it (200 Hz on each side) was set to zero, not heard."""

_CLIFF_DB = 40.0
"""Fall over 1 kHz that no microphone makes, but the low-pass of an encoder does."""


def measure_codec_artifacts(sound: Sound, bandwidth: Bandwidth) -> float:
    """
    Between 0 (none seen) and 1: the larger of two signs.

    *Holes*: the share of time-frequency cells between 3 kHz and the voice's upper limit that stand 30 dB
    below their neighbours, where natural sound fills every cell. *Cliff*: the steepest fall of the spectrum
    below the file's own limit, 40 dB and more reading 0.5 and up.
    """
    top = min(bandwidth.effective_hz, 0.45 * sound.rate)
    if top < _LOWEST_HZ + 2_000 or not sound.active.any():
        return 0.0
    first, last = int(_LOWEST_HZ / sound.bin_hz), int((top - 500) / sound.bin_hz)
    level = 10 * np.log10(sound.spectrogram[sound.active][:, : last + 1] + 1e-16)
    reach = max(2, round(200 / sound.bin_hz))
    total = np.cumsum(np.pad(level, ((0, 0), (reach + 1, reach)), mode="edge"), axis=1)
    around = (total[:, 2 * reach + 1 :] - total[:, : -2 * reach - 1]) / (2 * reach + 1)
    holes = float(np.mean((around - level)[:, first:] > _HOLE_DB))
    cliff = bandwidth.cliff_db if bandwidth.effective_hz < 0.45 * sound.rate else 0.0
    return float(
        np.clip(max(20 * holes, 0.5 + (cliff - _CLIFF_DB) / 80 if cliff >= _CLIFF_DB else 0.0), 0, 1)
    )
