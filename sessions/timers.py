"""The few things one call must not forget to do later, each under its name."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from runtime.clock import Clock


class Timers:
    """
    One-shot timers by name; setting one again replaces it.

    Args:
        clock: Monotonic time of the moments given to :meth:`set`.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def set(self, name: str, when: float, then: Callable[[], None]) -> None:
        """Call ``then`` at ``when``, monotonic seconds; at once, from the loop, where that has passed."""
        self.stop(name)
        delay = max(0.0, when - self._clock.now())
        self._timers[name] = asyncio.get_running_loop().call_later(delay, self._ring, name, when, then)

    def stop(self, name: str) -> None:
        """Forget it. A timer that is not set is no error."""
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    def stop_all(self) -> None:
        for name in list(self._timers):
            self.stop(name)

    def _ring(self, name: str, when: float, then: Callable[[], None]) -> None:
        if self._clock.now() < when:
            # Loops that count in milliseconds (uvloop) ring a little early: who asks the clock would be told
            # that it is not time yet, and never be called again.
            return self.set(name, when, then)
        del self._timers[name]
        return then()
