"""What is played in the place of audio that never came."""

from __future__ import annotations

import numpy as np

from runtime.media.frame import Pcm

FADE = 0.040
"""Seconds over which the last sound is faded out; silence follows. A longer echo is heard as a stutter."""


class Concealer:
    """
    Fill gaps with an echo of the last sound, fading to silence, and fade the sound back in after them.

    Audio goes through unchanged, whatever its length; every sample that was lost is made up for, so that the
    stream keeps its time.

    Args:
        rate: Hz.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._last: Pcm = np.zeros(0, np.int16)
        self._faded = 0
        """Samples of the present gap already filled."""

    def heard(self, samples: Pcm) -> Pcm:
        """Audio that did come; returned with its first 5 ms faded in if it follows a gap."""
        if not len(samples):
            return samples
        if self._faded:
            ramp = min(len(samples), self._rate // 200)
            samples = samples.copy()
            samples[:ramp] = (samples[:ramp] * np.linspace(0.0, 1.0, ramp)).astype(np.int16)
        self._faded = 0
        self._last = samples
        return samples

    def lost(self, count: int) -> Pcm:
        """``count`` samples in the place of those that did not come."""
        filled = np.zeros(count, np.int16)
        fade = round(FADE * self._rate)
        echoed = min(count, max(0, fade - self._faded))
        if echoed and len(self._last):
            # Played backwards first, so that the echo joins what was heard without a step.
            mirrored = np.concatenate((self._last[::-1], self._last))
            at = (np.arange(echoed) + self._faded) % len(mirrored)
            gain = 1.0 - (np.arange(echoed) + self._faded) / fade
            filled[:echoed] = (mirrored[at] * gain).astype(np.int16)
        self._faded += count
        return filled
