"""The one clock that enters the house. Pure parts never see it: they are told ``now``."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Seconds on a monotonic scale whose zero means nothing, and seconds since the Unix epoch."""

    def now(self) -> float:
        """Monotonic seconds: deadlines, lateness, durations."""
        ...

    def wall(self) -> float:
        """Seconds since 1970-01-01 UTC: what people and rows are told."""
        ...


class SystemClock:
    """The machine's clocks. ``now`` shares its zero with ``loop.time()`` of asyncio and uvloop on Linux."""

    def now(self) -> float:
        return time.monotonic()

    def wall(self) -> float:
        return time.time()


class ManualClock:
    """A clock that moves when told to, for tests and replays."""

    def __init__(self, now: float = 0.0, *, wall: float = 1_700_000_000.0) -> None:
        self._now = now
        self._wall_offset = wall - now

    def now(self) -> float:
        return self._now

    def wall(self) -> float:
        return self._now + self._wall_offset

    def advance(self, seconds: float) -> None:
        """Move forward. Raises ValueError for a step back: monotonic clocks have none."""
        if seconds < 0:
            raise ValueError(f"a monotonic clock cannot go back {-seconds} s")
        self._now += seconds
