"""Decide what is left to say of a text whose speaker was lost in mid-sentence."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.errors import SynthesisFailed
from tts.engine import SpokenWord

ROUNDING = 0.005
"""Seconds by which a word may seem cut and still be whole: word times are rounded, blocks end on samples."""


def next_unheard(text: str, words: Sequence[SpokenWord], seconds: float) -> int:
    """
    Where in ``text`` to begin again: at the first word that did not sound to its end.

    Args:
        words: Those that began, in order, with spans in ``text``.
        seconds: How much of the text's audio there was.

    Returns:
        An index into ``text``; ``len(text)`` when everything was said.

    Raises:
        SynthesisFailed: There was audio but no word times, so nobody knows how far it got.
    """
    if seconds <= 0:
        return 0
    if not words:
        raise SynthesisFailed(
            "the engine was lost in mid-sentence, and it tells no word times to resume from"
        )
    for word in words:
        if word.end > seconds + ROUNDING:
            return word.source[0]
    said = words[-1].source[1]
    return said if any(character.isalnum() for character in text[said:]) else len(text)
