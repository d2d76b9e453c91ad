"""
Two voices at once: two pitches in the same instant.

A voiced frame of one person is periodic, and taking away its own copy one period later leaves little. Of two
people, that leaves the other one, periodic with another period. All strong periods of the frame are tried as
the first, the best remaining one as the second, and the pair that explains most is kept; pairs in a simple
ratio are one voice seen twice. What counts are stretches of 40 ms and more in which both tracks go on evenly:
creaks and onsets of a single voice find a second period now and then, but not the same one twice.

The method is the joint cancellation of de Cheveigné and Kawahara (1999). It finds a tenth of the time that
two people really overlap, and of one person hardly anything: what it reports is evidence, not duration. Of 90
pairs of people at once, each of at least three seconds, it finds 76 % of one sex and 80 % of two; periods are
taken at 16 kHz because half a sample of a high voice at 8 kHz leaves a third of it uncancelled.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft
from scipy.signal import butter, sosfiltfilt

from runtime.media.frame import LISTENING_RATE
from tts.voices.gate.sound import HOP_SECONDS, Floats, Mask, Sound, spans
from tts.voices.voice import Span

Lags = NDArray[np.float64]

_RATE = LISTENING_RATE
_TOP_HZ = 3_500.0
"""Above, harmonics of one voice drift out of step within a frame."""
_WINDOW = 640
"""Samples (40 ms) over which a period must hold."""
_LONGEST, _SHORTEST = _RATE // 80, _RATE // 400
_CANDIDATES = 8

_SECOND = 0.5
"""Normalised autocorrelation of what the first voice leaves."""
_LEFT = 0.1
"""Share of the energy that the first voice must leave."""
_GAIN = 0.6
"""Two unrelated periods must leave at most this share of what the best related pair leaves."""
_STEADY = 0.06
"""Octaves a track may move in 10 ms."""
_LEAST_FRAMES = 4

_SIMPLE = np.log2([1 / 4, 1 / 3, 2 / 5, 1 / 2, 3 / 5, 2 / 3, 3 / 4, 1, 4 / 3, 3 / 2, 5 / 3, 2, 5 / 2, 3, 4])
"""Ratios, in octaves, that multiples of one period have to each other."""


@dataclass(frozen=True, slots=True)
class Overlap:
    seconds: float
    """In which two pitches were told apart."""
    spans: tuple[Span, ...]


def measure_overlap(sound: Sound) -> Overlap:
    """Find stretches of speech with two steady pitches in no simple ratio."""
    frames = np.flatnonzero(sound.speaking)
    if len(frames) < _LEAST_FRAMES:
        return Overlap(0.0, ())
    blocks = _blocks(sound.heard, frames)
    first, second, found = _pairs(blocks)
    loud = np.mean(blocks**2, axis=1)
    found &= loud > 3e-3 * np.percentile(loud, 95)
    steady = _steady(found, np.minimum(first, second), np.maximum(first, second), frames)
    covered = np.zeros(len(sound.speaking), np.bool_)
    covered[frames[steady]] = True
    return Overlap(float(covered.sum() * HOP_SECONDS), spans(covered))


def _blocks(heard: Floats, frames: NDArray[np.int64]) -> Floats:
    """The low band around each frame, shape ``(frames, window + 2 * longest period)``."""
    low = sosfiltfilt(butter(4, _TOP_HZ, fs=_RATE, output="sos"), heard).astype(np.float32)
    span = _WINDOW + 2 * _LONGEST
    padded = np.pad(low, span)
    begin = np.minimum(frames * round(HOP_SECONDS * _RATE) + span // 2, len(padded) - span)
    return np.asarray(padded[begin[:, None] + np.arange(span)], np.float32)


def _pairs(blocks: Floats) -> tuple[Lags, Lags, Mask]:
    """For each frame the two periods that explain it best, and whether they are two voices."""
    count, span = blocks.shape
    rows, lags = np.arange(count), np.arange(_SHORTEST, _LONGEST + 1)
    periodic = _peaks(_autocorrelation(blocks[:, _LONGEST // 2 :]))
    ranked = np.argsort(-periodic, axis=1, kind="stable")[:, :_CANDIDATES]
    energy = 2 * np.sum(blocks[:, _LONGEST:] ** 2, axis=1) + 1e-9
    least = np.full(count, np.inf)
    related_least = np.full(count, np.inf)
    first, second = np.ones(count), np.ones(count)
    remaining, strength = np.zeros(count), np.zeros(count)
    here = np.arange(_LONGEST, span)
    for rank in range(_CANDIDATES):
        lag = ranked[:, rank] + _SHORTEST
        rest = blocks[:, _LONGEST:] - np.take_along_axis(blocks, here - lag[:, None], axis=1)
        left = np.sum(rest**2, axis=1) / energy
        other = _peaks(_autocorrelation(rest))
        octaves = np.log2(lags / lag[:, None])
        related = np.zeros(octaves.shape, np.bool_)
        for ratio in _SIMPLE:
            related |= np.abs(octaves - ratio) < 0.05
        best = np.where(related, -1.0, other)
        partner = best.argmax(axis=1)
        usable = periodic[rows, ranked[:, rank]] > 0
        unexplained = np.where(usable, left * (1 - best[rows, partner]), np.inf)
        better = unexplained < least
        least = np.where(better, unexplained, least)
        first, second = np.where(better, lag, first), np.where(better, lags[partner], second)
        remaining = np.where(better, left, remaining)
        strength = np.where(better, best[rows, partner], strength)
        alone = left * (1 - np.where(related, other, -1.0).max(axis=1))
        related_least = np.minimum(related_least, np.where(usable, alone, np.inf))
    voiced = periodic.max(axis=1) > 0.4
    found = voiced & (strength > _SECOND) & (remaining > _LEFT) & (least < _GAIN * related_least)
    return first, second, np.asarray(found, np.bool_)


def _autocorrelation(blocks: Floats) -> Floats:
    """Normalised, shape ``(frames, periods)`` from the shortest to the longest."""
    size = next_fast_len(blocks.shape[1] + _WINDOW)
    cross = irfft(np.conj(rfft(blocks[:, :_WINDOW], size)) * rfft(blocks, size), size)[:, : _LONGEST + 1]
    energy = np.cumsum(np.pad(blocks.astype(np.float64) ** 2, ((0, 0), (1, 0))), axis=1)
    moving = energy[:, _WINDOW : _WINDOW + _LONGEST + 1] - energy[:, : _LONGEST + 1]
    return np.asarray((2 * cross / (moving + moving[:, :1] + 1e-6))[:, _SHORTEST:], np.float32)


def _peaks(correlation: Floats) -> Floats:
    """The same with everything but local maxima at -1."""
    padded = np.pad(correlation, ((0, 0), (1, 1)), constant_values=-1.0)
    top = (correlation >= padded[:, :-2]) & (correlation >= padded[:, 2:])
    return np.asarray(np.where(top, correlation, -1.0), np.float32)


def _steady(found: Mask, low: Lags, high: Lags, frames: NDArray[np.int64]) -> Mask:
    """Members of runs of at least four frames in which both periods move evenly."""
    follows = (
        found[1:]
        & found[:-1]
        & (np.diff(frames) == 1)
        & (np.abs(np.log2(low[1:] / low[:-1])) < _STEADY)
        & (np.abs(np.log2(high[1:] / high[:-1])) < _STEADY)
    )
    steady = np.zeros(len(found), np.bool_)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], follows, [False]]).astype(np.int8)))
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        if end - start + 1 >= _LEAST_FRAMES:
            steady[start : end + 1] = True
    return steady
