"""A person made of numbers: vowels of known pitch and resonances, to be measured again."""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter

from tts.engines.clone.phones import INDEX
from tts.engines.clone.score import Floats, Labels
from tts.engines.clone.spectrum import BREATH_BANDS, FEATURES
from tts.engines.clone.voiceprint import Voiceprint


def vowel(
    *, f0: float, seconds: float, rate: int = 24_000, formants: tuple[float, ...] = (600, 1_200, 2_500, 3_500)
) -> Floats:
    """A buzz through resonators: as voiced as can be, RMS 0.1."""
    phase = np.cumsum(np.full(int(seconds * rate), f0 / rate))
    samples = np.diff(np.floor(phase), prepend=0.0)
    for hz in formants:
        radius = np.exp(-np.pi * 80 / rate)
        samples = lfilter([1], [1, -2 * radius * np.cos(2 * np.pi * hz / rate), radius**2], samples)
    samples -= samples.mean()
    level: Floats = (0.1 * samples / samples.std()).astype(np.float32)
    return level


def person(*, f0: float, seed: int = 0, frames_per_phone: int = 30, level: float = 0.08) -> Voiceprint:
    """A voiceprint of every phone, with smooth random spectra, so that nothing needs a recording."""
    rng = np.random.default_rng(seed)
    phones = np.repeat(np.arange(INDEX["SIL"]), frames_per_phone)
    frames = len(phones)
    own = rng.normal(0, 1, (INDEX["SIL"], FEATURES)) / (1 + np.arange(FEATURES))
    features = own[phones] + rng.normal(0, 0.02, (frames, FEATURES))
    features[:, 0] += -5
    features[:, -4:] = features[:, :1] - 1.5
    return Voiceprint(
        features=features.astype(np.float32),
        f0=(f0 * np.exp(rng.normal(0, 0.1, frames))).astype(np.float32),
        breath=np.full((frames, BREATH_BANDS), 0.4, np.float32),
        labels=Labels(
            phones.astype(np.uint8),
            (np.arange(frames) % frames_per_phone * 3 // frames_per_phone).astype(np.uint8),
        ),
        follows=np.arange(frames) > 0,
        top_hz=12_000.0,
        seconds=frames * 0.005,
        phones=INDEX["SIL"],
        level=level,
    )
