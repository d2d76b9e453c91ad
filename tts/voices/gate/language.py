"""Which language is spoken: what the gate can honestly say about it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LanguageGuess:
    language: str
    """BCP-47, or ``unknown``."""
    reason: str


def guess_language() -> LanguageGuess:
    """
    ``unknown``: acoustic measures tell languages apart no better than chance on ten seconds.

    A recording in another language is never refused for it; the clone keeps the voice and speaks English.
    """
    return LanguageGuess("unknown", "no language model is consulted; the voice is taken whatever it speaks")
