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

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from runtime.media.frame import Pcm
from runtime.media.resample import StreamResampler
from tts.provenance.watermark import BAND, DEFAULT_KEY, DELAYS, FIRST_DELAY, MARK_RATE, signs, voice_signs

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

MISNAMED = 1e-3
"""Chance that a marked recording is said to be of a voice that it is not, all known voices together."""

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
    key: bytes | None = field(default=None, repr=False)
    """Whose mark was found."""

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


@dataclass(frozen=True, slots=True)
class VoiceMark:
    """Which voice spoke, and how surely."""

    voice_id: str
    score: float
    """In standard deviations of a voice that did not speak."""
    threshold: float
    """What the score must reach; grows with the number of voices that are known."""
    spans: tuple[tuple[float, float], ...]
    """Seconds ``[begin, end)``."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "voice_id": self.voice_id,
            "score": round(self.score, 2),
            "threshold": round(self.threshold, 2),
            "spans": [[round(begin, 3), round(end, 3)] for begin, end in self.spans],
        }


class Traces:
    """
    What a mark would have left in a recording, to be held against keys and voices.

    Args:
        samples: Mono int16, any length.
        rate: Hz.
    """

    def __init__(self, samples: Pcm, rate: int) -> None:
        self._seconds = len(samples) / rate
        self._cepstra = _cepstra(_at_mark_rate(samples, rate))
        frames = len(self._cepstra)
        size, stride = round(WINDOW * MARK_RATE / HOP), round(STRIDE * MARK_RATE / HOP)
        begins = range(0, frames - size // 2, stride) if frames > size else ()
        self._parts = [*((begin, begin + size) for begin in begins), (0, frames)]
        sounding = np.count_nonzero(self._cepstra.any(axis=1)) * HOP / MARK_RATE
        self._conclusive = bool(sounding >= SHORTEST)
        self._evidence = [_evidence(self._cepstra[slice(*part)]) for part in self._parts]

    def detect(self, *keys: bytes) -> Detection:
        """Look for the mark of one of ``keys``; the one that is seen best is told."""
        if not self._conclusive:
            return Detection(False, False, 0.0, _threshold(FALSE_ALARM), self._seconds)
        threshold = _threshold(FALSE_ALARM / (len(self._parts) * len(keys)))
        scores = {key: [float(found @ signs(key)) / SPREAD for found in self._evidence] for key in keys}
        best = max(keys, key=lambda key: max(scores[key]))
        marked = [part for part, score in zip(self._parts, scores[best], strict=True) if score >= threshold]
        spans = self._spans(marked)
        key = best if marked else None
        return Detection(bool(marked), True, max(scores[best]), threshold, self._seconds, spans, key)

    def name(self, voices: Sequence[str], *, key: bytes) -> tuple[VoiceMark, ...]:
        """
        Which of ``voices`` speak in a recording that carries the mark of ``key``; the surest first.

        Of each part the likeliest voice is told, if it stands out among all that are known.
        """
        if not voices or not self._conclusive:
            return ()
        patterns = np.array([voice_signs(key, voice_id) for voice_id in voices])
        threshold = _threshold(MISNAMED / (len(self._parts) * len(voices)))
        heard: dict[str, list[tuple[float, tuple[int, int]]]] = {}
        for part, found in zip(self._parts, self._evidence, strict=True):
            scores = patterns @ found / SPREAD
            best = int(scores.argmax())
            if scores[best] >= threshold:
                heard.setdefault(voices[best], []).append((float(scores[best]), part))
        marks = (
            VoiceMark(voice_id, max(found)[0], threshold, self._spans([part for _, part in found]))
            for voice_id, found in heard.items()
        )
        return tuple(sorted(marks, key=lambda mark: -mark.score))

    def _spans(self, parts: Sequence[tuple[int, int]]) -> tuple[tuple[float, float], ...]:
        """The parts in seconds; the whole is left out where smaller ones tell more."""
        whole = self._parts[-1]
        smaller = [part for part in parts if part != whole]
        return _joined(smaller or list(parts), self._seconds)


def detect(samples: Pcm, rate: int, *, key: bytes = DEFAULT_KEY) -> Detection:
    """Look for the mark of ``key`` in mono int16 at ``rate`` Hz."""
    return Traces(samples, rate).detect(key)


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


def _evidence(cepstra: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each delay how surely its echo is positive or negative: ``(512,)``, a unit vector, or zeros."""
    if not len(cepstra):
        return np.zeros(DELAYS)
    mean = cepstra.mean(axis=0)
    # Where the voice or the room leaves much at some delays, those count for less.
    spread = np.sqrt(np.convolve(mean**2, np.ones(_NEIGHBOURS) / _NEIGHBOURS, "same") + 1e-18)
    evidence: NDArray[np.float64] = np.clip(mean / spread, -3, 3)
    norm = float(np.sqrt(evidence @ evidence))
    return evidence / norm if norm else evidence


def _threshold(chance: float) -> float:
    return _NORMAL.inv_cdf(1 - chance)


def _joined(parts: list[tuple[int, int]], seconds: float) -> tuple[tuple[float, float], ...]:
    spans: list[tuple[float, float]] = []
    for begin, end in parts:
        start, stop = begin * HOP / MARK_RATE, min(seconds, end * HOP / MARK_RATE)
        if spans and start <= spans[-1][1]:
            spans[-1] = spans[-1][0], stop
        else:
            spans.append((start, stop))
    return tuple(spans)
