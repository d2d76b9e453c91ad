"""The circuit opens after failures in a row, probes after a pause, and closes on success."""

from __future__ import annotations

from tts.engines.breaker import CircuitBreaker


def opened(now: float = 100.0) -> CircuitBreaker:
    breaker = CircuitBreaker(failures=3, pause=2.0, longest_pause=6.0)
    for _ in range(3):
        assert breaker.allows(now)
        breaker.failed(now)
    return breaker


def test_it_opens_after_failures_in_a_row() -> None:
    breaker = CircuitBreaker(failures=3)
    for _ in range(2):
        breaker.failed(0.0)
    breaker.succeeded()
    for _ in range(2):
        breaker.failed(0.0)
    assert breaker.allows(0.0)
    breaker.failed(0.0)
    assert not breaker.allows(0.0)


def test_one_probe_after_the_pause() -> None:
    breaker = opened(100.0)
    assert not breaker.allows(101.9)
    assert breaker.retry_after(101.0) == 1.0
    assert breaker.allows(102.0)
    assert not breaker.allows(102.0)
    breaker.succeeded()
    assert breaker.allows(102.0)
    assert breaker.retry_after(102.0) == 0.0


def test_a_failed_probe_doubles_the_pause_up_to_the_longest() -> None:
    breaker, now = opened(0.0), 0.0
    for pause in (2.0, 4.0, 6.0, 6.0):
        assert not breaker.allows(now + pause - 0.01)
        now += pause
        assert breaker.allows(now)
        breaker.failed(now)


def test_an_abandoned_probe_lets_another_go() -> None:
    breaker = opened(0.0)
    assert breaker.allows(2.0)
    breaker.abandoned()
    assert breaker.allows(2.0)
