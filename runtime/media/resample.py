"""Change the rate of a stream block by block, as if it had been one piece."""

from __future__ import annotations

from typing import Literal

import numpy as np
import soxr
from numpy.typing import NDArray

from runtime.media.frame import Pcm

Quality = Literal["QQ", "LQ", "MQ", "HQ", "VHQ"]
"""libsoxr's recipes, quick to very high; ``HQ`` is 20 bits clean."""

_NOTHING = np.zeros(0, np.int16)


class StreamResampler:
    """
    A libsoxr resampler that keeps its filter's state between blocks.

    Any split of the input gives the same output, sample for sample, as one piece. The filter looks ahead,
    so output trails input by a few milliseconds until :meth:`flush` gives the tail.

    It runs in float32: libsoxr's own 16-bit output is dithered from a running seed, and no two runs agree.

    Args:
        rate_in: Hz.
        rate_out: Hz. Equal rates pass samples through untouched.
        quality: libsoxr's recipe.

    Raises:
        ValueError: A rate that is not positive.
    """

    def __init__(self, rate_in: int, rate_out: int, *, quality: Quality = "HQ") -> None:
        if rate_in <= 0 or rate_out <= 0:
            raise ValueError(f"rates must be positive, not {rate_in} and {rate_out} Hz")
        self.rate_in = rate_in
        self.rate_out = rate_out
        self._stream = (
            None
            if rate_in == rate_out
            else soxr.ResampleStream(rate_in, rate_out, 1, dtype="float32", quality=quality)
        )

    def push(self, samples: Pcm) -> Pcm:
        """Take a block of any length, and return what is ready, shape ``(m,)``; ``m`` may be 0."""
        if self._stream is None or len(samples) == 0:
            return samples
        return _rounded(self._stream.resample_chunk(samples.astype(np.float32)))

    def flush(self) -> Pcm:
        """Return the tail and start afresh: the next :meth:`push` begins a new stream."""
        if self._stream is None:
            return _NOTHING
        tail = self._stream.resample_chunk(_NOTHING.astype(np.float32), last=True)
        self._stream.clear()
        return _rounded(tail)

    def reset(self) -> None:
        """Forget the state and the tail (a barge-in: nobody will hear it)."""
        if self._stream is not None:
            self._stream.clear()


def _rounded(samples: NDArray[np.float32]) -> Pcm:
    """To the nearest 16-bit value; filters overshoot, so peaks are clipped rather than wrapped."""
    np.rint(samples, out=samples)
    np.minimum(samples, 32_767, out=samples)
    np.maximum(samples, -32_768, out=samples)
    return samples.astype(np.int16)
