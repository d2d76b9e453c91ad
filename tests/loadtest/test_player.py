from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.player import Player


def test_audio_that_comes_on_time_is_played_without_a_gap() -> None:
    player = Player()
    for n in range(50):
        player.arrive(10.0 + 0.02 * n, 0.02)
    assert (player.silence, player.gaps) == (0.0, 0)
    assert player.played == pytest.approx(1.0)


def test_the_buffer_covers_what_is_less_late_than_it_is_long() -> None:
    player = Player(buffer=0.1)
    player.arrive(10.0, 0.02)
    player.arrive(10.115, 0.02)
    assert player.silence == 0.0
    assert player.cushion == pytest.approx(0.005)


def test_running_dry_is_silence_and_playing_goes_on_at_once() -> None:
    player = Player(buffer=0.1)
    player.arrive(10.0, 0.02)
    player.arrive(10.2, 0.02)
    player.arrive(10.25, 0.02)
    assert player.silence == pytest.approx(0.08 + 0.03)
    assert player.worst == pytest.approx(0.08)
    assert player.gaps == 2


def test_a_pause_on_purpose_is_no_gap() -> None:
    player = Player()
    player.arrive(10.0, 0.02)
    player.pause()
    player.arrive(20.0, 0.02)
    assert player.silence == 0.0


@given(st.lists(st.floats(0.0, 0.5), min_size=1, max_size=60))
def test_what_was_played_and_what_was_silent_fill_the_time(waits: list[float]) -> None:
    player, now = Player(buffer=0.1), 0.0
    player.arrive(now, 0.02)
    for wait in waits:
        now += wait
        player.arrive(now, 0.02)
    assert player.dry_at == pytest.approx(0.1 + player.played + player.silence)
