from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts.engines.clone.design import VoiceDesign
from tts.voices.design import BOUNDS, MOST_CANDIDATES, describe, elaborate, recipes, script


def test_words_move_what_they_are_about() -> None:
    plain = recipes("a man's voice", gender="male")[0]
    deep = recipes("a deep, slow and warm man's voice", gender="male")[0]
    assert deep["pitch_hz"] < plain["pitch_hz"]
    assert deep["tract_length"] > plain["tract_length"]
    assert deep["pace"] < plain["pace"]
    assert deep["brightness"] < plain["brightness"]
    bright = recipes("a bright, fast, lively young woman")[0]
    assert bright["pitch_hz"] > 200
    assert bright["pace"] > 1
    assert bright["liveliness"] > 1


@pytest.mark.parametrize(
    ("text", "timbre"), [("a woman", "clear"), ("an old man", "warm"), ("somebody", "bright"), ("", "bright")]
)
def test_the_gender_is_taken_from_the_words(text: str, timbre: str) -> None:
    assert recipes(text)[0]["timbre"] == timbre


@given(text=st.text(max_size=200), gender=st.sampled_from([None, "male", "female", "x"]))
def test_any_text_gives_different_voices_that_the_engine_takes(text: str, gender: str | None) -> None:
    made = recipes(text, gender=gender, count=MOST_CANDIDATES)
    assert len({tuple(sorted(recipe.items())) for recipe in made}) == MOST_CANDIDATES
    for recipe in made:
        VoiceDesign(**recipe)
        assert all(low <= recipe[name] <= high for name, (low, high) in BOUNDS.items())
        assert describe(recipe)


def test_every_word_at_once_stays_in_bounds() -> None:
    for recipe in recipes("deep low old slow dark husky big " * 3, gender="male", count=MOST_CANDIDATES):
        VoiceDesign(**recipe)


def test_a_description_keeps_what_was_wished_for() -> None:
    text = elaborate("male", "like a radio host")
    assert "like a radio host" in text
    assert text.startswith("A man's voice")


def test_scripts_are_in_the_language_asked_for_or_in_english() -> None:
    assert script("de-CH") == script("de") != script("en")
    assert script("xx") == script()
