"""What callers say: the same samples in every run."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from runtime.media.frame import Pcm

FORMANTS = ((700, 1_220, 2_600), (300, 2_200, 3_000), (400, 800, 2_400), (500, 1_700, 2_500))
"""Hz: the vowels of "father", "fleece", "thought" and "dress". Source: Peterson and Barney, 1952."""

BANDWIDTHS = (80.0, 100.0, 140.0)
"""Hz."""

SYLLABLE = 0.18
"""Seconds: about five and a half syllables a second."""

QUIET_DBFS = -66.0
"""Level of the line's noise between words."""


def babble(seconds: float, *, rate: int, seed: int = 1) -> Pcm:
    """
    Something a voice activity detector takes for speech: a pulse train through three formants a syllable.

    Returns:
        Samples, shape ``(round(seconds * rate),)``, peak about -9 dBFS.
    """
    rng = np.random.default_rng(seed)
    total = round(seconds * rate)
    out = np.zeros(total)
    at = 0
    while at < total:
        length = min(round(SYLLABLE * rng.uniform(0.7, 1.4) * rate), total - at)
        pitch = rng.uniform(100.0, 140.0) * np.linspace(1.05, 0.92, length)
        phase = np.cumsum(pitch / rate)
        source = np.diff(np.floor(phase), prepend=0.0) + 0.02 * rng.standard_normal(length)
        vowel = FORMANTS[rng.integers(len(FORMANTS))]
        for frequency, bandwidth in zip(vowel, BANDWIDTHS, strict=True):
            source = _resonate(source, frequency, bandwidth, rate)
        envelope = np.sin(np.pi * (np.arange(length) + 0.5) / length) ** 0.5
        voiced = source * envelope
        out[at : at + length] = voiced / (np.abs(voiced).max() + 1e-9)
        at += length
    return np.round(0.35 * 32_767 * out).astype(np.int16)


def quiet(seconds: float, *, rate: int, seed: int = 2) -> Pcm:
    """A line on which nobody speaks."""
    noise = np.random.default_rng(seed).standard_normal(round(seconds * rate))
    return np.round(32_768 * 10 ** (QUIET_DBFS / 20) * noise).astype(np.int16)


def recorded(path: Path, *, rate: int) -> Pcm:
    """A recording of your own instead: any container, mixed down, at ``rate``."""
    import av

    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=rate)
        blocks = [
            piece.to_ndarray().ravel()
            for frame in container.decode(audio=0)
            for piece in resampler.resample(frame)
        ]
    return np.concatenate(blocks).astype(np.int16)


def _resonate(source: np.ndarray, frequency: float, bandwidth: float, rate: int) -> np.ndarray:
    """A two-pole resonator."""
    from scipy.signal import lfilter

    radius = np.exp(-np.pi * bandwidth / rate)
    angle = 2 * np.pi * frequency / rate
    filtered: np.ndarray = lfilter([1 - radius], [1, -2 * radius * np.cos(angle), radius**2], source)
    return filtered
