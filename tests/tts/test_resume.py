"""Where a sentence goes on after its speaker was lost."""

from __future__ import annotations

import pytest

from runtime.errors import SynthesisFailed
from tts.engine import SpokenWord
from tts.resume import next_unheard

TEXT = "one two three."
WORDS = (
    SpokenWord("one", 0.0, 0.3, (0, 3)),
    SpokenWord("two", 0.3, 0.6, (4, 7)),
    SpokenWord("three.", 0.6, 1.0, (8, 14)),
)


@pytest.mark.parametrize(
    ("begun", "seconds", "rest"),
    [
        (0, 0.0, "one two three."),
        (1, 0.2, "one two three."),
        (1, 0.3, " two three."),
        (2, 0.45, "two three."),
        (2, 0.6, " three."),
        (3, 0.9, "three."),
        (3, 0.997, ""),
        (3, 1.0, ""),
    ],
)
def test_the_first_word_that_did_not_sound_to_its_end(begun: int, seconds: float, rest: str) -> None:
    assert TEXT[next_unheard(TEXT, WORDS[:begun], seconds) :] == rest


def test_punctuation_alone_is_not_worth_resuming() -> None:
    words = (SpokenWord("end", 0.0, 0.3, (0, 3)),)
    assert next_unheard("end ...", words, 0.3) == len("end ...")


def test_without_word_times_nobody_knows() -> None:
    assert next_unheard(TEXT, (), 0.0) == 0
    with pytest.raises(SynthesisFailed, match="no word times"):
        next_unheard(TEXT, (), 0.5)
