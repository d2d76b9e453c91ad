"""Loudness and its steadiness, after ITU-R BS.1770-5, and clipping, also of a copy made quieter since."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from tts.voices.gate.sound import HOP_SECONDS, Floats, Mask, Sound, spans
from tts.voices.voice import Span

_BLOCK_SECONDS, _BLOCK_STEP = 0.4, 0.1
"""Gating blocks of BS.1770: 400 ms, three quarters overlapping."""

_SHORT_SECONDS = 1.5
"""Short-term loudness here; EBU Tech 3341 takes 3 s, of which a 6 s clip has too few."""


@dataclass(frozen=True, slots=True)
class Loudness:
    """How loud, and how evenly."""

    integrated_lufs: float
    """Gated, BS.1770-5 annex 1; -70 for silence."""
    spread_lu: float
    """Between the 10th and 95th percentile of the short-term loudness of speech."""
    drift_lu: float
    """Mean loudness of the first third of the speech less that of the last third, unsigned."""


def measure_loudness(sound: Sound) -> Loudness:
    weighted = _k_weighted(sound.samples, sound.rate)
    hop = round(HOP_SECONDS * sound.rate)
    power = np.mean(weighted[: len(weighted) // hop * hop].reshape(-1, hop).astype(np.float64) ** 2, axis=1)
    integrated = _integrated(_means(power, _BLOCK_SECONDS)[:: round(_BLOCK_STEP / HOP_SECONDS)])
    speaking = sound.speaking[: len(power)]
    spoken = power[: len(speaking)][speaking]
    short = _lufs(_means(spoken, _SHORT_SECONDS))
    if len(short) < 2:
        return Loudness(integrated, 0.0, 0.0)
    third = max(1, len(spoken) // 3)
    drift = abs(_lufs(spoken[:third].mean()) - _lufs(spoken[-third:].mean()))
    return Loudness(integrated, float(np.percentile(short, 95) - np.percentile(short, 10)), float(drift))


def _k_weighted(samples: Floats, rate: int) -> Floats:
    """The two biquads of BS.1770-5 annex 1, designed for any rate from their analogue prototypes."""
    centre, gain, q = 1681.974450955533, 10 ** (3.999843853973347 / 20), 0.7071752369554196
    k = np.tan(np.pi * min(centre, 0.45 * rate) / rate)
    middle = gain**0.4996667741545416
    scale = 1 + k / q + k * k
    shelf = (
        np.array([gain + middle * k / q + k * k, 2 * (k * k - gain), gain - middle * k / q + k * k]) / scale
    )
    samples = lfilter(shelf, [1, 2 * (k * k - 1) / scale, (1 - k / q + k * k) / scale], samples)
    centre, q = 38.13547087602444, 0.5003270373238773
    k = np.tan(np.pi * centre / rate)
    scale = 1 + k / q + k * k
    out = lfilter([1, -2, 1], [1, 2 * (k * k - 1) / scale, (1 - k / q + k * k) / scale], samples)
    return np.asarray(out, np.float32)


def _integrated(blocks: Floats) -> float:
    """Absolute gate at -70 LUFS, then relative gate 10 LU below the mean of what passed."""
    loud = blocks[_lufs(blocks) > -70]
    if not len(loud):
        return -70.0
    kept = loud[_lufs(loud) > _lufs(loud.mean()) - 10]
    return float(_lufs(kept.mean()))


def _means(power: Floats, seconds: float) -> Floats:
    """Moving average, only where the window is full; the plain mean of anything shorter."""
    width = round(seconds / HOP_SECONDS)
    if len(power) < width:
        return np.asarray([power.mean()] if len(power) else [], np.float64)
    total = np.cumsum(np.concatenate([[0.0], power]))
    return np.asarray((total[width:] - total[:-width]) / width, np.float64)


def _lufs(power: Floats) -> Floats:
    return np.asarray(-0.691 + 10 * np.log10(power + 1e-12))


@dataclass(frozen=True, slots=True)
class Clipping:
    """Signs that the tops of the wave were cut off, at whatever level they stand now."""

    peak_dbfs: float
    ratio: float
    """Share of all samples that lie in flat tops of three or more."""
    runs: int
    """How many flat tops."""
    crowding: float
    """Share of loud 5 ms blocks whose peak is within 15 % of the highest: tops pile up under a ceiling, also
    a soft one, also after a codec has bent the flat tops."""
    spans: tuple[Span, ...]


def measure_clipping(sound: Sound) -> Clipping:
    samples = sound.raw
    peak = sound.peak
    flat = _flat_tops(samples, 1) | _flat_tops(samples, -1)
    runs = int(np.count_nonzero(np.diff(flat.astype(np.int8), prepend=0) == 1))
    block = max(1, round(0.005 * sound.rate))
    tops = np.abs(samples[: len(samples) // block * block]).reshape(-1, block).max(axis=1, initial=0.0)
    highest = float(np.percentile(tops, 99.9)) if len(tops) else 0.0
    loud = tops > 0.25 * highest
    crowding = float(np.mean(tops[loud] > 0.85 * highest)) if highest > 0 and loud.any() else 0.0
    hop = round(HOP_SECONDS * sound.rate)
    frames = np.asarray(flat[: len(flat) // hop * hop].reshape(-1, hop).any(axis=1), np.bool_)
    return Clipping(
        peak_dbfs=float(20 * np.log10(peak + 1e-7)),
        ratio=float(np.mean(flat)) if len(flat) else 0.0,
        runs=runs,
        crowding=crowding,
        spans=spans(frames)[:50],
    )


def _flat_tops(samples: Floats, sign: int) -> Mask:
    """Samples in runs of three or more within 0.1 % of the extreme on one side."""
    side = samples * np.float32(sign)
    top = float(side.max(initial=0.0))
    if top < 1e-3:
        return np.zeros(len(samples), np.bool_)
    near = side >= top * 0.999
    edges = np.flatnonzero(np.diff(np.concatenate([[False], near, [False]]).astype(np.int8)))
    starts, ends = edges[::2], edges[1::2]
    flat = np.zeros(len(samples), np.bool_)
    for start, end in zip(starts, ends, strict=True):
        if end - start >= 3:
            flat[start:end] = True
    return flat
