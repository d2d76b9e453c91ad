from __future__ import annotations

import pytest

from runtime.errors import RateLimited
from runtime.server.limits import RateLimiter


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
