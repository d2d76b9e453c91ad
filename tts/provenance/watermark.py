"""
Put an inaudible mark into speech: a faint echo whose pattern only its key tells.

The mark is time-spread echo hiding: the speech is added to itself at 512 delays between 3 and 67 ms, each
0.4 % of it in amplitude, with signs drawn from the key. To the ear it is a room so dry that it is not heard;
to who knows the signs it is a ripple in the spectrum, a third of a decibel deep, that is the same in every
moment of the recording. A second pattern, fainter and at right angles to the first, is drawn from the
key and the voice that speaks: who knows which voices there are can tell which of them it was. So a
detector needs no beginning, no alignment, no original: it averages. What keeps the spectrum keeps the mark:
gain, cuts, mixing, µ-law, mp3, resampling. What hides it: rooms with an echo as strong as the voice, a change
of speed or pitch, and whoever knows the key.

The echo has the telephone band only, 200 Hz to 3.7 kHz, where every later channel passes it.

Sources: B.-S. Ko, R. Nishimura, Y. Suzuki, *Time-spread echo method for digital audio watermarking*,
IEEE Trans. Multimedia 7(2), 2005; D. Gruhl, A. Lu, W. Bender, *Echo hiding*, 1996. The figures that
``make bench-voice`` prints were measured on this implementation.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256

import numpy as np
import soxr
from numpy.typing import NDArray

from runtime.media.frame import Pcm

MARK_RATE = 8_000
"""Hz of the grid of delays, and at which detection works."""

FIRST_DELAY = 24
DELAYS = 512
"""Samples at :data:`MARK_RATE`: 3 ms to 67 ms. Shorter delays are the speech's own timbre."""

STRENGTH = 0.0042
"""Amplitude of each echo: both patterns together are 20 dB below the speech in the marked band."""

VOICE_STRENGTH = 0.0027
"""Amplitude of each echo of the voice's own pattern: two fifths of the power of the key's."""

BAND = (200.0, 3700.0)
"""Hz."""

DEFAULT_KEY = b"vivavoce"
"""Anyone can find marks of this key, which is its purpose. Marks of a secret key only its owner finds."""


@lru_cache(maxsize=16)
def signs(key: bytes) -> NDArray[np.float64]:
    """The key's pattern, shape ``(512,)``, of -1 and 1."""
    seed = int.from_bytes(sha256(key).digest(), "big")
    pattern: NDArray[np.float64] = np.random.default_rng(seed).choice(np.array([-1.0, 1.0]), DELAYS)
    return pattern


@lru_cache(maxsize=4096)
def voice_signs(key: bytes, voice_id: str) -> NDArray[np.float64]:
    """The pattern of one voice under a key, shape ``(512,)``, of -1 and 1; orthogonal to :func:`signs`."""
    seed = int.from_bytes(sha256(key + b"\0" + voice_id.encode()).digest(), "big")
    agree = np.repeat(np.array([1.0, -1.0]), DELAYS // 2)
    pattern: NDArray[np.float64] = signs(key) * np.random.default_rng(seed).permutation(agree)
    return pattern


@lru_cache(maxsize=64)
def _echo(rate: int, key: bytes, voice_id: str | None) -> NDArray[np.float32]:
    """The impulse response of the echoes alone, without the speech itself, at ``rate`` Hz."""
    band_filter = _band_filter()
    pattern = np.zeros(FIRST_DELAY + DELAYS)
    pattern[FIRST_DELAY:] = STRENGTH * signs(key)
    if voice_id is not None:
        pattern[FIRST_DELAY:] += VOICE_STRENGTH * voice_signs(key, voice_id)
    # The filter's own delay is taken out; what it smears before time zero is too faint to keep.
    response = np.convolve(pattern, band_filter)[len(band_filter) // 2 :]
    if rate != MARK_RATE:
        response = soxr.resample(response, MARK_RATE, rate) * (MARK_RATE / rate)
    return response.astype(np.float32)


def _band_filter() -> NDArray[np.float64]:
    """A linear-phase band-pass at :data:`MARK_RATE`: the ideal one, seen through a Hamming window."""
    at = np.arange(-32, 33)
    low, high = (2 * hz / MARK_RATE for hz in BAND)
    response: NDArray[np.float64] = (high * np.sinc(high * at) - low * np.sinc(low * at)) * np.hamming(65)
    return response


class Watermarker:
    """
    Mark a stream of speech. Adds no delay: each block comes out as long as it went in.

    Any split of the stream into blocks gives the same samples, to one bit of rounding.

    Args:
        rate: Hz, 8000 or more.
        key: Whose mark it is.
        voice_id: Who speaks, for whoever knows the key and this id; None tells nobody.
    """

    def __init__(self, rate: int, *, key: bytes = DEFAULT_KEY, voice_id: str | None = None) -> None:
        if rate < MARK_RATE:
            raise ValueError(f"a mark needs {MARK_RATE} Hz, not {rate}")
        self._echo = _echo(rate, key, voice_id)
        self._past = np.zeros(len(self._echo) - 1, np.float32)
        self._spectrum = np.zeros(0, np.complex128)
        """Of the echo, at the transform size used last."""

    def push(self, samples: Pcm) -> Pcm:
        """The same samples, marked. Clips where the sum is beyond full scale."""
        if not len(samples):
            return samples
        heard = np.concatenate((self._past, samples.astype(np.float32)))
        self._past = heard[len(samples) :]
        size = 1 << (len(heard) - 1).bit_length()
        if len(self._spectrum) != size // 2 + 1:
            self._spectrum = np.fft.rfft(self._echo, size)
        # The circular convolution is the true one wherever all of the echo's past is in the block.
        echo = np.fft.irfft(np.fft.rfft(heard, size) * self._spectrum, size)[len(heard) - len(samples) :]
        marked: Pcm = np.clip(np.rint(samples + echo[: len(samples)]), -32768, 32767).astype(np.int16)
        return marked
