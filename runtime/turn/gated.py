"""Spare the model the windows in which nobody can be speaking: most of a telephone call."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

FLOOR_DBFS = -60.0
"""Level below which a window is nobody's speech: a whisper at arm's length is some 10 dB louder."""

HANGOVER = 16
"""Windows (0.5 s) after the last loud one that are still judged, so that pauses between words are."""


class Model(Protocol):
    """What is spared; see :class:`runtime.turn.vad.VadModel`."""

    state_size: int

    def judge(self, windows: Floats, state: Floats) -> Floats: ...


class GatedVad:
    """
    A model that is asked about loud windows and half a second after them; the others are silence.

    A batch of 500 quiet lines then costs what their levels cost, a hundredth of the model's price. The
    caller's state starts afresh when the gate opens.

    Args:
        model: What judges the loud windows.
        floor_dbfs: From which level on a window is loud.
    """

    def __init__(self, model: Model, *, floor_dbfs: float = FLOOR_DBFS) -> None:
        self._model = model
        self._floor_power = 10.0 ** (floor_dbfs / 10.0)
        self.state_size = model.state_size + 1

    def judge(self, windows: Floats, state: Floats) -> Floats:
        """See :meth:`runtime.turn.vad.VadModel.judge`. The last float of a state counts the hangover."""
        power = np.einsum("ij,ij->i", windows, windows) / windows.shape[1]
        left = state[:, -1]
        left[:] = np.where(power >= self._floor_power, HANGOVER + 1, np.maximum(left, 1.0)) - 1
        (asked,) = np.nonzero(left > 0)
        probabilities = np.zeros(len(windows), np.float32)
        if len(asked) == len(windows):
            inner = np.ascontiguousarray(state[:, :-1])
            probabilities[:] = self._model.judge(windows, inner)
            state[:, :-1] = inner
        else:
            if len(asked):
                inner = state[asked, :-1]
                probabilities[asked] = self._model.judge(windows[asked], inner)
                state[asked, :-1] = inner
            state[left == 0, :-1] = 0.0
        return probabilities
