"""Decide whether a remote engine is worth asking. No clock is read here: callers pass ``now``."""

from __future__ import annotations


class CircuitBreaker:
    """
    Stop asking a server that keeps failing, and try it again now and then.

    Closed, everything passes. After ``failures`` in a row it opens for ``pause`` seconds, twice as long
    each time it opens again, up to ``longest_pause``. When the pause is over one request passes as a
    probe: its success closes the circuit, its failure opens it again.

    Source: M. Nygard, *Release It!*, "Circuit Breaker".
    """

    def __init__(self, *, failures: int = 5, pause: float = 2.0, longest_pause: float = 60.0) -> None:
        self._limit = failures
        self._first_pause = self._pause = pause
        self._longest_pause = longest_pause
        self._failures = 0
        self._opens_at: float | None = None
        """When the pause ends; None while closed."""
        self._probing = False

    def allows(self, now: float) -> bool:
        """Whether a request may go out. A True while open makes that request the probe."""
        if self._opens_at is None:
            return True
        if now < self._opens_at or self._probing:
            return False
        self._probing = True
        return True

    def retry_after(self, now: float) -> float:
        """Seconds until the next probe; 0 while closed."""
        return 0.0 if self._opens_at is None else max(0.0, self._opens_at - now)

    def succeeded(self) -> None:
        """The server answered: forget the past."""
        self._failures = 0
        self._pause = self._first_pause
        self._opens_at = None
        self._probing = False

    def failed(self, now: float) -> None:
        """The server did not answer, or not in time."""
        self._failures += 1
        if self._probing or self._failures >= self._limit:
            self._opens_at = now + self._pause
            self._pause = min(self._longest_pause, 2 * self._pause)
            self._probing = False

    def abandoned(self) -> None:
        """The request ended without telling anything of the server: if it was the probe, another may go."""
        self._probing = False
