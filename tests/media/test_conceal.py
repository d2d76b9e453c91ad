from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from runtime.media.conceal import FADE, Concealer
from runtime.media.frame import Pcm

RATE = 48_000


def tone(count: int) -> Pcm:
    return (8000 * np.cos(2 * np.pi * 300 * np.arange(count) / RATE)).astype(np.int16)


def test_what_came_goes_through_unchanged() -> None:
    concealer = Concealer(RATE)
    audio = tone(960)
    assert np.array_equal(concealer.heard(audio), audio)


def test_a_gap_echoes_the_last_sound_and_fades_to_silence() -> None:
    concealer = Concealer(RATE)
    audio = concealer.heard(tone(960))
    filled = concealer.lost(RATE // 5)
    fade = round(FADE * RATE)
    assert abs(int(filled[0]) - int(audio[-1])) < 500
    assert np.abs(filled[: fade // 4]).max() > 6000
    assert np.abs(filled[fade * 3 // 4 : fade]).max() < 2500
    assert not filled[fade:].any()


def test_sound_after_a_gap_fades_in() -> None:
    concealer = Concealer(RATE)
    concealer.heard(tone(960))
    concealer.lost(9600)
    back = concealer.heard(tone(960))
    assert back[0] == 0
    assert np.array_equal(back[240:], tone(960)[240:])
    assert np.array_equal(concealer.heard(tone(960)), tone(960))


def test_nothing_before_a_gap_is_silence() -> None:
    assert not Concealer(RATE).lost(960).any()


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3000)), max_size=20))
def test_every_sample_is_accounted_for_and_a_cut_gap_equals_a_whole_one(
    pieces: list[tuple[bool, int]],
) -> None:
    concealer = Concealer(RATE)
    for came, count in pieces:
        made = concealer.heard(tone(count)) if came else concealer.lost(count)
        assert len(made) == count
        assert made.dtype == np.int16
    whole, cut = Concealer(RATE), Concealer(RATE)
    whole.heard(tone(960))
    cut.heard(tone(960))
    parts = [cut.lost(count) for _, count in pieces]
    total = sum(count for _, count in pieces)
    assert np.array_equal(np.concatenate([*parts, np.zeros(0, np.int16)]), whole.lost(total))
