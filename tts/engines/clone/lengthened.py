"""
A base voice with a vocal tract of another length.

slt's words are understood better in women's clones when her tract is first made longer; the conversion gives
every sound the mean of its person all the same. Measured in docs/voice.md.
"""

from __future__ import annotations

from dataclasses import replace

from tts.engines.clone.score import BaseVoice, Score
from tts.engines.clone.spectrum import bend


class Lengthened:
    """
    See :class:`~tts.engines.clone.score.BaseVoice`.

    Args:
        ratio: Of the lengths, over 1 for a longer tract; see :func:`~tts.engines.clone.spectrum.bend`.
    """

    def __init__(self, voice: BaseVoice, ratio: float) -> None:
        self.name = f"{voice.name}*{ratio}"
        self.gender = voice.gender
        self.statistical = voice.statistical
        self._voice, self._ratio = voice, ratio

    def score(self, text: str, *, pace: float = 1.0) -> Score:
        """See :meth:`~tts.engines.clone.score.BaseVoice.score`."""
        score = self._voice.score(text, pace=pace)
        return replace(score, cepstra=bend(score.cepstra, self._ratio))
