"""
Decide how much of our audio a caller has heard, from three witnesses of whom none can be trusted alone.

*The schedule* knows when each sample is due at a peer that plays without delay. Real peers play later: the
network, their jitter buffer, the telephone line behind a carrier.

*Marks* come back when the audio before them was played. They prove that it was, but they travel back, too,
and they are late (5 s on average in one report from the field), lost (a third of them in the same), and out
of order. So a mark is believed in what it proves: everything before it has been heard. When it comes back
tells the peer's delay, and what counts is the *smallest* lag of the last marks, because a mark can be late
for many reasons but never early.

*Reports* of clients that own their player say outright what was played.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

RECENT_LAGS = 8
"""Marks whose lags are compared: some seconds of speech."""

LONGEST_DELAY = 1.0
"""Seconds. No telephone line delays more; a larger lag says that marks are late, not that audio is."""

FORGOTTEN_AFTER = 256
"""Marks waited for at a time; an older one that still comes back proves nothing new."""


LONGEST_WAIT = 30.0
"""Seconds after which a mark counts as lost."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What the caller has heard, and how surely."""

    samples: int
    """Position on the outgoing stream."""
    confirmed: int
    """Position up to which a mark or a report proves it; at most ``samples``."""
    delay: float
    """Seconds by which the peer is taken to lag behind the schedule."""


class HeardPosition:
    """
    The fused position of one outgoing stream.

    Positions count samples from the first ever pushed, as in :mod:`runtime.media.scheduler`.

    Args:
        rate: Hz of the stream.
    """

    def __init__(self, *, rate: int) -> None:
        self.lost = 0
        """Marks that later ones overtook, or that were waited for too long."""
        self._rate = rate
        # name -> position, and when the schedule expects it to sound; in the order sent.
        self._awaited: dict[str, tuple[int, float]] = {}
        self._lags: deque[float] = deque(maxlen=RECENT_LAGS)
        self._confirmed = 0

    def sent(self, name: str, position: int, *, due: float) -> None:
        """A mark went out behind ``position``, whose last sample is due at ``due``, monotonic seconds."""
        self._awaited[name] = (position, due)
        if len(self._awaited) > FORGOTTEN_AFTER:
            self._awaited.pop(next(iter(self._awaited)))
            self.lost += 1

    def returned(self, name: str, now: float) -> float | None:
        """
        A mark came back. Returns its lag in seconds behind the schedule; None where it was not waited for:
        unknown, come twice, or cleared.
        """
        awaited = self._awaited.pop(name, None)
        if awaited is None:
            return None
        position, due = awaited
        lag = now - due
        if position >= self._confirmed:
            self._confirmed = position
            self._lags.append(min(max(lag, 0.0), LONGEST_DELAY))
        return lag

    def reported(self, position: int) -> None:
        """The peer's own player says that it has played up to ``position``."""
        self._confirmed = max(self._confirmed, position)

    def cleared(self) -> None:
        """The peer's buffer was emptied: marks that come back now prove nothing."""
        self._awaited.clear()

    @property
    def delay(self) -> float:
        """Seconds by which the peer lags behind the schedule, by the last marks; 0 without any."""
        return min(self._lags, default=0.0)

    def at(self, scheduled: int, *, start: int = 0) -> Heard:
        """
        Fuse.

        Args:
            scheduled: Position that the schedule takes to be heard now.
            start: Where the present talk spurt begins: nothing before it is unheard any more.
        """
        delayed = scheduled - round(self.delay * self._rate)
        samples = min(max(delayed, self._confirmed, start), max(scheduled, self._confirmed))
        return Heard(samples, min(self._confirmed, samples), self.delay)

    def overdue(self, now: float) -> int:
        """Give up marks whose audio sounded long ago; returns how many."""
        gone = [name for name, (_, due) in self._awaited.items() if now - due > LONGEST_WAIT]
        for name in gone:
            del self._awaited[name]
        self.lost += len(gone)
        return len(gone)
