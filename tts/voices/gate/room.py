"""How long the room goes on after the voice has stopped."""

from __future__ import annotations

import numpy as np
from scipy.signal import butter, sosfilt

from runtime.media.frame import LISTENING_RATE
from tts.voices.gate.sound import Sound

_BANDS_HZ = ((250, 500), (500, 1_000), (1_000, 2_000), (2_000, 4_000))
_HOP = LISTENING_RATE // 200
"""5 ms."""
_FALL = 24
"""Frames a decay is followed for: 120 ms."""


def measure_reverberation(sound: Sound) -> float | None:
    """
    Seconds for 60 dB, from the fastest free decays that the speech contains.

    Every syllable ends in a fall of level; the voice itself can fall faster than any room, so the steepest
    falls show the room. Their slope is fitted over 120 ms in four octaves, and the median of the octaves'
    15th percentiles is the answer. Dry speech reads 0.10 to 0.24 s, and not below: the voice is never cut.

    Returns:
        None where fewer than two octaves have five clean decays.
    """
    times = np.arange(_FALL) * _HOP / LISTENING_RATE
    centred = times - times.mean()
    decays = []
    for low, high in _BANDS_HZ:
        band = sosfilt(butter(4, (low, high), "band", fs=LISTENING_RATE, output="sos"), sound.heard)
        power = np.convolve(band**2, np.ones(256) / 256, "valid")[::_HOP]
        level = 10 * np.log10(power + 1e-12)
        if len(level) <= _FALL:
            continue
        floor = np.percentile(level, 3) + 6
        windows = np.lib.stride_tricks.sliding_window_view(level, _FALL)
        windows = windows[(windows[:, 0] >= floor + 20) & (windows[:, -1] >= floor)]
        if not len(windows):
            continue
        spread = windows - windows.mean(axis=1, keepdims=True)
        slope = spread @ centred / np.sum(centred**2)
        fit = slope * np.sqrt(np.sum(centred**2) / (np.sum(spread**2, axis=1) + 1e-9))
        slope = slope[(fit < -0.95) & (slope < -30)]
        if len(slope) >= 5:
            decays.append(-60 / float(np.percentile(slope, 15)))
    return float(np.median(decays)) if len(decays) >= 2 else None
