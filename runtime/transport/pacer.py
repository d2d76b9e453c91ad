"""Wake up when frames are due, and hand them to the calls' sinks."""

from __future__ import annotations

import asyncio
import logging
import math

from runtime.clock import Clock
from runtime.media.frame import PTIME
from runtime.media.scheduler import FrameScheduler, FrameSink, Playout, Tally

__all__ = ["FrameSink", "Pacer"]

log = logging.getLogger(__name__)

MESSAGES = 32
"""Messages that may come in before it is looked whether frames are due: a third of a millisecond of work."""


class Pacer:
    """
    The frame scheduler on an event loop: one timer for all calls.

    Make one per process, inside the running loop.

    Args:
        clock: Must share its zero with ``loop.time()``, as :class:`runtime.clock.SystemClock` does.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._scheduler = FrameScheduler(wake=self._arm)
        self._timer: asyncio.TimerHandle | None = None
        self._armed_for = math.inf
        self._polling = False
        self._messages = 0

    def __len__(self) -> int:
        """Open streams."""
        return len(self._scheduler)

    @property
    def tally(self) -> Tally:
        """Frames, lateness, underruns since the start."""
        return self._scheduler.tally

    @property
    def queued_seconds(self) -> float:
        """Audio waiting on all streams."""
        return self._scheduler.queued_seconds

    def open(self, sink: FrameSink, *, rate: int, lead: float, ptime: float = PTIME) -> Playout:
        """Add a call. Its frames go to ``sink`` until the playout is closed."""
        return self._scheduler.open(sink, rate=rate, lead=lead, ptime=ptime)

    def between_messages(self) -> None:
        """
        To be called after each message that came in.

        An event loop reads every socket that has something before it looks at its timers: with hundreds of
        callers, and most of all after a stall, that is many milliseconds. What comes due meanwhile leaves
        from here.
        """
        self._messages += 1
        if self._messages < MESSAGES:
            return
        self._messages = 0
        if self._timer is not None and self._armed_for <= self._clock.now():
            self._timer.cancel()
            self._poll()

    async def drained(self, playout: Playout) -> None:
        """Return when all that was pushed has been heard by the clock, or was cleared or closed."""
        while not playout.closed:
            if playout.paused:
                await asyncio.sleep(PTIME)
                continue
            dry_at = playout.dry_at
            if dry_at is None or (dry_at <= self._clock.now() and not playout.queued_samples):
                return
            await asyncio.sleep(max(dry_at - self._clock.now(), PTIME))

    def close(self) -> None:
        """Close every stream and stop the timer."""
        self._scheduler.close()
        if self._timer is not None:
            self._timer.cancel()

    def _arm(self, deadline: float) -> None:
        if self._polling or deadline >= self._armed_for:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._armed_for = deadline
        self._timer = self._loop.call_at(deadline, self._poll)

    def _poll(self) -> None:
        # libuv counts in whole milliseconds and may call a fraction of one early.
        now = max(self._clock.now(), self._armed_for)
        self._polling = True
        for playout, frames, marks in self._scheduler.poll(now):
            sink = playout.sink
            if sink is None:
                continue
            try:
                if frames:
                    sink.send_frames(frames)
                if marks:
                    sink.marks_passed(marks)
            except Exception:
                # One call's fault must not cost the others their frames.
                log.exception("a sink raised; its call is closed")
                playout.sink = None
                playout.close()
        self._polling = False
        self._timer = None
        self._armed_for = math.inf
        if (deadline := self._scheduler.deadline()) is not None:
            self._arm(deadline)
