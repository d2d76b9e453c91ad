"""
Decide when every frame of every call leaves. No clock is read here: callers pass ``now``.

**Grid.** The first frame of a talk spurt leaves at once and sets an *epoch*; the frame that begins *s*
samples into the spurt is due at ``epoch + s / rate``. Due times are multiples from the epoch, so errors never
add up.

**Lead.** A frame may leave up to ``lead`` seconds before it is due: the peer's buffer then holds that much,
and a stall of the event loop shorter than ``lead`` is never heard.

**Slots.** Time is cut into ticks of 2.5 ms, eight to a 20 ms packet. Each stream owns one of the eight
phases, the least crowded one when it opened, and its frames leave at ticks of that phase only; that gives
up less than one ptime of lead and spares the process a burst of all calls at once. Streams wait in buckets
keyed by tick, so a poll touches the streams that are due and no others, whatever the number of calls.

**Catch-up.** After a stall the overdue frames leave at once, and audio never runs more than ``lead``
ahead of the grid. A frame overdue by more than ``SLACK`` has been missed whatever we do: its stream starts
a new grid, so that the peer is not left holding the stall's length of audio for the rest of the spurt.

**Positions** count samples ever pushed on a stream, cleared ones included, so each sample has one position
for the life of the call.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Protocol, TypeAlias

from runtime.errors import TransportClosed
from runtime.media.frame import PTIME, EncodedFrame

TICKS_PER_SECOND = 400
PHASES = 8
"""Ticks in :data:`PTIME`."""

SLACK = 0.100
"""Seconds a frame may be overdue and keep its place on the grid: the cushion players are assumed to hold."""

TOLERANCE = PTIME
"""Seconds past its due time from which a frame is overdue: less than any peer's buffer holds."""

LATENESS_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.010, 0.020, 0.040, 0.080, 0.160, 0.320, math.inf)
"""Upper bounds in seconds of :attr:`Tally.lateness`."""

_ROUNDING = 1e-6
"""Ticks (2.5 ns) by which a float may miss the integer it stands for."""


@dataclass(frozen=True, slots=True)
class Cleared:
    """What a clear took back."""

    frames: Sequence[EncodedFrame]
    """The frames that never left, oldest first."""
    samples: int
    """How many samples they hold."""
    marks: tuple[str, ...]
    """Marks that never left."""
    heard: int
    """Position up to which the caller has heard, by the clock."""
    in_flight: int
    """Samples that left and had not been heard: what the peer's own clear must drop."""


@dataclass(slots=True)
class Tally:
    """Counts since the process started, kept as plain integers because they are touched for every frame."""

    frames: int = 0
    overdue: int = 0
    """Frames that left more than :data:`TOLERANCE` after they were due, the lead used up."""
    underruns: int = 0
    """Times a stream ran dry in the middle of speech."""
    stalls: int = 0
    """Times a stream had to start a new grid because its frames left more than ``SLACK`` overdue."""
    lateness: list[int] = field(default_factory=lambda: [0] * len(LATENESS_BUCKETS))
    """Frames by how long after their slot they left; one count per bucket, not cumulative."""
    lateness_seconds: float = 0.0
    """Sum of all lateness."""


class FrameSink(Protocol):
    """Where a call's frames go. Neither method may block or raise."""

    def send_frames(self, frames: Sequence[EncodedFrame]) -> None:
        """Put frames on the wire, oldest first."""
        ...

    def marks_passed(self, names: Sequence[str]) -> None:
        """Everything before these marks has been handed to :meth:`send_frames`."""
        ...


class Playout:
    """
    One call's outgoing stream. Made by :meth:`FrameScheduler.open`.

    Args:
        sink: Carried for the shell; the scheduler never calls it.
        rate: Samples per second that :attr:`EncodedFrame.samples` count.
        lead: Seconds a frame may leave before it is due.
        phase: The stream's phase, 0 to ``PHASES - 1``.
    """

    __slots__ = (
        "_closed",
        "_draining",
        "_epoch",
        "_finished",
        "_flight",
        "_grid_from",
        "_heard_floor",
        "_left",
        "_marks",
        "_paused",
        "_pushed",
        "_queue",
        "_scheduler",
        "_sent_marks",
        "_since",
        "_spread",
        "_tick",
        "lead",
        "phase",
        "rate",
        "sink",
        "underruns",
    )

    def __init__(
        self,
        scheduler: FrameScheduler,
        sink: FrameSink | None,
        *,
        rate: int,
        lead: float,
        ptime: float,
        phase: int,
    ) -> None:
        self.sink = sink
        self.rate = rate
        self.lead = lead
        self.phase = phase
        self.underruns = 0
        self._scheduler = scheduler
        # A stream with no lead to give up is not held back to its phase.
        self._spread = lead >= PTIME
        self._queue: deque[EncodedFrame] = deque()
        self._marks: deque[tuple[int, str]] = deque()
        # What the peer may still hold, for a pause that rewinds.
        in_flight = math.ceil((lead + SLACK) / ptime) + 1
        self._flight: deque[EncodedFrame] = deque(maxlen=in_flight)
        self._sent_marks: deque[tuple[int, str]] = deque(maxlen=in_flight)
        self._epoch: float | None = None
        self._grid_from = 0
        # When the frame at the head of the queue came to stand there with nothing before it.
        self._since = 0.0
        self._heard_floor = 0
        self._pushed = 0
        self._left = 0
        # The bucket this stream waits in; None while it has nothing to send.
        self._tick: int | None = None
        self._paused = False
        self._finished = True
        self._draining = False
        self._closed = False

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def paused(self) -> bool:
        return self._paused

    @property
    def queued_samples(self) -> int:
        """Samples that have not left."""
        return self._pushed - self._left

    @property
    def pushed_samples(self) -> int:
        """Position the next pushed sample will have."""
        return self._pushed

    @property
    def left_samples(self) -> int:
        """Position of the next sample to leave."""
        return self._left

    @property
    def dry_at(self) -> float | None:
        """
        When the caller will have heard everything pushed so far; synthesis must deliver before.

        None while nothing is playing: before the first push, after a clear, or paused.
        """
        if self._epoch is None or self._paused:
            return None
        return self._epoch + (self._pushed - self._grid_from) / self.rate

    def push(self, frames: Sequence[EncodedFrame], now: float) -> None:
        """
        Queue frames. The first ones after silence start a new grid at ``now``.

        Raises:
            TransportClosed: The stream was closed, or is draining.
        """
        if self._closed or self._draining:
            raise TransportClosed("nothing can be pushed on a playout that is closed or draining")
        if not frames:
            return
        if not self._queue:
            self._continue_or_restart(now)
        self._finished = False
        self._queue.extend(frames)
        for frame in frames:
            self._pushed += frame.samples
        self._file()

    def mark(self, name: str) -> int:
        """Put a label behind everything pushed so far; it leaves in order. Returns its position."""
        if self._closed:
            raise TransportClosed("nothing can be marked on a closed playout")
        self._marks.append((self._pushed, name))
        if not self._queue and not self._paused:
            self._scheduler._file(self, 0)
        return self._pushed

    def finish(self) -> None:
        """Say that the utterance is complete: running dry is now silence, not an underrun."""
        self._finished = True

    def clear(self, now: float) -> Cleared:
        """
        Drop what has not left and forget the grid (barge-in).

        The cost does not depend on the number of calls: the queue is handed over as it is, and the
        stream's place in its bucket is passed over when its tick comes.
        """
        heard = self.heard(now)
        cleared = Cleared(
            frames=self._queue,
            samples=self._pushed - self._left,
            marks=tuple(name for _, name in self._marks),
            heard=heard,
            in_flight=max(0, self._left - heard),
        )
        self._queue = deque()
        self._marks.clear()
        self._flight.clear()
        self._sent_marks.clear()
        self._left = self._pushed
        self._heard_floor = heard
        self._epoch = None
        self._tick = None
        self._finished = True
        self._paused = False
        return cleared

    def pause(self, now: float, *, rewind: bool = False) -> int:
        """
        Let nothing more leave until :meth:`resume`, and return the position heard so far.

        Without ``rewind`` the peer plays out what it holds and the next sample follows on resume: none is
        lost, none is said twice. With ``rewind``, for peers whose buffer the caller now clears, frames that
        were not heard to their end go back to the head of the queue: at most one frame is said again.
        """
        heard = self.heard(now)
        if self._paused:
            return heard
        self._paused = True
        self._tick = None
        if rewind and self._epoch is not None:
            while self._flight and self._left > heard:
                frame = self._flight.pop()
                self._queue.appendleft(frame)
                self._left -= frame.samples
            while self._sent_marks and self._sent_marks[-1][0] > self._left:
                self._marks.appendleft(self._sent_marks.pop())
            self._heard_floor = min(heard, self._left)
            self._epoch = None
        return heard

    def resume(self, now: float) -> None:
        """Let frames leave again, from the exact sample where they stopped."""
        if not self._paused:
            return
        self._paused = False
        if self._queue:
            finished, self._finished = self._finished, True
            self._continue_or_restart(now)
            self._finished = finished
            self._file()
        elif self._marks:
            self._scheduler._file(self, 0)

    def drain(self) -> None:
        """Accept no more; the stream closes when its last frame has left."""
        self._draining = True
        self._finished = True
        if not self._queue and not self._marks:
            self.close()

    def heard(self, now: float) -> int:
        """Position up to which the caller has heard, by the clock: never more than has left."""
        if self._epoch is None:
            return self._heard_floor
        elapsed = int((now - self._epoch) * self.rate + _ROUNDING)
        return min(self._left, self._grid_from + max(0, elapsed))

    def close(self) -> None:
        """Drop everything and leave the scheduler. Closing twice is allowed."""
        if self._closed:
            return
        self._closed = True
        self._tick = None
        self._queue.clear()
        self._marks.clear()
        self._flight.clear()
        self._scheduler._leave(self)

    def _continue_or_restart(self, now: float) -> None:
        """Keep the grid if the peer still holds audio; else the next frame is due at ``now``."""
        if self._paused:
            return
        self._since = now
        if self._epoch is not None and now <= self._next_due():
            return
        if self._epoch is not None and not self._finished:
            self.underruns += 1
            self._scheduler.tally.underruns += 1
        self._start_grid(now)

    def _start_grid(self, now: float) -> None:
        self._heard_floor = self._left
        self._epoch = now
        self._grid_from = self._left

    def _next_due(self) -> float:
        assert self._epoch is not None
        return self._epoch + (self._left - self._grid_from) / self.rate

    def _slot(self, due: float) -> int:
        """Tick at which a frame that is due then may leave."""
        tick = math.ceil((due - self.lead) * TICKS_PER_SECOND - _ROUNDING)
        if self._spread:
            tick += (self.phase - tick) % PHASES
        return tick

    def _file(self) -> None:
        if self._tick is not None or not self._queue or self._paused:
            return
        due = self._next_due()
        first = self._left == self._grid_from
        tick = math.floor(due * TICKS_PER_SECOND) if first else self._slot(due)
        self._scheduler._file(self, tick)


Release: TypeAlias = tuple[Playout, list[EncodedFrame], tuple[str, ...]]
"""Frames to send now, oldest first, and the marks that follow the last of them."""


class FrameScheduler:
    """
    All calls of a process, one timer.

    The shell sleeps until :meth:`deadline` and then calls :meth:`poll`.

    Args:
        wake: Called with the new deadline, in monotonic seconds, whenever something earlier than the
            deadline answered so far has to leave.
    """

    def __init__(self, *, wake: Callable[[float], None] | None = None) -> None:
        self.tally = Tally()
        self._wake = wake
        self._streams: set[Playout] = set()
        self._phase_load = [0] * PHASES
        self._buckets: dict[int, list[Playout]] = {}
        # Heap of the keys of _buckets.
        self._ticks: list[int] = []

    def __len__(self) -> int:
        """Open streams."""
        return len(self._streams)

    @property
    def queued_seconds(self) -> float:
        """Audio waiting on all streams."""
        return sum(playout.queued_samples / playout.rate for playout in self._streams)

    def open(self, sink: FrameSink | None = None, *, rate: int, lead: float, ptime: float = PTIME) -> Playout:
        """
        Add a stream.

        Args:
            sink: Where the shell will send its frames.
            rate: Samples per second of the frames it will carry.
            lead: Seconds a frame may leave before it is due, 0 or more.
            ptime: Seconds in its usual frame.

        Raises:
            ValueError: A rate or ptime that is not positive, or a negative lead.
        """
        if rate <= 0 or ptime <= 0 or lead < 0:
            raise ValueError(f"rate {rate} and ptime {ptime} must be positive, lead {lead} not negative")
        phase = self._phase_load.index(min(self._phase_load))
        playout = Playout(self, sink, rate=rate, lead=lead, ptime=ptime, phase=phase)
        self._phase_load[phase] += 1
        self._streams.add(playout)
        return playout

    def close(self) -> None:
        """Close every stream."""
        for playout in list(self._streams):
            playout.close()

    def deadline(self) -> float | None:
        """Monotonic seconds at which to poll next; None while nothing waits."""
        return self._ticks[0] / TICKS_PER_SECOND if self._ticks else None

    def poll(self, now: float) -> list[Release]:
        """Everything whose time has come, in the order in which it must be sent on each stream."""
        released: list[Release] = []
        this_tick = math.floor(now * TICKS_PER_SECOND + _ROUNDING)
        while self._ticks and self._ticks[0] <= this_tick:
            tick = heappop(self._ticks)
            for playout in self._buckets.pop(tick):
                # A stream cleared, paused, closed or filed elsewhere since is passed over.
                if playout._tick == tick:
                    playout._tick = None
                    self._release(playout, now, this_tick, released)
        return released

    def _release(self, playout: Playout, now: float, this_tick: int, released: list[Release]) -> None:
        frames: list[EncodedFrame] = []
        marks = playout._marks
        queue = playout._queue
        if queue:
            if playout._left == playout._grid_from:
                # The first frame is heard from when it leaves, be that a little after it was pushed.
                playout._epoch = now
            elif now - playout._next_due() > SLACK:
                self.tally.stalls += 1
                playout._start_grid(now)
        while True:
            if marks and marks[0][0] <= playout._left:
                names = []
                while marks and marks[0][0] <= playout._left:
                    playout._sent_marks.append(marks[0])
                    names.append(marks.popleft()[1])
                released.append((playout, frames, tuple(names)))
                frames = []
            if not queue:
                break
            due = playout._next_due()
            slot = this_tick if playout._left == playout._grid_from else playout._slot(due)
            if slot > this_tick:
                self._file(playout, slot)
                break
            late = now - max(slot / TICKS_PER_SECOND, playout._since)
            self._count(late, overdue=now > due + TOLERANCE)
            frame = queue.popleft()
            playout._left += frame.samples
            playout._flight.append(frame)
            frames.append(frame)
        if frames:
            released.append((playout, frames, ()))
        if playout._draining and not queue and not marks:
            playout.close()

    def _count(self, late: float, *, overdue: bool) -> None:
        tally = self.tally
        tally.frames += 1
        tally.overdue += overdue
        tally.lateness[bisect_left(LATENESS_BUCKETS, late)] += 1
        tally.lateness_seconds += late

    def _file(self, playout: Playout, tick: int) -> None:
        playout._tick = tick
        bucket = self._buckets.get(tick)
        if bucket is not None:
            bucket.append(playout)
            return
        self._buckets[tick] = [playout]
        heappush(self._ticks, tick)
        if self._ticks[0] == tick and self._wake is not None:
            self._wake(tick / TICKS_PER_SECOND)

    def _leave(self, playout: Playout) -> None:
        self._streams.discard(playout)
        self._phase_load[playout.phase] -= 1
