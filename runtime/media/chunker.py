"""Cut a stream of blocks of any size into frames of one length."""

from __future__ import annotations

import numpy as np

from runtime.media.frame import PTIME, AudioFrame, Pcm


class PcmChunker:
    """
    Blocks of any size in, frames of one ptime out; pts counts from the first sample ever pushed.

    Args:
        rate: Hz of the samples.
        ptime: Seconds in each frame; rounded to whole samples.

    Raises:
        ValueError: A frame would hold less than one sample.
    """

    def __init__(self, *, rate: int, ptime: float = PTIME) -> None:
        self.rate = rate
        self.frame_samples = round(rate * ptime)
        if self.frame_samples < 1:
            raise ValueError(f"{ptime} s at {rate} Hz is less than one sample")
        self._rest = np.zeros(0, np.int16)
        self._pts = 0

    def push(self, samples: Pcm) -> list[AudioFrame]:
        """Take a block, and return the frames it completes."""
        if len(self._rest):
            samples = np.concatenate((self._rest, samples))
        whole = len(samples) // self.frame_samples * self.frame_samples
        frames = [
            self._frame(samples[start : start + self.frame_samples])
            for start in range(0, whole, self.frame_samples)
        ]
        self._rest = samples[whole:].copy()
        return frames

    def flush(self) -> AudioFrame | None:
        """The last samples, filled up with silence to a whole frame; None where nothing is left."""
        if not len(self._rest):
            return None
        last = np.zeros(self.frame_samples, np.int16)
        last[: len(self._rest)] = self._rest
        self._rest = self._rest[:0]
        return self._frame(last)

    def reset(self) -> int:
        """Drop the unfinished frame, and return how many samples it held."""
        dropped = len(self._rest)
        self._rest = self._rest[:0]
        return dropped

    def _frame(self, samples: Pcm) -> AudioFrame:
        frame = AudioFrame(samples=samples, rate=self.rate, pts=self._pts)
        self._pts += self.frame_samples
        return frame
