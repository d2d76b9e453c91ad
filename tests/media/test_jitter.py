from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.media.jitter import JitterBuffer, Lost


def test_packets_in_order_pass_straight_through() -> None:
    buffer = JitterBuffer[str]()
    assert [buffer.push(n, str(n)) for n in (7, 8, 9)] == [["7"], ["8"], ["9"]]


def test_two_swapped_packets_are_put_in_order() -> None:
    buffer = JitterBuffer[str]()
    buffer.push(1, "1")
    assert buffer.push(3, "3") == []
    assert buffer.push(2, "2") == ["2", "3"]


def test_a_missing_packet_is_given_up_when_enough_wait_behind_it() -> None:
    buffer = JitterBuffer[str](depth=2)
    buffer.push(1, "1")
    assert buffer.push(3, "3") == buffer.push(4, "4") == []
    assert buffer.push(5, "5") == [Lost(1), "3", "4", "5"]
    assert buffer.push(2, "2") == []
    assert (buffer.lost, buffer.late) == (1, 1)


def test_without_depth_a_gap_is_a_loss_at_once() -> None:
    buffer = JitterBuffer[str](depth=0)
    buffer.push(1, "1")
    assert buffer.push(5, "5") == [Lost(3), "5"]


def test_a_packet_that_comes_twice_is_played_once() -> None:
    buffer = JitterBuffer[str]()
    buffer.push(1, "1")
    buffer.push(3, "3")
    assert buffer.push(3, "3") == []
    assert buffer.push(1, "1") == []
    assert buffer.late == 2


def test_numbers_wrap() -> None:
    buffer = JitterBuffer[int](modulus=65_536)
    assert [buffer.push(n, n) for n in (65_534, 65_535, 0, 1)] == [[65_534], [65_535], [0], [1]]


def test_a_great_jump_is_a_restart_and_not_a_loss() -> None:
    buffer = JitterBuffer[int]()
    buffer.push(50_000, 50_000)
    buffer.push(50_002, 50_002)
    assert buffer.push(1, 1) == [Lost(1), 50_002, 1]
    assert buffer.lost == 1


def test_flush_gives_what_waits() -> None:
    buffer = JitterBuffer[int]()
    buffer.push(1, 1)
    buffer.push(3, 3)
    assert buffer.flush() == [Lost(1), 3]
    assert buffer.flush() == []


@pytest.mark.parametrize(("depth", "modulus", "reset_after"), [(-1, None, 10), (4, 16, 10), (10, None, 10)])
def test_settings_that_cannot_work_are_refused(depth: int, modulus: int | None, reset_after: int) -> None:
    with pytest.raises(ValueError, match="need 0"):
        JitterBuffer[int](depth=depth, modulus=modulus, reset_after=reset_after)


@given(
    arrivals=st.lists(st.integers(0, 60), max_size=120),
    depth=st.integers(0, 6),
    start=st.sampled_from([0, 65_500]),
)
def test_what_is_played_is_in_order_and_accounts_for_every_number(
    arrivals: list[int], depth: int, start: int
) -> None:
    buffer = JitterBuffer[int](depth=depth, modulus=65_536)
    played: list[int | Lost] = []
    for number in arrivals:
        played += buffer.push((start + number) % 65_536, number)
    played += buffer.flush()
    position = arrivals[0] if arrivals else 0
    for item in played:
        if isinstance(item, Lost):
            position += item.count
        else:
            assert item == position
            position += 1
    packets = [item for item in played if not isinstance(item, Lost)]
    assert len(packets) + buffer.late == len(arrivals)
