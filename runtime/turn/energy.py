"""A VAD without a model: louder than the noise that was there before."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

FLOOR_DBFS = -65.0
"""Below this nothing is speech, however quiet the room was before."""

MARGIN_DB = 9.0
"""Above the noise floor by this much: as likely speech as not."""

SLOPE_DB = 3.0
"""How many dB take the probability from 0.5 to 0.73."""

RISE_DB = 0.05
"""The floor climbs by this per window (1.6 dB/s) towards a louder room: speech of seconds stays speech."""

FALL = 0.3
"""Share of the way down the floor goes per window when it gets quieter."""


class EnergyVad:
    """
    A fallback where no model's weights are installed, and a stand-in for tests.

    It follows the noise floor, fast downwards and slowly upwards, and calls a window speech by how far it
    stands above. It cannot tell speech from any other loud sound: expect false alarms on music, doors and
    keyboards.
    """

    state_size = 1
    """The noise floor, in dB above the lowest; 0 at the start means "not known yet"."""

    def judge(self, windows: Floats, state: Floats) -> Floats:
        """As :meth:`runtime.turn.silero.SileroVad.judge`."""
        power = np.mean(np.square(windows, dtype=np.float32), axis=1)
        level = np.maximum(10.0 * np.log10(power + 1e-10) - FLOOR_DBFS, 0.0)
        floor = state[:, 0]
        # An unknown floor is taken from the first window, but never as loud as speech near the microphone.
        floor = np.where(floor == 0.0, np.clip(level, 1e-3, 25.0), floor)
        floor = np.where(level < floor, floor + FALL * (level - floor), floor + RISE_DB)
        state[:, 0] = np.maximum(floor, 1e-3)
        excess = np.clip((level - floor - MARGIN_DB) / SLOPE_DB, -30.0, 30.0)
        probability: Floats = np.where(level > 0.0, 1.0 / (1.0 + np.exp(-excess)), 0.0).astype(np.float32)
        return probability
