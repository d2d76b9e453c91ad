"""What is there when nobody speaks, against what is there when somebody does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tts.voices.gate.sound import Floats, Sound

_SPEECH_HZ = (150.0, 8_000.0)
"""Where a voice is heard: below lies the rumble of rooms and desks, which costs a voice little."""

_AUDIBLE_HZ = 20.0

_FEW = 15
"""Frames (10 ms) of pause below which a clip is taken to have none."""


@dataclass(frozen=True, slots=True)
class Noise:
    """Each None without speech."""

    snr_db: float | None
    """Mean power of speech over mean power of the pauses, 150 Hz to 8 kHz."""
    rumble_snr_db: float | None
    """The same from 20 Hz up and with every knock counted: low where wind or handling drowns everything."""
    floor_dbfs: float | None
    """Level of the pauses from 20 Hz up."""


def measure_noise(sound: Sound) -> Noise:
    """
    Signal-to-noise ratio of the speech against its own pauses.

    The pauses' *mean* power is taken, not their median or minimum: noise that comes in bursts counts in full.
    A clip trimmed so tightly that it has no pause gives its quietest twentieth instead, which reads a few dB
    low.
    """
    if sound.speaking.sum() < 20:
        return Noise(None, None, None)
    frequency = np.arange(sound.spectrogram.shape[1]) * sound.bin_hz
    low, high = _SPEECH_HZ
    power = sound.spectrogram[:, (frequency >= low) & (frequency < high)].sum(axis=1)
    everything = sound.spectrogram[:, frequency >= _AUDIBLE_HZ].sum(axis=1)
    floor = _pauses(everything, sound, calmest=1.0)
    return Noise(
        snr_db=_ratio_db(power, _pauses(power, sound, calmest=0.98), sound),
        rumble_snr_db=_ratio_db(everything, floor, sound),
        floor_dbfs=float(10 * np.log10(floor * 2 / sound.window_samples + 1e-13)),
    )


def _pauses(power: Floats, sound: Sound, *, calmest: float) -> float:
    """Mean power of the calmest share of the pauses: one part in fifty may be a click or a breath."""
    pauses = power[sound.resting]
    if len(pauses) < _FEW:
        pauses = np.sort(power)[: max(5, len(power) // 20)]
    return float(np.mean(np.sort(pauses)[: max(1, int(calmest * len(pauses)))]))


def _ratio_db(power: Floats, floor: float, sound: Sound) -> float:
    speech = float(np.mean(power[sound.speaking]))
    return float(10 * np.log10(max(speech - floor, 1e-3 * speech) / (floor + 1e-12)))
