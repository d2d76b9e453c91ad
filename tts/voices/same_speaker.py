"""Whether two recordings are of one person: asked of a spoken consent and the sample it is for."""

from __future__ import annotations

import numpy as np
import soxr

from runtime.media.container import Recording
from runtime.media.frame import LISTENING_RATE
from tts.voices.gate.channels import choose_channel
from tts.voices.gate.pitch import track_pitch
from tts.voices.gate.sound import Floats, Sound
from tts.voices.gate.speakers import measure_speakers

STRANGERS = 50.0
"""
Distance from which two recordings are of two people. Over recordings of 4 to 13 s of 9 people, all 14 pairs
of one person lie below it (the farthest at 43), and more than eight in ten of 180 pairs of strangers above.
"""

MOST_SECONDS = 12.0
"""Of each recording: more says no more, and costs."""


def speaker_distance(one: Recording, other: Recording) -> float:
    """
    How unlike the speakers are, in squared standard errors; see :mod:`tts.voices.gate.speakers`.

    The recordings are joined and asked the gate's question, whether a second person begins to speak. That
    is a measure for telling strangers apart, not a proof of identity: an imitator passes it.
    """
    joined = Sound(np.concatenate([_levelled(one), _levelled(other)]), LISTENING_RATE)
    return measure_speakers(joined, track_pitch(joined)).score


def same_speaker(one: Recording, other: Recording) -> bool:
    """Whether nothing speaks against it."""
    return speaker_distance(one, other) < STRANGERS


def _levelled(recording: Recording) -> Floats:
    """Mono, 16 kHz, the beginning of it, at a common loudness."""
    mono, _ = choose_channel(recording)
    mono = mono[: round(MOST_SECONDS * recording.rate)]
    heard: Floats = soxr.resample(mono, recording.rate, LISTENING_RATE).astype(np.float32)
    power = float(np.sqrt(np.mean(heard.astype(np.float64) ** 2)))
    return heard * np.float32(0.1 / power) if power > 0 else heard
