"""
Which language is spoken: what the gate can honestly say about it, which is what it was told.

No guess is made from the sound. What is at hand without a trained model was tried on 48 English recordings
and three others (two German, one Spanish): the embedded recogniser's acoustic score per frame, its loss
against a free loop of phones, and the cost of its words in the language model. English speakers with an
accent, in a room or in noise lie among the others on every one of them (loss -85 to 63 against -102 to -40,
word cost 34 to 59 against 47 to 56), so a limit that never warns of English warns of one in three at best and
costs more time than all other measures together.
"""

from __future__ import annotations

from collections.abc import Sequence

from tts.voices.voice import Reason

UNKNOWN = "unknown"
"""In place of a guess."""


def other_language(declared: str | None, *, spoken: Sequence[str]) -> Reason | None:
    """
    A warning, where somebody says that the recording is in a language the engine does not speak.

    A recording is never refused for its language: the clone keeps the voice, and speaks the engine's.

    Args:
        declared: BCP-47, as the uploader said; None where nothing was said.
        spoken: BCP-47, of the engine; ``*`` is any.
    """
    ours = {_primary(language) for language in spoken}
    if declared is None or not ours or "*" in ours or _primary(declared) in ours:
        return None
    names = ", ".join(sorted(ours))
    return Reason(
        code="other_language",
        message=f"other language: the recording is declared as {declared}, and this engine speaks {names}",
        fix=f"expect the voice with the accent of {names}; enrol it with an engine that speaks {declared} "
        "if it must speak that",
        metric="language",
        severity="warning",
    )


def _primary(language: str) -> str:
    return language.lower().partition("-")[0]
