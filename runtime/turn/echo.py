"""
Is this our own voice coming back? Telephones and hybrids return some of what they play, a little later.

What the caller's line brings is compared with what we played in the second before. An echo is what we said,
delayed and coloured a little: so the best delay is found by correlation, then a short filter is fitted there,
and what it leaves unexplained is somebody else. Nothing has to be learnt: the first echo of a call is known
nearly as surely as the last, and a delay may change at any time.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from runtime.media.frame import LISTENING_RATE, Pcm

LONGEST_DELAY = 0.8
"""Seconds from when we take it that our voice sounds, to its echo: 0.5 of the networks, and all buffers."""

EARLIEST = 0.1
"""Seconds by which it may really have sounded earlier: a carrier plays what comes early at once."""

COMPARED = 0.128
"""Seconds of the line that are compared: enough to tell two voices apart, short enough for a barge-in."""

LIKE = 0.25
"""Squared correlation at the best delay from which a filter is tried; a line's colour leaves above a half."""

NEAR = 400
"""Samples (50 ms) around the delay of the last echo, where one is looked for that is less alike."""

EXPLAINED = 0.65
"""Share of the power that has to be ours. A caller who is as loud as the echo leaves half of it."""

TAIL = 0.3
"""Seconds after an echo in which what is weaker is taken for its end: reverberation, and the noise in it."""

TAIL_DB = 6.0
"""By how much weaker."""

KEPT = 2.0
"""Seconds of ours that are kept: all that can be compared, and what is sent ahead of its time."""

_RATE = 8_000
"""Hz of the comparison: an echo comes through a telephone line."""

_BEFORE, _TAPS = 6, 32
"""The filter: 4 ms around the best delay, from 0.75 ms before it."""

_Floats = NDArray[np.float32]


class EchoDetector:
    """
    Args:
        rate: Hz of what we play.
        decode: Makes PCM of it; asked only when there is something to compare.
    """

    def __init__(self, rate: int, decode: Callable[[bytes], Pcm]) -> None:
        self._rate = rate
        self._decode = decode
        self._played: deque[tuple[float, float, bytes]] = deque()
        self._now = 0.0
        # Until when the last echo has its tail, and how loud it was, in dB of squared samples.
        self._known_until = 0.0
        self._known_level = 0.0
        self._known_at: int | None = None

    def plays(self, coded: bytes, at: float, seconds: float) -> None:
        """The line plays this, coded for the wire, from ``at`` (monotonic seconds) on."""
        self._played.append((at, at + seconds, coded))
        while self._played[0][1] < at - KEPT:
            self._played.popleft()

    def came_in(self, now: float) -> None:
        """The caller's newest audio is of this time, monotonic seconds."""
        self._now = now

    @property
    def may_return(self) -> bool:
        """Whether anything we played can come back in what came in last."""
        return bool(self._played) and self._now < self._played[-1][1] + LONGEST_DELAY

    def is_echo(self, heard: Pcm, *, age: float = 0.0) -> bool:
        """
        Whether a piece of the caller's audio is ours.

        Args:
            heard: Mono int16 at 16 kHz; its last :data:`COMPARED` seconds count.
            age: Seconds that have come in since its last sample.
        """
        now = self._now - age
        heard = heard[-round(COMPARED * LISTENING_RATE) :]
        if not self.may_return or len(heard) < round(COMPARED * LISTENING_RATE):
            return False
        line = _brightened(_halved(heard))
        ours = _brightened(self._reference(now - COMPARED - LONGEST_DELAY, now + EARLIEST))
        power = float(np.dot(line, line))
        if power == 0.0 or not ours.any():
            return False
        level = 10.0 * math.log10(power / len(line))
        at = self._best(line, ours, power)
        if at is not None and _explained(line, ours, at, power) >= EXPLAINED:
            self._known_until, self._known_level, self._known_at = now + TAIL, level, at
            return True
        return now < self._known_until and level < self._known_level - TAIL_DB

    def _best(self, line: _Floats, ours: _Floats, power: float) -> int | None:
        """Where in ``ours`` the line's audio is most alike; None where it is nowhere."""
        size = 1 << (len(line) + len(ours) - 1).bit_length()
        product = np.fft.irfft(np.fft.rfft(ours, size) * np.conj(np.fft.rfft(line, size)), size)
        product = product[: len(ours) - len(line) + 1]
        sums = np.concatenate(([0.0], np.cumsum(np.square(ours, dtype=np.float64))))
        energy = sums[len(line) :] - sums[: -len(line)]
        # Where we were all but silent, noise alone would look alike.
        alike = np.where(energy > 1e-3 * energy.max(), product**2 / (power * np.maximum(energy, 1.0)), 0.0)
        at = int(np.argmax(alike))
        if alike[at] >= LIKE:
            return at
        if self._known_at is None:
            return None
        near = slice(max(0, self._known_at - NEAR), self._known_at + NEAR)
        return near.start + int(np.argmax(alike[near])) if len(alike[near]) else None

    def _reference(self, begin: float, end: float) -> _Floats:
        """What we play between two times, at :data:`_RATE`."""
        ours = np.zeros(round((end - begin) * _RATE), np.float32)
        for start, stop, coded in self._played:
            if stop <= begin or start >= end:
                continue
            samples = self._decode(coded).astype(np.float32)
            if self._rate != _RATE:
                places = np.arange(round(len(samples) * _RATE / self._rate)) * (self._rate / _RATE)
                samples = np.interp(places, np.arange(len(samples)), samples).astype(np.float32)
            first = round((start - begin) * _RATE)
            skip = max(0, -first)
            room = ours[first + skip : first + len(samples)]
            room[:] = samples[skip : skip + len(room)]
        return ours


def _halved(pcm: Pcm) -> _Floats:
    """From 16 to 8 kHz. Callers of telephones have nothing above 4 kHz that could fold."""
    pairs = pcm[: len(pcm) // 2 * 2].astype(np.float32).reshape(-1, 2)
    halved: _Floats = pairs.mean(axis=1)
    return halved


def _brightened(samples: _Floats) -> _Floats:
    """6 dB an octave: a line takes the deep part of a voice away, which would be most of its power."""
    bright = samples.copy()
    bright[1:] -= 0.95 * samples[:-1]
    return bright


def _explained(line: _Floats, ours: _Floats, at: int, power: float) -> float:
    """The share of the line's power that a short filter makes of ours."""
    first = at - (_TAPS - 1 - _BEFORE)
    padded = np.concatenate((np.zeros(_TAPS, np.float32), ours, np.zeros(_TAPS, np.float32)))
    shifted = np.lib.stride_tricks.sliding_window_view(padded, len(line))[first + _TAPS : first + 2 * _TAPS]
    products = (shifted @ shifted.T).astype(np.float64)
    aimed = (shifted @ line).astype(np.float64)
    if not products.any():
        return 0.0
    # A vowel has too few frequencies to settle every tap: keep them small.
    taps = np.linalg.solve(products + 1e-4 * np.trace(products) / _TAPS * np.eye(_TAPS), aimed)
    return float(2.0 * taps @ aimed - taps @ products @ taps) / power
