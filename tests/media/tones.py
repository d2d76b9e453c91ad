"""Tones as telephone lines carry them: beeps, keys, and what the network itself sounds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from runtime.media.dtmf import COLUMNS, KEYS, ROWS
from runtime.media.frame import LISTENING_RATE, Pcm
from runtime.media.g711 import G711_RATE, decode_mulaw, encode_mulaw
from tests.turn.voices import recording

Signal = NDArray[np.float64]

NETWORK = {
    "ring-back, North America": ((440.0, 480.0), 2.0, 4.0),
    "ring-back, United Kingdom": ((400.0, 450.0), 0.4, 0.2),
    "ring-back, Germany": ((425.0,), 1.0, 4.0),
    "ring-back, Spain": ((425.0,), 1.5, 3.0),
    "ring-back, Australia": ((400.0, 425.0), 0.4, 0.2),
    "busy, North America": ((480.0, 620.0), 0.5, 0.5),
    "busy, Germany": ((425.0,), 0.5, 0.5),
    "congestion, North America": ((480.0, 620.0), 0.25, 0.25),
    "congestion, Germany": ((425.0,), 0.25, 0.25),
    "dial tone, broken off": ((350.0, 440.0), 1.2, 0.3),
}
"""Frequencies in Hz, seconds on and off: ITU-T E.180, supplement 2."""

SPECIAL_INFORMATION = (950.0, 1_400.0, 1_800.0)
"""Hz, 330 ms each, one right after the other: ITU-T E.180."""


def quiet(seconds: float, *, rate: int = G711_RATE) -> Signal:
    return np.zeros(round(seconds * rate))


def tone(
    hertz: Sequence[float],
    seconds: float,
    *,
    level: float,
    rate: int = G711_RATE,
    phase: float = 0.0,
    twist: float = 0.0,
) -> Signal:
    """
    Tones at once, 3 ms of ramp at both ends.

    Args:
        level: RMS in dBFS of each where there are several, and of one.
        twist: dB by which the second is louder than the first.
    """
    time = np.arange(round(seconds * rate)) / rate
    gains = [1.0] + [10 ** (twist / 20)] * (len(hertz) - 1)
    waves = [
        gain * np.sin(2 * np.pi * (each * time + phase * n))
        for n, (gain, each) in enumerate(zip(gains, hertz, strict=True), start=1)
    ]
    ramp = np.minimum(1.0, (np.minimum(time, time[::-1]) + 1 / rate) / 0.003)
    shaped: Signal = np.sum(waves, axis=0) * ramp * 10 ** (level / 20) * np.sqrt(2)
    return shaped


def key(
    name: str, seconds: float, *, level: float, off: tuple[float, float] = (0.0, 0.0), **how: float
) -> Signal:
    """A key of the telephone; ``off`` says by which share its two tones are wrong."""
    row = next(n for n, keys in enumerate(KEYS) if name in keys)
    low, high = ROWS[row] * (1 + off[0]), COLUMNS[KEYS[row].index(name)] * (1 + off[1])
    return tone((low, high), seconds, level=level, phase=how.get("phase", 0.0), twist=how.get("twist", 0.0))


def on_a_line(*parts: Signal, noise: float = -70.0, seed: int = 0) -> Pcm:
    """Joined, with noise of so many dBFS, through mu-law."""
    sound = np.concatenate(parts)
    sound = sound + np.random.default_rng(seed).standard_normal(len(sound)) * 10 ** (noise / 20)
    return decode_mulaw(encode_mulaw(np.clip(np.rint(sound * 32_767), -32_768, 32_767).astype(np.int16)))


def telephone_speech(path: Path, *, level: float = -24.0) -> Signal:
    """A recording as it comes from an 8 kHz line."""
    narrow = soxr.resample(recording(path) / 32_768.0, LISTENING_RATE, G711_RATE)
    spoken: Signal = narrow * 10 ** (level / 20) / max(1e-9, float(np.sqrt(np.mean(narrow**2))))
    return spoken


def recordings_of_speech(clips: Path) -> list[Path]:
    """Every clip but the helpers: noise, music and a room's echo."""
    return sorted(
        path
        for path in clips.glob("[ABC]_*/*")
        if path.suffix in (".wav", ".flac", ".mp3", ".opus") and not path.name.startswith("noise-")
    )
