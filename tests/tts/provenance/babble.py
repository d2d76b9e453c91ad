"""Something with the spectrum and the rhythm of speech, made of nothing."""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter

from runtime.media.frame import Pcm


def babble(seconds: float, rate: int, *, seed: int) -> Pcm:
    """
    Pulses of a wandering pitch and bursts of noise, through resonances that move every 0.12 s.

    Returns:
        Mono int16, peak about a third of full scale.
    """
    rng = np.random.default_rng(seed)
    base = rng.uniform(90, 220)
    pieces = []
    phase = 0.0
    for number in range(int(seconds / 0.12) + 1):
        n = round(0.12 * rate)
        if rng.random() < 0.15:
            pieces.append(np.zeros(n))
            continue
        pitch = base * (1 + 0.2 * np.sin(number / 3)) * (1 + 0.02 * rng.standard_normal(n).cumsum() / n**0.5)
        turns = phase + np.cumsum(pitch) / rate
        phase = turns[-1] % 1.0
        pulses = np.diff(np.floor(turns), prepend=np.floor(turns[0])) + 0.02 * rng.standard_normal(n)
        source = pulses if rng.random() < 0.75 else 0.3 * rng.standard_normal(n)
        for hz, width in (
            (rng.uniform(300, 800), 90),
            (rng.uniform(900, 2200), 120),
            (rng.uniform(2300, 3300), 180),
        ):
            radius = np.exp(-np.pi * width / rate)
            source = source + 0.7 * lfilter(
                [1 - radius], [1, -2 * radius * np.cos(2 * np.pi * hz / rate), radius**2], source
            )
        pieces.append(source * np.hanning(n) ** 0.25 * rng.uniform(0.5, 1.0))
    samples = np.concatenate(pieces)[: int(seconds * rate)]
    return (samples / np.abs(samples).max() * 10_000).astype(np.int16)
