from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from runtime.wire.alignment import CharacterClock


@dataclass(frozen=True)
class Word:
    start: float
    end: float
    source: tuple[int, int]


def test_a_word_shares_its_time_evenly_and_gaps_last_until_the_next() -> None:
    clock = CharacterClock("ab, cd!")
    first = clock.take([Word(0.0, 0.2, (0, 2))])
    second = clock.take([Word(0.6, 1.0, (4, 6))])
    rest = clock.rest(1.5)
    assert (first.text, first.starts, first.ends) == ("ab", (0.0, 0.1), (0.1, 0.2))
    assert second.text == ", cd"
    assert second.starts == (0.2, 0.4, 0.6, 0.8)
    assert (rest.text, rest.ends) == ("!", (1.5,))


@given(
    text=st.text(max_size=40),
    cuts=st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50), st.floats(0, 9), st.floats(0, 9))),
    split=st.integers(0, 10),
)
def test_every_character_comes_out_once_in_order_and_time_never_goes_back(
    text: str, cuts: list[tuple[int, int, float, float]], split: int
) -> None:
    words = [Word(min(s, e), max(s, e), (min(a, b), max(a, b))) for a, b, s, e in cuts]
    clock = CharacterClock(text)
    parts = [clock.take(words[:split]), clock.take(words[split:]), clock.rest(10.0)]
    assert "".join(part.text for part in parts) == text
    starts = [start for part in parts for start in part.starts]
    assert starts == sorted(starts)
    assert len(starts) == len(text)
