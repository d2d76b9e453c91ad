"""How much of the voice is breath: aperiodicity in five bands."""

from __future__ import annotations

import numpy as np
from scipy.signal import butter, sosfiltfilt

from tts.engines.clone.score import HOP, Floats
from tts.engines.clone.spectrum import BREATH_BANDS, BREATH_EDGES

_WINDOW = 0.020
_BATCH = 500


def aperiodicity(samples: Floats, f0: Floats, rate: int) -> Floats:
    """
    Share of amplitude that does not repeat after one period, 0 to 1, shape ``(len(f0), BREATH_BANDS)``.

    The lowest band is compared with its own echo one period later; in the bands above, where a period is too
    short a step for the samples to agree, their envelopes are. Unvoiced frames are 1. Bands above
    ``rate / 2`` repeat the highest band there is.
    """
    frames = len(f0)
    centres = np.round(np.arange(frames) * HOP * rate).astype(int)
    voiced = f0 > 0
    period = np.where(voiced, rate / np.maximum(f0, 1), 1).astype(np.float64)
    reach, longest = int(_WINDOW * rate), rate // 55
    out = np.ones((frames, BREATH_BANDS), np.float32)
    for band, (low, high) in enumerate(zip(BREATH_EDGES[:-1], BREATH_EDGES[1:], strict=True)):
        if low >= rate / 2 - 200:
            out[:, band] = out[:, band - 1]
            continue
        if high < rate / 2 * 0.98:
            filtered = butter(4, [max(low, 50), high], "band", fs=rate, output="sos")
        else:
            filtered = butter(4, max(low, 50), "high", fs=rate, output="sos")
        signal = sosfiltfilt(filtered, samples)
        if band:
            signal = np.abs(signal)
            signal -= np.convolve(signal, np.ones(reach) / reach, "same")
        padded = np.pad(signal, (reach, reach + longest + 2)).astype(np.float32)
        offsets = np.arange(-reach // 2, reach // 2)
        rows = np.flatnonzero(voiced)
        for begin in range(0, len(rows), _BATCH):
            part = rows[begin : begin + _BATCH]
            at = np.minimum(centres[part] + reach, len(padded) - reach - longest - 2)
            here = padded[at[:, None] + offsets]
            agreement = np.zeros(len(part))
            for nudge in (-1, 0, 1):
                later = at + np.round(period[part]).astype(int) + nudge
                there = padded[np.minimum(later, len(padded) - reach)[:, None] + offsets]
                norm = np.sqrt((here**2).sum(1) * (there**2).sum(1)) + 1e-9
                agreement = np.maximum(agreement, (here * there).sum(1) / norm)
            out[part, band] = 1 - np.clip(agreement, 0, 1)
    return out
