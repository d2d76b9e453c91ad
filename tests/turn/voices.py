"""Signals for turn taking: a synthetic voice, silence, noise, and recordings where there are some."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from scipy.signal import lfilter

from runtime.media.frame import LISTENING_RATE, Pcm

Signal = NDArray[np.float64]

CONVERSATION = (
    "cards-005_m_16000_3.5s.flac",
    "sbspk1-snt1_f_16000_2.9s.wav",
    "librivox-sense-0880_m_16000_3.0s.wav",
    "turn-dograh-not-so-sure_m_44100_3.8s.flac",
    "call-ibm-english2_x_8000_37.8s.flac",
)


def silence(seconds: float) -> Pcm:
    return np.zeros(round(seconds * LISTENING_RATE), np.int16)


def noise(seconds: float, *, level: float = -40.0, seed: int = 0) -> Pcm:
    """White noise at ``level`` dBFS RMS."""
    rng = np.random.default_rng(seed)
    samples = rng.standard_normal(round(seconds * LISTENING_RATE)) * 32768 * 10 ** (level / 20)
    return np.clip(samples, -32768, 32767).astype(np.int16)


def voice(seconds: float, *, pitch: float = 120.0, level: float = -20.0) -> Pcm:
    """
    A synthetic vowel whose colour changes four times a second: glottal pulses through three resonances.

    Silero is nearly sure that somebody speaks, once it stands between silences.
    """
    count = round(seconds * LISTENING_RATE)
    time = np.arange(count) / LISTENING_RATE
    contour = pitch * (1 + 0.08 * np.sin(2 * np.pi * 2.3 * time))
    phase = np.cumsum(contour) / LISTENING_RATE
    pulses = (np.diff(np.floor(phase), prepend=0) > 0).astype(np.float64)
    vowels = ((700, 1200, 2500), (300, 2200, 2900), (500, 900, 2400), (400, 1900, 2600))
    samples = np.zeros(count)
    for number, formants in enumerate(vowels):
        coloured = pulses
        for formant in formants:
            coloured = _resonate(coloured, formant, 90.0)
        turn = (np.floor(time * 4) % len(vowels)) == number
        weight = np.convolve(turn.astype(np.float64), np.hanning(480) / np.hanning(480).sum(), "same")
        samples += coloured * weight
    envelope = 0.55 + 0.45 * np.sin(2 * np.pi * 4 * time - np.pi / 2)
    samples *= envelope
    samples *= 10 ** (level / 20) / max(1e-9, np.sqrt(np.mean(samples**2)))
    return np.clip(samples * 32768, -32768, 32767).astype(np.int16)


def _resonate(samples: Signal, frequency: float, bandwidth: float) -> Signal:
    radius = np.exp(-np.pi * bandwidth / LISTENING_RATE)
    angle = 2 * np.pi * frequency / LISTENING_RATE
    filtered: Signal = lfilter([1 - radius], [1, -2 * radius * np.cos(angle), radius**2], samples)
    return filtered


@cache
def recording(path: Path) -> Pcm:
    """A recording as callers are heard: mono, 16 kHz, int16."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = samples.mean(axis=1)
    if rate != LISTENING_RATE:
        mono = soxr.resample(mono, rate, LISTENING_RATE)
    pcm: Pcm = (np.clip(mono, -1, 1) * 32767).astype(np.int16)
    return pcm
