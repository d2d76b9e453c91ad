"""
Two base voices as one: the first speaks, and its sounds lie between the two.

What belongs to one synthesiser rather than to the words cancels in the mean of two. Clones of women are
recognised better, the person and the words, through slt with rms than through slt alone: see docs/voice.md.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tts.engines.clone.score import HOP, BaseVoice, Floats, Score


class Duet:
    """
    See :class:`~tts.engines.clone.score.BaseVoice`.

    Args:
        first: Gives timing and melody.
        second: Says the same text in the same phones; where it does not, ``first`` speaks alone.
        share: Of the second's spectrum, 0 to 1.
    """

    def __init__(self, first: BaseVoice, second: BaseVoice, *, share: float) -> None:
        self.name = f"{first.name}+{second.name}"
        self.gender = first.gender
        self.statistical = first.statistical and second.statistical
        self._first, self._second, self._share = first, second, np.float32(share)

    def score(self, text: str, *, pace: float = 1.0) -> Score:
        """See :meth:`~tts.engines.clone.score.BaseVoice.score`."""
        led = self._first.score(text, pace=pace)
        other = self._second.score(text, pace=pace)
        if [segment.phone for segment in led.segments] != [segment.phone for segment in other.segments]:
            return led
        return replace(led, cepstra=led.cepstra + self._share * (_in_time(other, led) - led.cepstra))


def _in_time(score: Score, leader: Score) -> Floats:
    """The spectra of ``score``, each phone stretched to its time in ``leader``."""
    if not len(leader.cepstra):
        return leader.cepstra
    theirs = np.array([0.0, *(segment.end for segment in score.segments)])
    leading = np.array([0.0, *(segment.end for segment in leader.segments)])
    place = np.interp(np.arange(len(leader.cepstra)) * HOP, leading, theirs) / HOP
    place = np.clip(place, 0, len(score.cepstra) - 1)
    lower = place.astype(int)
    upper = np.minimum(lower + 1, len(score.cepstra) - 1)
    part = (place - lower).astype(np.float32)[:, None]
    stretched: Floats = score.cepstra[lower] * (1 - part) + score.cepstra[upper] * part
    return stretched
