"""F0 of a recording: normalised autocorrelation, and the cheapest path through its peaks."""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft

from tts.engines.clone.score import HOP, Floats

_RATE = 8_000
_WINDOW = 0.025
"""Seconds correlated with their echo one period later."""
_CANDIDATES = 4
_UNVOICED = 0.45
"""Correlation below which a frame is likelier unvoiced."""
_JUMP = 1.2
"""Cost of a step of one in log F0 between frames."""
_SWITCH = 0.12
"""Cost of going from voiced to unvoiced or back."""


def track(samples: Floats, rate: int, *, floor: float = 60.0, ceiling: float = 500.0) -> Floats:
    """
    F0 in Hz every 5 ms, 0 where unvoiced; shape ``(len(samples) / rate / HOP + 1,)``.

    A second pass looks only within an octave of the first pass's median, which settles octave errors.
    """
    narrow = soxr.resample(samples, rate, _RATE) if rate != _RATE else samples
    frames = int(len(samples) / rate / HOP) + 1
    f0 = _pass(narrow, frames, floor, ceiling)
    voiced = f0[f0 > 0]
    if len(voiced) < 20:
        return f0
    median = float(np.median(voiced))
    return _pass(narrow, frames, max(floor, median * 0.55), min(ceiling, median * 1.9))


def _pass(samples: Floats, frames: int, floor: float, ceiling: float) -> Floats:
    window, longest, shortest = int(_RATE * _WINDOW), int(_RATE / floor) + 2, int(_RATE / ceiling)
    span = window + longest
    padded = np.pad(samples, (span // 2, 2 * span)).astype(np.float32)
    starts = np.minimum(np.round(np.arange(frames) * HOP * _RATE).astype(int), len(padded) - span)
    views = np.lib.stride_tricks.sliding_window_view(padded, span)[starts]
    energy = np.cumsum(np.pad(views.astype(np.float64) ** 2, ((0, 0), (1, 0))), axis=1)
    own, echoed = energy[:, window : window + 1], energy[:, window : window + longest] - energy[:, :longest]
    size = next_fast_len(span + window)
    product = np.conj(rfft(views[:, :window], size)) * rfft(views, size)
    correlation = 2 * irfft(product, size)[:, :longest] / (own + echoed + 1e-7)

    inner = correlation[:, shortest : longest - 1]
    before, after = correlation[:, shortest - 1 : longest - 2], correlation[:, shortest + 1 : longest]
    shorter_first = 1.5e-4 * np.arange(inner.shape[1])
    strength = np.where((inner >= before) & (inner > after), inner - shorter_first, -1.0)
    best = np.argpartition(-strength, _CANDIDATES, axis=1)[:, :_CANDIDATES]
    strength = np.take_along_axis(strength, best, 1)
    left, middle, right = (np.take_along_axis(part, best, 1) for part in (before, inner, after))
    curve = left - 2 * middle + right
    shift = np.where(np.abs(curve) > 1e-9, 0.5 * (left - right) / np.where(curve == 0, 1, curve), 0)
    shift = np.clip(shift, -0.5, 0.5)
    f0 = _RATE / (best + shortest + shift)
    strength -= (
        0.25 * (left - right) * shift
    )  # the height between samples: else short periods lose to their doubles

    level = np.sqrt(own[:, 0] / window)
    audible = level > 0.01 * np.percentile(level, 95)
    voiced = np.where(strength > -0.5, strength, -2.0) - (~audible)[:, None]
    return _cheapest(voiced, np.log(f0))


def _cheapest(strength: NDArray[np.float64], log_f0: NDArray[np.float64]) -> Floats:
    """Viterbi over the candidates of each frame and "unvoiced"."""
    frames, count = strength.shape
    scores = np.concatenate([strength, np.full((frames, 1), _UNVOICED)], axis=1)
    steps = np.minimum(np.abs(log_f0[:-1, :, None] - log_f0[1:, None, :]), 1.0)
    moves = np.zeros((max(0, frames - 1), count + 1, count + 1))
    moves[:, :count, :count] = -_JUMP * steps
    moves[:, count, :count] = moves[:, :count, count] = -_SWITCH
    back = np.zeros((frames, count + 1), np.intp)
    total = scores[0]
    for frame in range(1, frames):
        arriving = total[:, None] + moves[frame - 1]
        back[frame] = arriving.argmax(0)
        total = arriving.max(0) + scores[frame]
    state = int(total.argmax())
    f0 = np.zeros(frames, np.float32)
    for frame in range(frames - 1, -1, -1):
        if state < count:
            f0[frame] = np.exp(log_f0[frame, state])
        state = back[frame, state]
    return f0
