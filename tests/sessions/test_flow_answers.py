from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions.brains.flow.answers import (
    longest_match,
    parse_digits,
    parse_number,
    parse_text,
    parse_yes_no,
    words_of,
)


@pytest.mark.parametrize(
    ("said", "digits"),
    [
        ("four one five", "415"),
        ("it's 4 1 5", "415"),
        ("oh seven double two", "0722"),
        ("triple nine", "999"),
        ("nineteen eighty four", "1984"),
        ("twenty twenty", "2020"),
        ("nothing", None),
        ("", None),
    ],
)
def test_digits_as_people_say_them(said: str, digits: str | None) -> None:
    assert parse_digits(words_of(said)) == digits


def test_digits_of_another_length_are_none() -> None:
    assert parse_digits(["one", "two"], length=3) is None
    assert parse_digits(["one", "two", "three"], length=3) == "123"


@pytest.mark.parametrize(
    ("said", "number"),
    [
        ("two hundred and five", "205"),
        ("a hundred", "100"),
        ("twenty-one", "21"),
        ("three thousand four hundred twelve", "3412"),
        ("one million two thousand", "1002000"),
        ("I have 42 of them", "42"),
        ("about seven I think", "7"),
        ("zero", "0"),
        ("many", None),
        ("a few and more", None),
    ],
)
def test_numbers_as_people_say_them(said: str, number: str | None) -> None:
    assert parse_number(words_of(said)) == number


@given(st.integers(0, 999_999_999))
def test_a_number_in_figures_is_itself(number: int) -> None:
    assert parse_number([str(number)]) == str(number)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("yes please", "yes"),
        ("yeah that's right", "yes"),
        ("no", "no"),
        ("that's not right", "no"),
        ("no yes no", "no"),
        ("perhaps", None),
        ("", None),
    ],
)
def test_yes_and_no(said: str, meant: str | None) -> None:
    assert parse_yes_no(words_of(said)) == meant


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Um, my name is John Smith.", "John Smith"),
        ("it's Joan", "Joan"),
        ("Joan", "Joan"),
        ("I'm", "I'm"),
        ("...", None),
        ("", None),
    ],
)
def test_an_answer_loses_its_lead_in(said: str, kept: str | None) -> None:
    assert parse_text(said) == kept


def test_phrases_match_as_whole_words() -> None:
    assert longest_match(words_of("what are your opening hours"), ["hours", "opening hours"]) == 2
    assert longest_match(words_of("reopening hoursglass"), ["hours", "opening hours"]) == 0


@given(st.text(max_size=80))
def test_any_text_is_understood_or_not(text: str) -> None:
    words = words_of(text)
    for value in (parse_digits(words), parse_number(words)):
        assert value is None or value.isdecimal()
