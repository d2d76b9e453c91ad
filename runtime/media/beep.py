"""
Find the beep after which an answering machine records.

No standard says what it sounds like. Those in use are one steady tone, at times two together, between 400
and 2200 Hz, for a tenth of a second to a second and a half, with a moment of quiet before and after. Speech
is not steady, music hardly ever pure, and the tones of the network that are both are known by frequency.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from runtime.media.dtmf import COLUMNS, ROWS
from runtime.media.frame import Pcm

WINDOW = 0.032
"""Seconds of sound in which a spectrum is taken."""

HOP = 0.010
"""Seconds from one spectrum to the next."""

BAND_HZ = (200.0, 3_600.0)
"""What a telephone line carries, and what is judged of one."""

TONE_HZ = (390.0, 2_300.0)
"""Where beeps lie, with some room for lines that are off."""

SECONDS = (0.08, 1.75)
"""How long they last, with some room for the measurement."""

LEAST_DBFS = -50.0
"""Of a tone; the quietest of recorders' beeps come at about -40."""

PURE_FRAME = 0.72
"""Share of a moment's power that one or two tones hold: 6 dB above the noise."""

PURE = 0.80
"""The same of the whole beep, where they can be told far more sharply."""

BRIEF = 0.180
"""Seconds below which a vowel may be as steady as a beep."""

PURE_BRIEF = 0.88
"""What a brief one has to hold."""

STEADY_DB = 3.0
"""How far the level may wander, after the first and before the last moments."""

STEADY_HZ = 9.0
"""How far the frequency may."""

STEADY_PAIR_HZ = 14.0
"""The same where another tone is near."""

FALL_DB = 9.0
"""By how much the tone has to fall to be over."""

QUIET_DB = 5.0
"""By how much everything must be quieter before the beep, and after it."""

AFTER = 0.060
"""Seconds after the end in which it shows that it was one."""

NETWORK_HZ = ((440.0, 480.0), (400.0, 450.0), (350.0, 440.0), (480.0, 620.0), (350.0, 450.0), (400.0, 425.0))
"""Ring-back, dial, busy and number-unobtainable tones of two frequencies, ITU-T E.180 supplement 2."""

CALL_PROGRESS_HZ = 425.0
"""The one tone of most of the world's networks (E.180), ±10 Hz: never taken for a beep."""

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Beep:
    """One that is over."""

    start: int
    """First sample, give or take 10 ms."""
    end: int
    """First sample after it, likewise."""
    hertz: tuple[float, ...]
    """Its one or two frequencies, the stronger first."""


@dataclass(slots=True)
class _Run:
    """Moments in a row in which one tone stands out."""

    start: int
    """Position of the middle of the first moment."""
    bin: int
    before_db: float
    """Level of everything, shortly before."""
    levels: list[float] = field(default_factory=list)
    """dBFS of the tone."""
    hertz: list[float] = field(default_factory=list)
    fallen: int = 0
    """Moments since the tone fell."""


class BeepDetector:
    """
    Listen for beeps in mono PCM; any split of the audio finds the same ones.

    A beep is told about 80 ms after its end.

    Args:
        rate: Hz, at least 8000.
    """

    def __init__(self, rate: int) -> None:
        if rate < 8_000:
            raise ValueError(f"a telephone line has 8000 Hz or more, not {rate}")
        self._rate = rate
        self._hop = round(HOP * rate)
        self._window_samples = round(WINDOW * rate)
        self._window = np.hanning(self._window_samples + 1)[:-1]
        hertz = np.fft.rfftfreq(self._window_samples, 1 / rate)
        self._first = int(np.searchsorted(hertz, BAND_HZ[0]))
        self._last = int(np.searchsorted(hertz, min(BAND_HZ[1], rate / 2 - 100), side="right"))
        self._bin_hz = rate / self._window_samples
        # Power of a tone, from the bins around it.
        self._scale = 2.0 / (self._window_samples * float(np.sum(self._window**2)))
        self._kept: _Floats = np.zeros(0)
        """The newest audio, long enough to hold a whole beep."""
        self._kept_from = 0
        self._at = 0
        """Position of the next spectrum's first sample."""
        self._run: _Run | None = None
        self._recent_db: list[float] = []

    def push(self, samples: Pcm) -> Sequence[Beep]:
        """Take audio of any length; returns the beeps that are now known to be over."""
        self._kept = np.concatenate((self._kept, samples / 32_768.0))
        end = self._kept_from + len(self._kept)
        found: list[Beep] = []
        while self._at + self._window_samples <= end:
            beep = self._look(self._at)
            if beep is not None:
                found.append(beep)
            self._at += self._hop
        keep = round((SECONDS[1] + 0.5) * self._rate)
        # Cut rarely: each cut copies what is kept.
        if len(self._kept) > 2 * keep:
            self._kept_from += len(self._kept) - keep
            self._kept = self._kept[-keep:].copy()
        return found

    def _look(self, at: int) -> Beep | None:
        begin = at - self._kept_from
        spectrum = np.fft.rfft(self._kept[begin : begin + self._window_samples] * self._window)
        power = (spectrum.real**2 + spectrum.imag**2) * self._scale
        band = power[self._first : self._last]
        total = float(band.sum())
        total_db = _db(total)
        middle = at + self._window_samples // 2
        beep = self._follow(power, total, total_db, middle) if self._run is not None else None
        if self._run is None and total_db > LEAST_DBFS:
            self._begin(band, total, middle)
        self._recent_db = [*self._recent_db[-7:], total_db]
        return beep

    def _begin(self, band: _Floats, total: float, middle: int) -> None:
        peak = int(np.argmax(band))
        one = _around(band, peak)
        if one + _second(band, peak) < PURE_FRAME * total:
            return
        bin = self._first + peak
        if TONE_HZ[0] <= bin * self._bin_hz <= TONE_HZ[1]:
            # As loud as it was some 60 ms ago, when the window had nothing of the tone in it yet.
            before = min(self._recent_db[-6:-2], default=-100.0)
            self._run = _Run(middle, bin, before)
            self._note(self._run, band, one)

    def _follow(self, power: _Floats, total: float, total_db: float, middle: int) -> Beep | None:
        run = self._run
        assert run is not None
        band = power[self._first : self._last]
        at = run.bin - self._first
        tone = _around(band, at)
        loudest = max(run.levels)
        if _db(tone) >= loudest - FALL_DB and not run.fallen:
            pure = tone + _second(band, at) >= PURE_FRAME * total
            if pure and len(run.levels) * HOP < SECONDS[1] + WINDOW:
                self._note(run, band, tone)
            else:
                self._run = None
            return None
        run.fallen += 1
        if run.fallen * HOP < AFTER:
            return None
        self._run = None
        return self._judge(run, after_db=total_db)

    def _note(self, run: _Run, band: _Floats, tone: float) -> None:
        run.levels.append(_db(tone))
        near = band[max(0, run.bin - self._first - 2) : run.bin - self._first + 3]
        bins = np.arange(len(near)) + max(self._first, run.bin - 2)
        run.hertz.append(float(np.dot(near, bins) / near.sum()) * self._bin_hz)

    def _judge(self, run: _Run, *, after_db: float) -> Beep | None:
        levels = np.array(run.levels)
        loudest = float(np.median(np.sort(levels)[-max(3, len(levels) // 2) :]))
        # A window half in the tone has half its amplitude: where the level is within 6 dB, the tone is.
        inside = np.flatnonzero(levels >= loudest - 6.0)
        start = run.start + int(inside[0]) * self._hop
        end = run.start + (int(inside[-1]) + 1) * self._hop
        if not SECONDS[0] <= (end - start) / self._rate <= SECONDS[1]:
            return None
        if max(run.before_db, after_db) > loudest - QUIET_DB:
            return None
        edge = math.ceil(WINDOW / HOP / 2)
        core = slice(int(inside[0]) + edge, max(int(inside[0]) + edge + 1, int(inside[-1]) + 1 - edge))
        hertz = self._tones(start, end)
        wavers = np.ptp(np.array(run.hertz)[core])
        if np.ptp(levels[core]) > STEADY_DB or wavers > (STEADY_HZ if len(hertz) == 1 else STEADY_PAIR_HZ):
            return None
        brief = (end - start) / self._rate < BRIEF
        known = _of_the_network(hertz) or (brief and _of_a_voice(hertz))
        return Beep(start, end, hertz) if hertz and not known else None

    def _tones(self, start: int, end: int) -> tuple[float, ...]:
        """The one or two frequencies that hold nearly all of it; none where they do not."""
        edge = round(0.010 * self._rate)
        sound = self._kept[max(0, start + edge - self._kept_from) : end - edge - self._kept_from]
        size = 1 << (4 * len(sound) - 1).bit_length()
        power = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), size)) ** 2
        hertz = np.fft.rfftfreq(size, 1 / self._rate)
        power = np.where((hertz >= BAND_HZ[0]) & (hertz <= BAND_HZ[1]), power, 0.0)
        total = float(power.sum())
        # Half the main lobe of a Hann window, and some wavering.
        reach = 2.0 * self._rate / len(sound) + 4.0
        found: list[tuple[float, float]] = []
        for _ in range(2):
            peak = float(hertz[int(np.argmax(power))])
            near = np.abs(hertz - peak) <= reach
            found.append((peak, float(power[near].sum()) / total))
            power = np.where(near, 0.0, power)
        (first, share), (second, other) = found
        pure = PURE if end - start >= BRIEF * self._rate else PURE_BRIEF
        low, high = TONE_HZ
        if other > share / 16.0 and share + other >= pure and low <= min(first, second) and second <= high:
            return (first, second)
        return (first,) if share >= pure and low <= first <= high else ()


def _of_the_network(hertz: tuple[float, ...]) -> bool:
    """Whether it is a key of a telephone, or a tone that tells how a call gets on."""
    if not hertz:
        return False
    if len(hertz) == 1:
        return abs(hertz[0] - CALL_PROGRESS_HZ) <= 10.0
    low, high = sorted(hertz)
    pairs = [*NETWORK_HZ, *((row, column) for row in ROWS for column in COLUMNS)]
    return any(abs(low - one) <= 0.02 * one and abs(high - two) <= 0.02 * two for one, two in pairs)


def _of_a_voice(hertz: tuple[float, ...]) -> bool:
    """Whether two tones are neighbours in the harmonics of one pitch, 80 to 330 Hz."""
    if len(hertz) != 2:
        return False
    low, high = sorted(hertz)
    pitch = high - low
    return 80.0 <= pitch <= 330.0 and abs(low / pitch - round(low / pitch)) <= 0.08


def _around(band: _Floats, peak: int) -> float:
    return float(band[max(0, peak - 2) : peak + 3].sum())


def _second(band: _Floats, first: int) -> float:
    rest = band.copy()
    rest[max(0, first - 2) : first + 3] = 0.0
    return _around(rest, int(np.argmax(rest)))


def _db(power: float) -> float:
    return 10.0 * math.log10(max(power, 1e-10))
