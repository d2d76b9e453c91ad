from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sessions.keypad import KEYS, LONGEST, SETTLE, Keypad


def test_keys_close_together_are_one_entry() -> None:
    keypad = Keypad()
    assert keypad.press("1", 0.0) is None
    assert keypad.press("2", 1.9) is None
    assert keypad.deadline() == 1.9 + SETTLE
    assert keypad.poll(3.8) is None
    assert keypad.poll(3.9) == "12"
    assert keypad.deadline() is None


def test_the_hash_key_ends_an_entry_at_once() -> None:
    keypad = Keypad()
    keypad.press("4", 0.0)
    assert keypad.press("#", 0.1) == "4"


def test_an_entry_of_a_known_length_ends_with_its_last_key() -> None:
    keypad = Keypad()
    assert keypad.press("1", 0.0, wanted=1) == "1"
    assert [keypad.press(key, 0.0, wanted=4) for key in "1980"] == [None, None, None, "1980"]
    assert keypad.deadline() is None


def test_a_hash_alone_is_an_entry() -> None:
    keypad = Keypad()
    assert keypad.press("#", 0.0) is None
    assert keypad.poll(SETTLE) == "#"


def test_a_hash_behind_an_entry_that_its_length_ended_belongs_to_it() -> None:
    keypad = Keypad()
    assert [keypad.press(key, 0.0, wanted=4) for key in "1980"] == [None, None, None, "1980"]
    assert keypad.trails("#", 0.1)
    assert not keypad.trails("#", 0.1), "a second one is a key"


def test_no_other_key_trails() -> None:
    keypad = Keypad()
    assert not keypad.trails("#", 0.0), "there was no entry"
    keypad.press("1", 0.0, wanted=1)
    assert not keypad.trails("#", SETTLE), "too late"
    keypad.press("1", 0.0, wanted=1)
    assert not keypad.trails("2", 0.1)
    keypad.press("4", 0.0)
    assert not keypad.trails("#", 0.1), "it ends the entry"


def test_what_is_no_key_is_ignored() -> None:
    keypad = Keypad()
    for nonsense in ("", "12", "x", " ", "€"):
        assert keypad.press(nonsense, 0.0) is None
    assert keypad.deadline() is None


@given(st.lists(st.sampled_from(sorted(KEYS - {"#"})), max_size=3 * LONGEST))
def test_no_key_is_lost_or_said_twice(keys: list[str]) -> None:
    keypad = Keypad()
    entries = [keypad.press(key, 0.0) for key in keys] + [keypad.poll(SETTLE)]
    assert "".join(filter(None, entries)) == "".join(keys)
    assert all(len(entry) <= LONGEST for entry in entries if entry)
