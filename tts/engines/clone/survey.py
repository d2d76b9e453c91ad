"""What a base voice is like: the statistics a voiceprint is set against."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tts.engines.clone.phones import PHONES, SILENCE, STATES, VOICED
from tts.engines.clone.score import BaseVoice, Floats, Labels, Score

SENTENCES = (
    "The boy was there when the sun rose, and he threw a stone into the water.",
    "A measure of joy should be found in good food, rich music, and huge laughter.",
    "Please check your own house number; I thought it was eight, but you said forty two.",
    "Yesterday we could hear the church choir sing about peace, love and the open road.",
    "Which of these jackets would you choose for a long voyage to the far north?",
    "Thank you for waiting; the manager will be with you in just a few minutes.",
    "Both of them enjoyed a usual breakfast of eggs, toast, and thick orange juice.",
    "My brother quickly put the yellow book back on the shelf above the fire.",
    "Is there anything else that I can help you with this evening?",
    "Their vision of the future was clear, but no one was sure how to pay for it.",
)
"""Every phone several times, in ordinary sentences."""

_SPREADS_BETWEEN = 2.073
"""Standard deviations between a normal distribution's 15th and 85th percentile."""


@dataclass(frozen=True, slots=True)
class PhoneMeans:
    """Means of feature rows by sound, and how many rows each mean stands on."""

    states: Floats
    """Shape ``(phones, STATES, features)``."""
    state_counts: Floats
    phones: Floats
    """Shape ``(phones, features)``."""
    counts: Floats

    @classmethod
    def of(cls, rows: Floats, labels: Labels) -> PhoneMeans:
        slot = labels.phone.astype(int) * STATES + labels.state
        by_state = np.bincount(slot, minlength=len(PHONES) * STATES).astype(np.float32)
        by_state = by_state.reshape(len(PHONES), STATES)
        flat = np.zeros((len(PHONES) * STATES, rows.shape[1]), np.float32)
        np.add.at(flat, slot, rows)
        sums: Floats = flat.reshape(len(PHONES), STATES, -1)
        by_phone = by_state.sum(1)
        one = np.float32(1)
        return cls(
            states=(sums / np.maximum(by_state, one)[..., None]).astype(np.float32),
            state_counts=by_state,
            phones=(sums.sum(1) / np.maximum(by_phone, one)[:, None]).astype(np.float32),
            counts=by_phone,
        )


@dataclass(frozen=True, slots=True)
class Melody:
    """Distribution of log F0 over voiced frames."""

    mean: float
    """The median, strictly."""
    spread: float
    """The standard deviation of the normal distribution with the same 15th and 85th percentile."""

    @classmethod
    def of(cls, f0: Floats) -> Melody:
        """Of percentiles, so that octave errors and creak do not pass for liveliness."""
        logs = np.log(f0[f0 > 0].astype(np.float64))
        if not len(logs):
            return cls(float(np.log(140.0)), 0.15)
        low, middle, high = np.percentile(logs, [15, 50, 85])
        return cls(float(middle), float(high - low) / _SPREADS_BETWEEN)


@dataclass(frozen=True, slots=True)
class Survey:
    """A base voice in numbers."""

    means: PhoneMeans
    mean: Floats
    spread: Floats
    melody: Melody
    durations: NDArray[np.float64]
    """Mean seconds of each phone."""


def voiced_f0(score: Score) -> Floats:
    """F0 with the frames of voiceless sounds silenced; some base voices run their pitch through them."""
    f0: Floats = np.where(VOICED[score.labels.phone], score.f0, 0).astype(np.float32)
    return f0


@lru_cache(maxsize=8)
def survey(base: BaseVoice) -> Survey:
    """Listen to a base voice say :data:`SENTENCES`. Once per voice and process: about 0.2 s with flite."""
    scores = [base.score(sentence) for sentence in SENTENCES]
    cepstra = np.concatenate([score.cepstra for score in scores])
    phone = np.concatenate([score.labels.phone for score in scores])
    state = np.concatenate([score.labels.state for score in scores])
    f0 = np.concatenate([voiced_f0(score) for score in scores])
    speech = phone != SILENCE
    seconds, counts = np.zeros(len(PHONES)), np.zeros(len(PHONES))
    for score in scores:
        for segment in score.segments:
            seconds[segment.phone] += segment.end - segment.start
            counts[segment.phone] += 1
    average = seconds[:SILENCE].sum() / counts[:SILENCE].sum()
    return Survey(
        means=PhoneMeans.of(cepstra, Labels(phone, state)),
        mean=cepstra[speech].mean(0),
        spread=cepstra[speech].std(0),
        melody=Melody.of(f0[speech]),
        durations=(seconds + 3 * average) / (counts + 3),
    )
