"""Which windows of which calls are speech: one pass of the model over all calls that have audio."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from runtime.media.frame import Pcm
from runtime.turn.energy import EnergyVad
from runtime.turn.events import WINDOW_SAMPLES, VadWindow
from runtime.turn.silero import SileroVad

__all__ = ["EnergyVad", "SileroVad", "VadBatch", "VadModel", "VadStream"]

Floats = NDArray[np.float32]

SILENCE_DBFS = -96.0


class VadModel(Protocol):
    """What judges windows. It holds no state of any caller."""

    state_size: int
    """Floats a caller's state takes; all zero is the start."""

    def judge(self, windows: Floats, state: Floats) -> Floats:
        """
        Judge one window of each of B callers.

        Args:
            windows: Shape ``(B, 512)``, full scale ±1.
            state: Shape ``(B, state_size)``: each caller's, updated in place.

        Returns:
            Shape ``(B,)``: the probability that somebody speaks.
        """
        ...


class VadStream:
    """One caller's audio on its way to the model. Made by :meth:`VadBatch.open`."""

    def __init__(self, batch: VadBatch, slot: int) -> None:
        self._batch = batch
        self._slot = slot
        # The first _waiting samples of it wait.
        self._pending = np.zeros(2 * WINDOW_SAMPLES, np.int16)
        self._waiting = 0
        self._position = 0

    def push(self, pcm: Pcm) -> None:
        """Add mono int16 at 16 kHz, any length. It is judged by the next :meth:`VadBatch.step`."""
        end = self._waiting + len(pcm)
        if end > len(self._pending):
            grown = np.zeros(2 * end, np.int16)
            grown[: self._waiting] = self._pending[: self._waiting]
            self._pending = grown
        self._pending[self._waiting : end] = pcm
        self._waiting = end

    @property
    def ready_windows(self) -> int:
        """Whole windows that wait to be judged."""
        return self._waiting // WINDOW_SAMPLES

    @property
    def position(self) -> int:
        """First sample that is not judged yet."""
        return self._position

    def close(self) -> None:
        """Leave the batch. Harmless twice."""
        self._batch._release(self)


class VadBatch:
    """
    Windows of many calls, judged together.

    Calls push packets of whatever size their wire has; once per tick somebody calls :meth:`step`, which
    makes one pass of the model for each window that any call has ready. Splitting the audio differently
    changes nothing in the result, and neither do the other calls.

    Args:
        model: Shared; see :class:`VadModel`.
    """

    def __init__(self, model: VadModel) -> None:
        self._model = model
        self._state = np.zeros((8, model.state_size), np.float32)
        self._free = list(range(len(self._state)))
        self._streams: set[VadStream] = set()

    def __len__(self) -> int:
        return len(self._streams)

    def open(self) -> VadStream:
        """Take a new caller in, at sample 0."""
        if not self._free:
            self._free = list(range(len(self._state), 2 * len(self._state)))
            self._state = np.concatenate([self._state, np.zeros_like(self._state)])
        slot = self._free.pop()
        self._state[slot] = 0.0
        stream = VadStream(self, slot)
        self._streams.add(stream)
        return stream

    def step(self) -> list[tuple[VadStream, VadWindow]]:
        """Judge every whole window that waits. Each stream's windows come in their order."""
        judged: list[tuple[VadStream, VadWindow]] = []
        while ready := [stream for stream in self._streams if stream.ready_windows]:
            judged.extend(zip(ready, self._judge(ready), strict=True))
        return judged

    def _judge(self, streams: list[VadStream]) -> list[VadWindow]:
        slots = [stream._slot for stream in streams]
        pcm = np.stack([stream._pending[:WINDOW_SAMPLES] for stream in streams])
        windows = pcm.astype(np.float32) / 32768.0
        state = self._state[slots]
        probabilities = self._model.judge(windows, state)
        self._state[slots] = state
        power = np.mean(windows * windows, axis=1)
        levels = np.maximum(10.0 * np.log10(power + 1e-12), SILENCE_DBFS)
        judged = []
        for stream, probability, level in zip(streams, probabilities.tolist(), levels.tolist(), strict=True):
            judged.append(VadWindow(stream._position, probability, level))
            stream._waiting -= WINDOW_SAMPLES
            stream._pending[: stream._waiting] = stream._pending[WINDOW_SAMPLES:][: stream._waiting]
            stream._position += WINDOW_SAMPLES
        return judged

    def _release(self, stream: VadStream) -> None:
        if stream in self._streams:
            self._streams.remove(stream)
            self._free.append(stream._slot)
            stream._waiting = 0
