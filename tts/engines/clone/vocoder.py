"""
From features to a waveform: one pulse and one puff of shaped noise per pitch period.

Every pulse is the minimum phase of its envelope, so its energy follows its onset; overlapping and adding
them needs no window. Unvoiced stretches are puffs alone, at 200 Hz. The sum is causal: a sample is final
once the pulses up to it are drawn, so the waveform can be taken in blocks of any size and stays the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, rfft

from tts.engines.clone.score import HOP, Floats
from tts.engines.clone.spectrum import BINS, FFT, RATE, Complex, minimum_phase

_PUFF_F0 = 200.0
_QUIETEST = 1e-3
_FLOOR_SHARE = 0.4
"""Corner of the high-pass below a voice, in pitches: nothing is lost at the pitch, 24 dB at a fifth of it."""
_BATCH = 24
"""Pulses drawn at once: few enough that their spectra stay in the processor's cache."""
_STEP = int(HOP * RATE)


@dataclass(frozen=True, slots=True)
class VoiceTrack:
    """Everything the vocoder draws, on the 5 ms grid."""

    f0: Floats
    """Shape ``(frames,)``, Hz; 0 where unvoiced."""
    features: Floats
    """Shape ``(frames, FEATURES)``, natural log amplitude; see :mod:`~tts.engines.clone.spectrum`."""
    breath: Floats
    """Shape ``(frames, BREATH_BANDS)``, 0 to 1: share of amplitude that is noise."""

    @property
    def samples(self) -> int:
        return len(self.f0) * _STEP


def render(track: VoiceTrack, *, seed: int, blocks: Iterable[int]) -> Iterator[Floats]:
    """
    Draw the track.

    Args:
        seed: Of the noise; the same track and seed give the same samples.
        blocks: Sizes to yield, in samples; the last block takes what is left, and surplus sizes nothing.
    """
    pulses = _Pulses.of(track)
    noise = np.random.default_rng(seed).standard_normal(track.samples + FFT, np.float32)
    tail = np.zeros(FFT, np.float32)
    begin = 0
    for size in blocks:
        end = min(track.samples, begin + size)
        if end <= begin:
            return
        canvas = np.zeros(end - begin + FFT, np.float32)
        canvas[:FFT] = tail[: len(canvas)]
        first, last = np.searchsorted(pulses.position, [begin, end])
        for pulse in range(first, last, _BATCH):
            _draw(canvas, track, pulses.between(pulse, min(last, pulse + _BATCH)), noise, begin)
        yield canvas[: end - begin]
        tail = canvas[end - begin :]
        begin = end


@dataclass(frozen=True, slots=True)
class _Pulses:
    """Where the periods begin."""

    position: NDArray[np.intp]
    """Samples."""
    late: Floats
    """How far before its sample each pulse truly falls, 0 to 1 samples."""
    length: NDArray[np.intp]
    """Samples to the next pulse."""
    voiced: NDArray[np.bool_]

    @classmethod
    def of(cls, track: VoiceTrack) -> _Pulses:
        voiced = track.f0 > 0
        times = np.arange(track.samples) / _STEP
        grid = np.arange(len(track.f0))
        f0 = np.interp(times, grid, np.where(voiced, track.f0, _PUFF_F0))
        sounding = np.interp(times, grid, voiced.astype(float)) > 0.5
        nearest = np.minimum(np.round(times).astype(int), len(grid) - 1)
        f0 = np.where(sounding, np.where(voiced[nearest], f0, track.f0.max(initial=_PUFF_F0)), _PUFF_F0)
        phase = np.cumsum(f0 / RATE)
        position = np.flatnonzero(np.diff(np.floor(phase), prepend=-1.0) > 0)
        late = (phase[position] % 1.0) / (f0[position] / RATE)
        length = np.diff(position, append=track.samples) if len(position) else position
        return cls(position, np.clip(late, 0, 1).astype(np.float32), length, sounding[position])

    def between(self, first: int, last: int) -> _Pulses:
        part = slice(first, last)
        return _Pulses(self.position[part], self.late[part], self.length[part], self.voiced[part])


_SHIFT = (2j * np.pi / FFT * np.arange(BINS)).astype(np.complex64)


_FLOOR_STEPS = 48
_FLOOR_LENGTHS = (40, 400)
"""Samples in the shortest and longest period: 600 and 60 Hz."""


def _floor_index(length: NDArray[np.intp]) -> NDArray[np.intp]:
    low, high = np.log(_FLOOR_LENGTHS[0]), np.log(_FLOOR_LENGTHS[1])
    place = (np.log(np.maximum(length, 1)) - low) / (high - low) * (_FLOOR_STEPS - 1)
    index: NDArray[np.intp] = np.clip(np.round(place), 0, _FLOOR_STEPS - 1).astype(np.intp)
    return index


@lru_cache(maxsize=1)
def _floors() -> Complex:
    """
    Log response of a fourth-order high-pass under the pitch, by length of the period.

    A train of pulses has a component at 0 Hz, and its breath goes on below the first harmonic; a larynx has
    neither. High voices would otherwise rumble.
    """
    lengths = np.geomspace(*_FLOOR_LENGTHS, _FLOOR_STEPS)
    s = 1j * np.arange(BINS)[None] * RATE / FFT / (_FLOOR_SHARE * RATE / lengths[:, None])
    response = s**4 / ((s**2 + 1.8478 * s + 1) * (s**2 + 0.7654 * s + 1))
    response[:, 0] = 1e-4
    floors: Complex = np.log(response).astype(np.complex64)
    return floors


def _draw(canvas: Floats, track: VoiceTrack, pulses: _Pulses, noise: Floats, origin: int) -> None:
    if not len(pulses.position):
        return
    frame = np.minimum(pulses.position / _STEP, len(track.f0) - 1)
    lower = frame.astype(int)
    upper = np.minimum(lower + 1, len(track.f0) - 1)
    share = (frame - lower).astype(np.float32)[:, None]
    features = track.features[lower] * (1 - share) + track.features[upper] * share
    breath = np.clip(track.breath[lower] * (1 - share) + track.breath[upper] * share, _QUIETEST, 1)

    toned = np.flatnonzero(pulses.voiced)
    floor = _floors()[_floor_index(pulses.length)]
    floor[~pulses.voiced] = 0
    if len(toned):
        tone = 0.5 * np.log(np.maximum(1 - breath[toned] ** 2, _QUIETEST))
        spectrum = minimum_phase(features[toned], tone)
        spectrum += floor[toned]
        spectrum += _SHIFT * pulses.late[toned, None]
        spectrum += 0.5 * np.log(np.maximum(pulses.length[toned], 1)).astype(np.float32)[:, None]
        _add(canvas, pulses.position[toned] - origin, irfft(np.exp(spectrum), FFT, axis=1))

    hiss = np.where(pulses.voiced[:, None], np.log(breath), 0).astype(np.float32)
    longest = int(min(pulses.length.max(), FFT // 2))
    offsets = np.arange(longest)
    inside = offsets < pulses.length[:, None]
    puffs = np.where(inside, noise[pulses.position[:, None] + np.minimum(offsets, longest)], 0)
    spectrum = np.exp(minimum_phase(features, hiss) + floor) * rfft(puffs, FFT, axis=1)
    _add(canvas, pulses.position - origin, irfft(spectrum, FFT, axis=1))


def _add(canvas: Floats, positions: NDArray[np.intp], pieces: Floats) -> None:
    for position, piece in zip(positions.tolist(), pieces, strict=True):
        canvas[position : position + FFT] += piece
