from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.turn.completeness import judge_completeness, looks_complete


@pytest.mark.parametrize(
    "text",
    [
        "yes", "No.", "thank you", "what time do you open", "I'd like a table for two please",
        "can you hear me", "Where is it?", "that's all", "I would like it for tomorrow", "I DON'T KNOW",
        "so what does that cost", "it doesn’t work anymore",
    ],
)  # fmt: skip
def test_finished(text: str) -> None:
    assert judge_completeness(text) == "finished"
    assert looks_complete(text)


@pytest.mark.parametrize(
    "text",
    [
        "I want to", "my name is", "and", "so um", "I need a flight from", "the number is", "well,",
        "it was...",
        "can I speak to", "yes but", "I'm looking for a", "she was very",
        "three four five,",
    ],
)  # fmt: skip
def test_unfinished(text: str) -> None:
    assert judge_completeness(text) == "unfinished"
    assert not looks_complete(text)


@pytest.mark.parametrize(
    "text", ["", "   ", "blue suede shoes", "four one five", "ja genau das", "はい", "?!"]
)
def test_unclear(text: str) -> None:
    assert judge_completeness(text) == "unclear"


@given(st.text(max_size=200))
def test_any_text_is_judged(text: str) -> None:
    assert judge_completeness(text) in ("finished", "unfinished", "unclear")
