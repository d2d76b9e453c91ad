from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import RateLimited
from runtime.server.limits import OwnBuckets, RateLimiter, SharedBuckets


def test_a_burst_passes_up_to_the_bucket_and_then_waits() -> None:
    limiter = RateLimiter(60)
    for _ in range(60):
        limiter.take("a", now=0.0)
    with pytest.raises(RateLimited) as caught:
        limiter.take("a", now=0.0)
    assert caught.value.retry_after == pytest.approx(1.0)
    limiter.take("b", now=0.0)
    limiter.take("a", now=1.0)
    with pytest.raises(RateLimited):
        limiter.take("a", now=1.5)


def test_a_bucket_never_holds_more_than_a_minutes_worth() -> None:
    limiter = RateLimiter(2)
    limiter.take("a", now=0.0)
    for _ in range(2):
        limiter.take("a", now=1e6)
    with pytest.raises(RateLimited):
        limiter.take("a", now=1e6)


def test_zero_is_no_limit() -> None:
    limiter = RateLimiter(0)
    for _ in range(1000):
        limiter.take("a", now=0.0)


def allowed(limiter: RateLimiter, key: str, *, now: float) -> bool:
    try:
        limiter.take(key, now=now)
    except RateLimited:
        return False
    return True


def test_processes_take_from_one_bucket(tmp_path: Path) -> None:
    here, there = (RateLimiter(10, SharedBuckets(tmp_path / "limits")) for _ in range(2))
    assert sum(allowed(one, "a", now=5.0) for _ in range(10) for one in (here, there)) == 10
    assert allowed(there, "b", now=5.0)
    assert allowed(here, "a", now=11.0)
    assert not allowed(there, "a", now=11.0)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 30)), max_size=60))
def test_a_shared_bucket_is_a_bucket(
    tmp_path_factory: pytest.TempPathFactory, calls: list[tuple[str, float]]
) -> None:
    shared = SharedBuckets(tmp_path_factory.mktemp("buckets") / "limits")
    one, other = RateLimiter(5, OwnBuckets()), RateLimiter(5, shared)
    now = 0.0
    for key, pause in calls:
        now += pause
        assert allowed(one, key, now=now) == allowed(other, key, now=now)
    shared.close()


def test_a_full_row_forgets_who_has_been_quiet_for_longest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SharedBuckets, "ROWS", 1)
    limiter = RateLimiter(1, SharedBuckets(tmp_path / "limits"))
    for number in range(SharedBuckets.PLACES):
        assert allowed(limiter, f"key{number}", now=1.0 + number)
    assert not allowed(limiter, "key0", now=9.0)  # and is heard of again
    assert allowed(limiter, "one more", now=9.5)
    assert not allowed(limiter, "key0", now=9.6)
    assert allowed(limiter, "key1", now=9.7)  # forgotten, which is kind


def test_a_machine_that_was_started_again_counts_from_zero(tmp_path: Path) -> None:
    limiter = RateLimiter(2, SharedBuckets(tmp_path / "limits"))
    assert allowed(limiter, "a", now=1e6)
    assert allowed(limiter, "a", now=3.0)
    assert not allowed(limiter, "a", now=3.0)
    assert allowed(limiter, "a", now=33.5)
