"""
Decide whether a recording carries our watermark.

The mark is a ripple in the log spectrum that does not move. Each frame's spectrum is freed of its envelope
and of what noise drowned, and turned into a cepstrum, where the ripple is the key's signs at the marked
delays. The voice's pitch is there too, as large spikes that wander; they are clipped, and averaging over
frames takes them down further. The sum over all delays, each with its sign, in units of its own spread, is
the score: close to a standard normal number where there is no mark, whatever room or line coloured the
recording, because its colour knows nothing of the key.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from runtime.media.frame import Pcm
from runtime.media.resample import StreamResampler
from tts.provenance.watermark import BAND, DEFAULT_KEY, DELAYS, FIRST_DELAY, MARK_RATE, signs

FRAME = 2048
HOP = 512
"""Samples at 8 kHz: 256 ms, so that the longest delay is well inside, every 64 ms."""

BATCH = 512
"""Frames worked on at once, half a minute: bounds the memory that a long recording takes."""

WINDOW = 10.0
STRIDE = 5.0
"""Seconds of the parts in which a mark is looked for, beside the whole: speech may be only part of it."""

SHORTEST = 1.0
"""Seconds of sound below which nothing can be said."""

FALSE_ALARM = 1e-4
"""Chance that a recording without a mark is said to carry one, all its windows together."""

SPREAD = 1.02
"""Standard deviation of the raw score without a mark, measured by ``tests/bench/watermark.py``."""

_NORMAL = NormalDist()
_QUIET = 1e-3
_SPIKE = 2.0
_NEIGHBOURS = 41


@dataclass(frozen=True, slots=True)
class Detection:
    """What was found, and how surely."""

    found: bool
    conclusive: bool
    """False where there was too little sound to say anything."""
    score: float
    """Of the most likely part, in standard deviations of a recording without a mark."""
    threshold: float
    """What the score must reach; grows a little with the number of parts looked at."""
    seconds: float
    """Audio that was looked at."""
    spans: tuple[tuple[float, float], ...] = ()
    """Seconds ``[begin, end)`` of the parts that carry it, joined where they overlap."""

    @property
    def verdict(self) -> Literal["watermarked", "not_detected", "inconclusive"]:
        """In one word. "not_detected" is no proof that a recording is of a person."""
        if not self.conclusive:
            return "inconclusive"
        return "watermarked" if self.found else "not_detected"

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "verdict": self.verdict,
            "score": round(self.score, 2),
            "threshold": round(self.threshold, 2),
            "seconds": round(self.seconds, 3),
            "spans": [[round(begin, 3), round(end, 3)] for begin, end in self.spans],
        }


def detect(samples: Pcm, rate: int, *, key: bytes = DEFAULT_KEY) -> Detection:
    """
    Look for the mark of ``key``.

    Args:
        samples: Mono int16, any length.
        rate: Hz.
    """
    seconds = len(samples) / rate
    cepstra = _cepstra(_at_mark_rate(samples, rate))
    frames = len(cepstra)
    if np.count_nonzero(cepstra.any(axis=1)) * HOP / MARK_RATE < SHORTEST:
        return Detection(False, False, 0.0, _threshold(1), seconds)
    size, stride = round(WINDOW * MARK_RATE / HOP), round(STRIDE * MARK_RATE / HOP)
    parts = [(begin, begin + size) for begin in range(0, frames - size // 2, stride)] if frames > size else []
    parts.append((0, frames))
    scores = [_score(cepstra[begin:end], signs(key)) for begin, end in parts]
    threshold = _threshold(len(parts))
    marked = [part for part, score in zip(parts, scores, strict=True) if score >= threshold]
    if len(marked) > 1:
        marked = [part for part in marked if part != (0, frames)]
    return Detection(bool(marked), True, max(scores), threshold, seconds, _joined(marked, seconds))


def _at_mark_rate(samples: Pcm, rate: int) -> NDArray[np.float64]:
    resampler = StreamResampler(rate, MARK_RATE)
    return np.concatenate((resampler.push(samples), resampler.flush())).astype(np.float64)


def _cepstra(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """At the marked delays, shape ``(frames, 512)``, spikes clipped; zeros for silent frames."""
    if len(samples) < FRAME:
        return np.zeros((0, DELAYS))
    frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME)[::HOP]
    batches = range(0, len(frames), BATCH)
    return np.concatenate([_cepstra_of(frames[begin : begin + BATCH]) for begin in batches])


def _cepstra_of(frames: NDArray[np.float64]) -> NDArray[np.float64]:
    power = np.abs(np.fft.rfft(frames * np.hanning(FRAME), axis=1)) ** 2
    hz = np.fft.rfftfreq(FRAME, 1 / MARK_RATE)
    band = (hz > BAND[0] + 50) & (hz < BAND[1] - 200)
    loudness = power[:, band].sum(axis=1)
    sounding = loudness > max(_QUIET * loudness.max(), 1.0)
    cepstra = np.zeros((len(power), DELAYS))
    if not sounding.any():
        return cepstra
    floor = np.convolve(np.quantile(power, 0.1, axis=0), np.ones(65) / 65, "same")
    heard = power[sounding]
    certainty = np.clip(1 - floor / (heard + 1e-9), 0, None) * band
    ripple = _without_envelope(np.log(np.maximum(heard, floor) + 1e-9))
    found = np.fft.irfft(np.clip(ripple, -4, 4) * certainty, axis=1)[:, FIRST_DELAY : FIRST_DELAY + DELAYS]
    spike = _SPIKE * 1.4826 * np.median(np.abs(found), axis=1, keepdims=True)
    cepstra[sounding] = np.clip(found, -spike, spike)
    return cepstra


def _without_envelope(spectrum: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log spectra less all that varies more slowly over frequency than the shortest echo makes them vary."""
    cepstra = np.fft.irfft(spectrum, axis=1)
    short = FIRST_DELAY - 4
    cepstra[:, :short] = 0
    cepstra[:, FRAME - short + 1 :] = 0
    ripple: NDArray[np.float64] = np.fft.rfft(cepstra, axis=1).real
    return ripple


def _score(cepstra: NDArray[np.float64], pattern: NDArray[np.float64]) -> float:
    mean = cepstra.mean(axis=0)
    # Where the voice or the room leaves much at some delays, those count for less.
    spread = np.sqrt(np.convolve(mean**2, np.ones(_NEIGHBOURS) / _NEIGHBOURS, "same") + 1e-18)
    evidence = np.clip(mean / spread, -3, 3)
    norm = float(np.sqrt(evidence @ evidence))
    return float(evidence @ pattern) / norm / SPREAD if norm else 0.0


def _threshold(parts: int) -> float:
    return _NORMAL.inv_cdf(1 - FALSE_ALARM / parts)


def _joined(parts: list[tuple[int, int]], seconds: float) -> tuple[tuple[float, float], ...]:
    spans: list[tuple[float, float]] = []
    for begin, end in parts:
        start, stop = begin * HOP / MARK_RATE, min(seconds, end * HOP / MARK_RATE)
        if spans and start <= spans[-1][1]:
            spans[-1] = spans[-1][0], stop
        else:
            spans.append((start, stop))
    return tuple(spans)
