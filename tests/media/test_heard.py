from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from runtime.media.heard import FORGOTTEN_AFTER, LONGEST_DELAY, Heard, HeardPosition

RATE = 8_000


def test_without_a_mark_the_schedule_is_all_there_is() -> None:
    assert HeardPosition(rate=RATE).at(4_000) == Heard(4_000, 0, 0.0)


def test_a_mark_that_comes_back_on_time_changes_nothing() -> None:
    heard = HeardPosition(rate=RATE)
    heard.sent("a", 1_600, due=10.2)
    assert heard.returned("a", 10.2) == 0.0
    assert heard.at(2_000) == Heard(2_000, 1_600, 0.0)


def test_a_peer_that_plays_late_is_heard_late() -> None:
    heard = HeardPosition(rate=RATE)
    heard.sent("a", 1_600, due=10.2)
    heard.returned("a", 10.45)
    assert heard.at(4_000) == Heard(2_000, 1_600, 0.25)


def test_the_quickest_of_the_last_marks_tells_the_delay() -> None:
    heard = HeardPosition(rate=RATE)
    for n, lag in enumerate((0.9, 0.2, 0.7, 0.8)):
        heard.sent(f"{n}", 1_600 * (n + 1), due=10.0 + 0.2 * n)
        heard.returned(f"{n}", 10.0 + 0.2 * n + lag)
    assert round(heard.delay, 6) == 0.2


def test_marks_seconds_late_are_believed_in_what_they_prove_and_not_in_when() -> None:
    heard = HeardPosition(rate=RATE)
    heard.sent("a", 1_600, due=10.2)
    heard.returned("a", 15.6)
    assert heard.at(48_000) == Heard(48_000 - RATE * int(LONGEST_DELAY), 1_600, LONGEST_DELAY)


def test_lost_marks_hold_nothing_up() -> None:
    heard = HeardPosition(rate=RATE)
    for n in range(40):
        heard.sent(f"{n}", 800 * (n + 1), due=10.0 + 0.1 * n)
        if n % 3:
            heard.returned(f"{n}", 10.1 + 0.1 * n)
    assert heard.at(32_000).confirmed == 31_200
    assert heard.at(40_000).samples == 40_000 - 800


def test_a_mark_that_others_overtook_proves_nothing_new() -> None:
    heard = HeardPosition(rate=RATE)
    heard.sent("a", 800, due=10.0)
    heard.sent("b", 1_600, due=10.1)
    heard.returned("b", 10.15)
    heard.returned("a", 12.0)
    assert heard.at(2_000).confirmed == 1_600
    assert round(heard.delay, 6) == 0.05


def test_marks_that_a_clear_sends_back_do_not_count() -> None:
    heard = HeardPosition(rate=RATE)
    heard.sent("a", 800, due=10.0)
    heard.sent("b", 8_000, due=10.9)
    heard.returned("a", 10.02)
    heard.cleared()
    assert heard.returned("b", 10.03) is None
    assert heard.at(900).confirmed == 800


def test_unknown_and_repeated_marks_are_no_news() -> None:
    heard = HeardPosition(rate=RATE)
    heard.sent("a", 800, due=10.0)
    assert heard.returned("z", 10.0) is None
    assert heard.returned("a", 10.0) == 0.0
    assert heard.returned("a", 99.0) is None


def test_a_players_own_report_counts() -> None:
    heard = HeardPosition(rate=RATE)
    heard.reported(5_000)
    heard.reported(4_000)
    assert heard.at(4_800) == Heard(5_000, 5_000, 0.0)


def test_a_delay_never_reaches_back_before_the_present_spurt() -> None:
    heard = HeardPosition(rate=RATE)
    heard.sent("a", 1_600, due=10.2)
    heard.returned("a", 10.7)
    assert heard.at(16_100, start=16_000).samples == 16_000


def test_marks_that_never_return_are_forgotten_and_counted() -> None:
    heard = HeardPosition(rate=RATE)
    for n in range(FORGOTTEN_AFTER + 5):
        heard.sent(f"{n}", n, due=float(n))
    assert heard.lost == 5
    assert heard.overdue(now=1e6) == FORGOTTEN_AFTER
    assert heard.lost == FORGOTTEN_AFTER + 5
    assert heard.overdue(now=1e6) == 0


@given(
    delay=st.floats(0.0, 0.6),
    loss=st.floats(0.0, 0.8),
    jitter=st.floats(0.0, 5.0),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_estimate_is_never_ahead_of_the_truth_once_a_mark_came_back_and_never_goes_back(
    delay: float, loss: float, jitter: float, seed: int
) -> None:
    """A peer plays ``delay`` late; marks come back later still, in any order, or not at all."""
    rng = random.Random(seed)
    heard = HeardPosition(rate=RATE)
    returning: list[tuple[float, str]] = []
    for n in range(1, 50):
        due = 0.1 * n
        heard.sent(f"{n}", 800 * n, due=due)
        if rng.random() >= loss:
            returning.append((due + delay + rng.uniform(0, jitter), f"{n}"))
    before = 0
    known = False
    for now, name in sorted(returning):
        heard.returned(name, now)
        known = True
        estimate = heard.at(min(round(now * RATE), 800 * 49))
        truth = min((now - delay) * RATE, 800 * 49)
        assert estimate.confirmed <= truth + 1
        if known and now < 4.9:
            assert estimate.samples <= truth + 1
        assert estimate.confirmed >= before
        before = estimate.confirmed
