"""The order of service, on a clock that only the test moves."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts.deadlines import DeadlineQueue


def queue(lead: float = 2.0) -> DeadlineQueue[str]:
    return DeadlineQueue(lead=lead)


def test_the_earliest_deadline_is_served_first() -> None:
    waiting = queue()
    waiting.push("later", deadline=11.0)
    waiting.push("first", deadline=10.0)
    waiting.push("last", deadline=11.5)
    assert [waiting.pop(0, 10.0) for _ in range(4)] == ["first", "later", "last", None]


def test_nothing_is_served_before_its_lead() -> None:
    waiting = queue(lead=2.0)
    waiting.push("a", deadline=10.0)
    assert waiting.ready_at(0) == 8.0
    assert waiting.pop(0, 7.999) is None
    assert waiting.pop(0, 8.0) == "a"


def test_the_patient_are_served_in_turn_when_no_deadline_is_due() -> None:
    waiting = queue(lead=2.0)
    for key in ("p", "q"):
        waiting.push(key, deadline=None)
    waiting.push("timed", deadline=10.0)
    assert waiting.ready_at(0) == -inf
    assert waiting.pop(0, 7.0) == "p"
    waiting.push("p", deadline=None)
    assert waiting.pop(0, 8.0) == "timed"
    assert waiting.pop(0, 8.0) == "q"
    assert waiting.pop(0, 8.0) == "p"


def test_what_has_begun_stays_in_its_lane() -> None:
    waiting = queue()
    waiting.push("of lane 1", deadline=1.0, lane=1)
    waiting.push("anyone's", deadline=2.0)
    assert waiting.pop(0, 5.0) == "anyone's"
    assert waiting.ready_at(0) is None
    assert waiting.pop(0, 5.0) is None
    assert waiting.pop(1, 5.0) == "of lane 1"


def test_moving_and_discarding() -> None:
    waiting = queue()
    waiting.push("a", deadline=1.0)
    waiting.push("b", deadline=2.0)
    waiting.push("a", deadline=3.0, lane=1)
    waiting.discard("b")
    waiting.discard("unknown")
    assert len(waiting) == 1
    assert "b" not in waiting
    assert waiting.pop(0, 9.0) is None
    assert waiting.pop(1, 9.0) == "a"


def test_lateness_is_that_of_the_most_urgent() -> None:
    waiting = queue()
    assert waiting.lateness(5.0) == 0.0
    waiting.push("patient", deadline=None)
    waiting.push("a", deadline=6.0)
    assert waiting.lateness(5.0) == 0.0
    waiting.push("b", deadline=4.5, lane=1)
    assert waiting.lateness(5.0) == pytest.approx(0.5)


@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.floats(0, 100)),
            st.one_of(st.none(), st.integers(0, 2)),
            st.integers(0, 9),
        ),
        max_size=40,
    )
)
def test_it_serves_as_sorting_would(pushes: list[tuple[float | None, int | None, int]]) -> None:
    waiting: DeadlineQueue[int] = DeadlineQueue(lead=1000.0)
    model: dict[int, tuple[float, int, int | None]] = {}
    for number, (deadline, lane, key) in enumerate(pushes):
        waiting.push(key, deadline=deadline, lane=lane)
        model[key] = (inf if deadline is None else deadline, number, lane)
    for lane in range(3):
        mine = sorted((order, key) for key, order in model.items() if order[2] in (None, lane))
        served = [waiting.pop(lane, 0.0) for _ in mine]
        assert served == [key for _, key in mine]
        for key in served:
            assert key is not None
            del model[key]
    assert len(waiting) == 0


def test_fifty_speakers_on_one_lane_never_run_dry() -> None:
    """Each block is 0.3 s of audio and takes 5 ms to make: a load of 5/6, with 50 starts in one moment."""
    waiting: DeadlineQueue[int] = DeadlineQueue(lead=2.0)
    dry_at = {speaker: 1.0 for speaker in range(50)}
    for speaker, deadline in dry_at.items():
        waiting.push(speaker, deadline=deadline)
    now = 0.0
    while now < 20.0:
        speaker = waiting.pop(0, now)
        if speaker is None:
            ready = waiting.ready_at(0)
            assert ready is not None
            assert ready > now
            now = ready
            continue
        now += 0.005
        assert now <= dry_at[speaker]
        dry_at[speaker] += 0.3
        assert dry_at[speaker] - now <= 2.0 + 0.3  # and nobody hoards
        waiting.push(speaker, deadline=dry_at[speaker], lane=0)
