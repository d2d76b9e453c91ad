"""Spectral envelope of a recording, free of its harmonics."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, rfft

from tts.engines.clone.score import HOP, Floats

_LOWEST = 71.0
"""Hz; the longest window is three periods of this."""
_UNVOICED_F0 = 200.0
_RECOVERY = -0.15
"""q1 of the liftering that undoes the smoothing (Morise 2015)."""
_BATCH = 400


def envelope(samples: Floats, f0: Floats, rate: int, size: int) -> Floats:
    """
    Natural log *amplitude* every 5 ms, shape ``(len(f0), size // 2 + 1)``.

    A window of three periods makes the power constant over time; a rectangle of two thirds of F0 takes the
    harmonics out; liftering restores what the rectangle blurred.

    Source: M. Morise, *CheapTrick, a spectral envelope estimator for high-quality speech synthesis*, Speech
    Communication 67, 2015.
    """
    reach = int(np.ceil(1.5 * rate / _LOWEST)) + 1
    padded = np.pad(samples.astype(np.float64), reach + 2)
    pitch = np.where(f0 > 0, f0, _UNVOICED_F0).clip(_LOWEST, 800).astype(np.float64)
    out = np.empty((len(f0), size // 2 + 1), np.float32)
    for begin in range(0, len(f0), _BATCH):
        part = slice(begin, min(len(f0), begin + _BATCH))
        power = _power(padded, pitch[part], part, rate, size, reach)
        out[part] = 0.5 * _without_harmonics(power, pitch[part], rate, size)
    return out


def _power(
    padded: NDArray[np.float64], pitch: NDArray[np.float64], part: slice, rate: int, size: int, reach: int
) -> NDArray[np.float64]:
    half = 1.5 * rate / pitch[:, None]
    width = min(reach, int(np.ceil(half.max())), size // 2 - 1)
    offsets = np.arange(-width, width + 1)
    centres = np.round(np.arange(part.start, part.stop) * HOP * rate).astype(int) + reach + 2
    centres = np.minimum(centres, len(padded) - width - 1)
    window = np.where(np.abs(offsets) <= half, 0.5 + 0.5 * np.cos(np.pi * offsets / half), 0)
    window /= np.sqrt((window**2).sum(1, keepdims=True))
    pieces = padded[centres[:, None] + offsets] * window
    pieces -= window * (pieces.sum(1, keepdims=True) / window.sum(1, keepdims=True))
    power: NDArray[np.float64] = np.abs(rfft(pieces, size)) ** 2 + 1e-10
    return _fill_below_pitch(power, pitch, rate / size)


def _fill_below_pitch(
    power: NDArray[np.float64], pitch: NDArray[np.float64], spacing: float
) -> NDArray[np.float64]:
    """Below F0 there is no harmonic to see: reflect what is above it."""
    bins = np.arange(int(np.ceil(pitch.max() / spacing)) + 1)
    mirrored = pitch[:, None] / spacing - bins
    lower = np.clip(np.floor(mirrored).astype(int), 0, power.shape[1] - 2)
    share = np.clip(mirrored - lower, 0, 1)
    reflection = (
        np.take_along_axis(power, lower, 1) * (1 - share) + np.take_along_axis(power, lower + 1, 1) * share
    )
    power[:, : len(bins)] += np.where(mirrored > 0, reflection, 0)
    return power


def _without_harmonics(
    power: NDArray[np.float64], pitch: NDArray[np.float64], rate: int, size: int
) -> NDArray[np.float64]:
    bins = size // 2 + 1
    mirrored = np.concatenate([power[:, 1:][:, ::-1], power, power[:, :-1][:, ::-1]], axis=1)
    total = np.cumsum(mirrored, axis=1)
    half = (pitch / 3 * size / rate)[:, None]
    centre = np.arange(bins) + bins - 1

    def up_to(position: NDArray[np.float64]) -> NDArray[np.float64]:
        below = np.clip(np.floor(position).astype(int), 0, total.shape[1] - 2)
        share = position - below
        blend: NDArray[np.float64] = (
            np.take_along_axis(total, below, 1) * (1 - share)
            + np.take_along_axis(total, below + 1, 1) * share
        )
        return blend

    smooth = (up_to(centre + half) - up_to(centre - half - 1)) / (2 * half + 1)
    cepstrum = irfft(np.log(np.maximum(smooth, 1e-12)), size)[:, :bins]
    quefrency = pitch[:, None] * np.arange(bins) / rate
    lifter = np.sinc(quefrency) * ((1 - 2 * _RECOVERY) + 2 * _RECOVERY * np.cos(2 * np.pi * quefrency))
    lifter[:, 0] = 1
    cepstrum *= lifter
    recovered: NDArray[np.float64] = rfft(np.concatenate([cepstrum, cepstrum[:, 1:-1][:, ::-1]], axis=1)).real
    return recovered
