"""Measure how late the event loop runs its timers: the first sign that a process is full."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from runtime.clock import Clock

INTERVAL = 0.050
"""Seconds between two measurements: finer than any lead, too rare to cost anything."""

WINDOW = 100
"""Measurements kept: the last five seconds."""


class LoopLag:
    """
    A timer that watches itself.

    Args:
        clock: Read directly, because uvloop's own time stands still while callbacks run.
        observe: Told each lag in seconds, for instance a histogram's ``observe``.
        interval: Seconds between measurements.
    """

    def __init__(
        self, clock: Clock, *, observe: Callable[[float], object] | None = None, interval: float = INTERVAL
    ) -> None:
        self._clock = clock
        self._observers = [] if observe is None else [observe]
        self._interval = interval
        self._recent = [0.0] * WINDOW
        self._at = 0
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to measure, in the running loop."""
        loop = asyncio.get_running_loop()
        self._due = self._clock.now() + self._interval
        self._timer = loop.call_later(self._interval, self._measure, loop)

    def also(self, observe: Callable[[float], object]) -> None:
        """Tell somebody else, too."""
        self._observers.append(observe)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def worst(self) -> float:
        """Largest lag of the last five seconds."""
        return max(self._recent)

    def quantile(self, share: float) -> float:
        """The lag that ``share`` (0 to 1) of the last five seconds' measurements stayed below."""
        ordered = sorted(self._recent)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def _measure(self, loop: asyncio.AbstractEventLoop) -> None:
        now = self._clock.now()
        lag = max(0.0, now - self._due)
        self._recent[self._at] = lag
        self._at = (self._at + 1) % WINDOW
        for observe in self._observers:
            observe(lag)
        # The next one counts from its due time, or from now where a stall swallowed more than one.
        self._due = max(self._due + self._interval, now)
        self._timer = loop.call_later(self._due - now, self._measure, loop)
