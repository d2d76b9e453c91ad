"""Decide whether one more call can be kept, and when it comes in, from how the live ones are faring."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from runtime.errors import AtCapacity

WINDOW = 5.0
"""Seconds over which frames that left too late are counted."""

ENOUGH = 1000
"""Frames from which on their share says something: twenty calls of 100 ms packets, four of 20 ms."""

RETRY_AFTER = 5.0
"""Seconds a refused caller is asked to wait: a window, so that the next answer rests on other figures."""


@dataclass(frozen=True, slots=True)
class Vitals:
    """What is measured of the calls that are up."""

    loop_lag: float
    """Seconds by which nine in ten timers of the last seconds ran late at most."""
    overdue_share: float
    """Share of the last seconds' frames that left after they were due, 0 to 1."""
    synthesis_lateness: float
    """Seconds by which the most urgent call waits for synthesis beyond the end of its audio."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """From where on another call would be at the others' cost."""

    loop_lag: float = 0.1
    overdue_share: float = 0.01
    synthesis_lateness: float = 0.25
    spacing: float = 0.004
    """Seconds between two calls that come in: a burst is taken one by one, beside everybody's frames."""
    longest_queue: float = 2.0
    """Seconds a call may wait for its turn."""


class Refused(AtCapacity):
    """One more call cannot be kept. ``shortage`` is what is short, for the metrics."""

    def __init__(self, message: str, *, shortage: str) -> None:
        super().__init__(message, retry_after=RETRY_AFTER)
        self.shortage = shortage


class Admission:
    """The door. It is told the vitals and the time, and keeps the queue before it."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._next_free = 0.0

    def ask(self, vitals: Vitals, now: float) -> float:
        """
        Returns the monotonic second at which the call may come in, ``now`` or soon.

        Raises:
            Refused: It would make the others stutter, or has too many before it.
        """
        limits = self._limits
        if vitals.synthesis_lateness > limits.synthesis_lateness:
            raise Refused("The server speaks in as many calls as it can keep up with.", shortage="synthesis")
        if vitals.overdue_share > limits.overdue_share:
            raise Refused("The server sends to as many calls as it can keep in time.", shortage="frames")
        if vitals.loop_lag > limits.loop_lag:
            raise Refused("The server is too busy to keep another call in time.", shortage="event_loop")
        turn = max(now, self._next_free)
        if turn - now > limits.longest_queue:
            raise Refused("Too many calls are coming in at once.", shortage="door")
        self._next_free = turn + limits.spacing
        return turn


class OverdueShare:
    """The share of frames that left overdue, over the last :data:`WINDOW` seconds."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int, int]] = deque()

    def sample(self, frames: int, overdue: int, now: float) -> None:
        """Note the running totals; some times a second."""
        self._samples.append((now, frames, overdue))
        while self._samples[0][0] < now - WINDOW:
            self._samples.popleft()

    @property
    def share(self) -> float:
        """0 to 1; 0 while too little was sent to tell."""
        if not self._samples:
            return 0.0
        _, frames, overdue = (b - a for a, b in zip(self._samples[0], self._samples[-1], strict=True))
        return overdue / frames if frames >= ENOUGH else 0.0
