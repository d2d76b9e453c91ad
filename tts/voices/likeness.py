"""
How much a new voice sounds like the person: the server's own ear, asked once at enrolment.

A *timbre* is what is left of speech when its words are averaged away: the mean mel cepstra of the voiced
frames and the middle of the pitch, each held against what is usual among people and counted in the spread
that one person has from recording to recording. Two timbres are compared by the cosine between them. No
trained encoder is consulted; tests/bench/likeness.py says how far this ear can be trusted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import soxr
from numpy.typing import NDArray

from runtime.media.frame import LISTENING_RATE
from tts.voices.gate.cepstra import mel_cepstra
from tts.voices.gate.pitch import track_pitch
from tts.voices.gate.sound import Floats, Sound
from tts.voices.voice import Likeness

Timbre: TypeAlias = NDArray[np.float64]
"""Unit vector, shape ``(20,)``."""

LINE = "Hello, thanks for calling. Please hold the line while I look up your account."
"""What the new voice says to be heard by its own server."""

_MOST_SECONDS = 12.0
_FEWEST_FRAMES = 80
"""Voiced frames (10 ms) under which a timbre is a guess."""
_CEPSTRA = 19
_LEVEL = 0.1

_USUAL = np.array(
    [5.41, -0.51, 3.0, -0.68, 0.28, -0.81, -0.5, -0.32, 0.14, 0.07]
    + [0.04, 0.28, 0.23, 0.05, 0.0, 0.0, 0.07, -0.02, -0.06, 5.06]
)
"""Mean over people: nineteen cepstra, natural log of the median pitch in Hz."""

_SPREAD = np.array(
    [1.18, 0.87, 0.99, 0.81, 0.49, 0.46, 0.33, 0.24, 0.34, 0.25]
    + [0.24, 0.26, 0.27, 0.22, 0.15, 0.14, 0.15, 0.11, 0.12, 0.06]
)
"""Deviation between recordings of one person. Both from 50 recordings of 25 people."""


def raw_timbre(samples: Floats, rate: int) -> NDArray[np.float64] | None:
    """Mean cepstra and log pitch before anything is taken from them; None with too little voiced speech."""
    samples = samples[: round(_MOST_SECONDS * rate)]
    heard = np.asarray(soxr.resample(samples, rate, LISTENING_RATE), np.float32)
    power = float(np.sqrt(np.mean(heard.astype(np.float64) ** 2))) if len(heard) else 0.0
    if power <= 0:
        return None
    sound = Sound(heard * np.float32(_LEVEL / power), LISTENING_RATE)
    pitch = track_pitch(sound)
    voiced = np.flatnonzero(pitch.voiced)
    if len(voiced) < _FEWEST_FRAMES:
        return None
    cepstra = mel_cepstra(sound.heard, frames=len(pitch.hz), count=_CEPSTRA)[voiced]
    return np.append(cepstra.mean(axis=0, dtype=np.float64), np.log(np.median(pitch.hz[voiced])))


def timbre(samples: Floats, rate: int) -> Timbre | None:
    """
    Of a recording of one person.

    Args:
        samples: Mono, any level; the first 12 s are listened to.
        rate: Hz.
    """
    raw = raw_timbre(samples, rate)
    if raw is None:
        return None
    unusual: Timbre = (raw - _USUAL) / _SPREAD
    return unusual / np.linalg.norm(unusual)


def compare(voice: Timbre, person: Timbre, *, cohort: Sequence[Timbre]) -> Likeness:
    """Hold the new voice against the person, and strangers' voices against the same person."""
    strangers = [float(stranger @ person) for stranger in cohort]
    return Likeness(
        score=round(float(voice @ person), 3),
        cohort=len(strangers),
        cohort_mean=round(float(np.mean(strangers)), 3) if strangers else None,
        cohort_max=round(max(strangers), 3) if strangers else None,
    )
