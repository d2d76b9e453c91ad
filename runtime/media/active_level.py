"""How loud somebody speaks: the active speech level of ITU-T P.56, in which pauses do not count."""

from __future__ import annotations

import math

import numpy as np
from scipy.signal import lfilter

from runtime.media.frame import Pcm
from runtime.media.level import FULL_SCALE

TIME_CONSTANT = 0.03
"""Seconds, of both smoothings of the envelope. P.56, method B, as are all below."""

HANGOVER = 0.2
"""Seconds for which a level still counts as exceeded."""

MARGIN_DB = 15.9
"""How far the threshold of activity lies below the level that is found."""

_THRESHOLDS = 2.0 ** np.arange(-15.0, 0.0)
"""Of full scale."""


def active_level(samples: Pcm, rate: int) -> float | None:
    """
    The level of the parts in which somebody speaks, in dBov (a full-scale square wave is 0).

    None where nobody does.
    """
    wide = samples.astype(np.float64) / FULL_SCALE
    power = float(np.dot(wide, wide))
    if power == 0.0:
        return None
    decay = math.exp(-1.0 / (rate * TIME_CONSTANT))
    once = lfilter([1 - decay], [1, -decay], np.abs(wide))
    envelope = lfilter([1 - decay], [1, -decay], once)
    hang = round(HANGOVER * rate)
    found: list[tuple[float, float]] = []
    for threshold in _THRESHOLDS:
        active = _active_samples(envelope >= threshold, hang)
        if not active:
            break
        level = 10.0 * math.log10(power / active)
        found.append((level, level - 20.0 * math.log10(threshold) - MARGIN_DB))
    return _where_it_meets(found)


def _active_samples(above: np.ndarray, hang: int) -> int:
    """Samples at most ``hang`` after one that was above."""
    places = np.flatnonzero(above)
    if not len(places):
        return 0
    gaps = np.minimum(np.diff(places), hang + 1)
    return int(gaps.sum()) + min(hang, len(above) - int(places[-1]) - 1) + 1


def _where_it_meets(found: list[tuple[float, float]]) -> float | None:
    """Between two thresholds the level is interpolated to where it lies the margin above."""
    for (level, excess), (next_level, next_excess) in zip(found, found[1:], strict=False):
        if excess >= 0.0 > next_excess:
            share = excess / (excess - next_excess)
            return level + share * (next_level - level)
    return found[-1][0] if found else None
