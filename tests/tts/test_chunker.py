"""Pieces begin early, end where people pause, and do not depend on how the text arrived."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts.text.chunker import FIRST_LIMIT, LIMIT, UNBROKEN_LIMIT, Piece, SpeechChunker


def pieces(text: str, *cuts: int) -> list[Piece]:
    chunker = SpeechChunker()
    made: list[Piece] = []
    for begin, end in zip((0, *cuts), (*cuts, len(text)), strict=True):
        made += chunker.push(text[begin:end])
    return made + chunker.finish()


def texts(text: str) -> list[str]:
    return [piece.text.strip() for piece in pieces(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello there. How are you?", ["Hello there.", "How are you?"]),
        ("Well, yes. Sure.", ["Well, yes.", "Sure."]),
        ("Of course, I can do that. Wait.", ["Of course,", "I can do that.", "Wait."]),
        ("It is 3.14 exactly. Or $5.20, or 1,000.50.", ["It is 3.14 exactly.", "Or $5.20, or 1,000.50."]),
        ("Version 2.0. Then 3.5. Then more.", ["Version 2.0.", "Then 3.5.", "Then more."]),
        ("See Dr. Smith at St. Mary. He waits.", ["See Dr. Smith at St. Mary.", "He waits."]),
        ("We met Mr. J. R. Smith. He left.", ["We met Mr. J. R. Smith.", "He left."]),
        ("In the U.S. Army it is so. Yes.", ["In the U.S. Army it is so.", "Yes."]),
        ("Come at 5 p.m. tomorrow. Bye.", ["Come at 5 p.m. tomorrow.", "Bye."]),
        ("Come at 5 p.m. Tomorrow is late.", ["Come at 5 p.m.", "Tomorrow is late."]),
        ("Pens, e.g. red ones. Also cf. the rest.", ["Pens, e.g. red ones.", "Also cf. the rest."]),
        ("See www.example.com/a.b. Then call.", ["See www.example.com/a.b.", "Then call."]),
        ("Mail a.b@c.org! Now.", ["Mail a.b@c.org!", "Now."]),
        ("It is No. 5 here. No. Never.", ["It is No. 5 here.", "No.", "Never."]),
        ('He said "stop." Then he left.', ['He said "stop."', "Then he left."]),
        ("Really?! Yes... and no… Well.", ["Really?!", "Yes... and no…", "Well."]),
        ("hello there. how are you. so so. fine", ["hello there.", "how are you. so so. fine"]),
        ("1. First thing\n2. Second thing", ["1. First thing", "2. Second thing"]),
        ("a line\nthat goes on. Done.", ["a line\nthat goes on.", "Done."]),
        ("你好。今天天气很好！再见", ["你好。", "今天天气很好！", "再见"]),
        ("", []),
        ("   ", [""]),
        ("word", ["word"]),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert texts(text) == expected


def test_the_first_piece_is_short() -> None:
    text = "I would be very happy to help you with that today, and we can begin at once. " * 4
    first, second, *_ = pieces(text)
    assert first.text == "I would be very happy to help you with that today, "
    assert second.text == "and we can begin at once. "


def test_without_punctuation_pieces_are_cut_between_words() -> None:
    cut = pieces("and so on and on " * 60)
    assert len(cut[0].text) <= FIRST_LIMIT
    assert all(len(piece.text) <= LIMIT for piece in cut)
    assert all(piece.text.endswith(" ") for piece in cut)


def test_a_forced_cut_leaves_numbers_with_their_units() -> None:
    text = "word " * 16 + "costs 250 million dollars more than it did " + "word " * 40
    assert not any(piece.text.rstrip().endswith(("250", "costs 250")) for piece in pieces(text))


def test_a_long_address_is_not_cut() -> None:
    url = "https://example.com/" + "a-long-path/" * 30
    assert len(url) > LIMIT
    assert [piece.text for piece in pieces(f"{url} there.")] == [f"{url} ", "there."]


def test_a_run_without_spaces_is_bounded() -> None:
    cut = pieces("x" * 2000)
    assert [len(piece.text) for piece in cut] == [UNBROKEN_LIMIT] * 3 + [200]


def test_a_cut_leaves_accents_on_their_letters() -> None:
    text = "e" * (UNBROKEN_LIMIT - 1) + "e\u0301\u0302 tail"
    first = pieces(text)[0].text
    assert first == "e" * (UNBROKEN_LIMIT - 1)


def test_hurrying_speaks_what_is_safe() -> None:
    chunker = SpeechChunker()
    assert chunker.push("Let me see whether Dr.") == []
    assert [piece.text for piece in chunker.hurry()] == ["Let me see whether "]
    assert chunker.hurry() == []
    assert [piece.text for piece in chunker.push(" Smith is in. One")] == ["Dr. Smith is in. "]
    assert chunker.pending == "One"
    assert [piece.text for piece in chunker.finish()] == ["One"]


def test_nothing_after_the_end() -> None:
    chunker = SpeechChunker()
    chunker.finish()
    with pytest.raises(ValueError, match="finished"):
        chunker.push("more")


@pytest.mark.parametrize("text", ["a" * 10**6, "word " * 200_000, " " * 10**6, ".\n" * 300_000, "5 " * 10**5])
def test_a_million_characters_are_cut_in_linear_time(text: str) -> None:
    begun = time.process_time()
    cut = pieces(text)
    assert "".join(piece.text for piece in cut) == text
    assert time.process_time() - begun < 10  # a quadratic cut takes minutes


written = st.text(
    alphabet=st.one_of(st.sampled_from("aB3 .,!?\n\"'-—:;$%é。，e\u0301"), st.characters()), max_size=300
)
phrases = st.lists(
    st.sampled_from(
        [
            "Dr. Smith",
            "3.14",
            "e.g.",
            "the end.",
            "Well,",
            "www.a.com/b.c",
            "U.S.",
            "5 p.m.",
            "No.",
            "yes",
            "\n",
            "…",
        ]
    ),
    max_size=60,
).map(" ".join)


@given(st.one_of(written, phrases), st.data())
def test_any_split_gives_the_same_pieces(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=20)))
    assert pieces(text, *cuts) == pieces(text)


@given(st.one_of(written, phrases))
def test_nothing_is_lost_and_positions_are_true(text: str) -> None:
    made = pieces(text)
    assert "".join(piece.text for piece in made) == text
    assert all(text[piece.begin :].startswith(piece.text) for piece in made)
    assert all(piece.text for piece in made)
