"""Mel cepstra: the shape of the spectrum without its level and without its harmonics."""

from __future__ import annotations

import numpy as np
from scipy.fft import dct

from runtime.media.frame import LISTENING_RATE
from tts.voices.gate.sound import HOP_SECONDS, Floats

_FILTERS = 25
_BAND_HZ = (130.0, 6_800.0)
_WIDTH, _TRANSFORM = 410, 512
"""Samples at 16 kHz: 26 ms seen through 512 points."""


def mel_cepstra(heard: Floats, *, frames: int, count: int) -> Floats:
    """
    Cepstra 1 to ``count`` of each 10 ms frame; the zeroth, which is level, is left out.

    Args:
        heard: Mono at 16 kHz.
        frames: How many to make, from the first sample on.

    Returns:
        Shape ``(frames, count)``.
    """
    sound = np.append(heard[:1], heard[1:] - 0.97 * heard[:-1])
    hop = round(HOP_SECONDS * LISTENING_RATE)
    padded = np.pad(sound, (_WIDTH // 2, _WIDTH + hop))
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WIDTH)[::hop]
    power = np.abs(np.fft.rfft(windows[:frames] * np.hamming(_WIDTH), _TRANSFORM, axis=1)) ** 2
    bands = np.log(power @ _mel_filters() + 1e-11)
    return np.asarray(dct(bands, type=2, norm="ortho", axis=1)[:, 1 : count + 1], np.float32)


def _mel_filters() -> Floats:
    """Triangles of equal area on the mel scale of O'Shaughnessy (1987), shape ``(257, filters)``."""
    low, high = (2_595 * np.log10(1 + hz / 700) for hz in _BAND_HZ)
    corners = 700 * (10 ** (np.linspace(low, high, _FILTERS + 2) / 2_595) - 1)
    hz = np.arange(_TRANSFORM // 2 + 1)[:, None] * (LISTENING_RATE / _TRANSFORM)
    rising = (hz - corners[:-2]) / (corners[1:-1] - corners[:-2])
    falling = (corners[2:] - hz) / (corners[2:] - corners[1:-1])
    return np.asarray(
        np.clip(np.minimum(rising, falling), 0, 1) * 2 / (corners[2:] - corners[:-2]), np.float32
    )
