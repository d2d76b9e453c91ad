"""From arrival times to what a caller heard: one row of the table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from loadtest.call import Record
from loadtest.crowd import Result
from loadtest.player import Player

INAUDIBLE = 0.0005
"""Seconds of inserted silence per minute below which a step has held: half a millisecond."""


PAUSE = 0.5
"""Seconds without audio that an agent which answers turns may mean."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a server's processes used while a step was measured."""

    cpu_seconds: float
    rss_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One step of a ramp."""

    server: str
    transport: str
    calls: int
    up: int
    """Calls that came up and were still up at the end."""
    refused: int
    """Calls told no, or not reached at all."""
    refused_for: str
    """What most of them were told; empty where none was refused."""
    dropped: int
    """Calls the server hung up on."""
    silence_ms_per_minute: float
    """Inserted silence in a minute of a call, on average."""
    worst_gap_ms: float
    calls_with_gaps: int
    late_p50_ms: float
    late_p99_ms: float
    late_p999_ms: float
    """Arrival against each call's own grid, by share of packets."""
    answer_p50_ms: float
    """From dialling to the first audio."""
    gap_p50_ms: float | None
    gap_p95_ms: float | None
    """From the end of a caller's turn to the first audio of the answer; None where nobody answers turns."""
    server_cpu_percent: float
    cpu_ms_per_call_second: float
    rss_mb: float
    caller_cpu_percent: float
    caller_late_ms: float

    @property
    def series(self) -> str:
        """What a row is compared within: one server, reached in one way."""
        return self.server if self.transport == "twilio" else f"{self.server} {self.transport}"

    @property
    def held(self) -> bool:
        """Whether everyone was served without a gap."""
        return self.up == self.calls and self.silence_ms_per_minute <= INAUDIBLE * 1000

    def as_json(self) -> dict[str, object]:
        return {**asdict(self), "held": self.held}


def row(
    results: Sequence[Result], *, server: str, transport: str, usage: Usage, seconds: float, steady: bool
) -> Row:
    """
    Put together what the crowds saw and what the server used.

    Args:
        steady: The agent never pauses, so that all silence is inserted; else it answers turns, and a silence
            of more than :data:`PAUSE` is its own.
    """
    records = [(record, result) for result in results for record in result.records]
    up = [
        (record, result)
        for record, result in records
        if not record.refused and not record.closed and (record.arrivals or not steady)
    ]
    players = [_played(record, result, steady=steady) for record, result in up]
    late = (
        np.concatenate([np.zeros(1), *(_lateness(record, result) for record, result in up if steady)]) * 1000
    )
    gaps = np.array([gap for record, _ in up for gap in record.gaps]) * 1000 if not steady else np.zeros(0)
    answered = np.array([record.answered for record, _ in up] or [0.0]) * 1000
    refusals = Counter(record.refused for record, _ in records if record.refused)
    minutes = max(sum(player.played for player in players), 1e-9) / 60
    caller_cpu = max((r.cpu_seconds / max(r.ended - r.began, 1e-9) for r in results), default=0.0)
    return Row(
        server=server,
        transport=transport,
        calls=len(records),
        up=len(up),
        refused=refusals.total(),
        refused_for=next((reason for reason, _ in refusals.most_common(1)), ""),
        dropped=sum(bool(record.closed) for record, _ in records),
        silence_ms_per_minute=1000 * sum(player.silence for player in players) / minutes,
        worst_gap_ms=1000 * max((player.worst for player in players), default=0.0),
        calls_with_gaps=sum(player.gaps > 0 for player in players),
        late_p50_ms=float(np.percentile(late, 50)),
        late_p99_ms=float(np.percentile(late, 99)),
        late_p999_ms=float(np.percentile(late, 99.9)),
        answer_p50_ms=float(np.percentile(answered, 50)),
        gap_p50_ms=float(np.percentile(gaps, 50)) if len(gaps) else None,
        gap_p95_ms=float(np.percentile(gaps, 95)) if len(gaps) else None,
        server_cpu_percent=100 * usage.cpu_seconds / seconds,
        cpu_ms_per_call_second=1000 * usage.cpu_seconds / seconds / max(len(up), 1),
        rss_mb=usage.rss_bytes / 2**20,
        caller_cpu_percent=100 * caller_cpu,
        caller_late_ms=1000 * max(result.late for result in results),
    )


def _played(record: Record, result: Result, *, steady: bool) -> Player:
    """What a player made of the whole call, with only the measured part counted."""
    player = Player()
    counted = Player()
    for at, seconds in zip(record.arrivals, record.seconds, strict=True):
        if not steady and at - player.dry_at > PAUSE:
            player.pause()
        before = player.silence
        player.arrive(at, seconds)
        if result.began <= at <= result.ended:
            counted.played += seconds
            if (gap := player.silence - before) > 0:
                counted.silence += gap
                counted.worst = max(counted.worst, gap)
                counted.gaps += 1
    # A stream that stops altogether never arrives late: count the silence up to the end.
    if steady and (gap := result.ended - player.dry_at) > 0:
        counted.silence += gap
        counted.worst = max(counted.worst, gap)
        counted.gaps += 1
    return counted


def _lateness(record: Record, result: Result) -> NDArray[np.float64]:
    """Seconds by which each packet came later than the call's own steady pace."""
    arrivals, seconds = np.array(record.arrivals), np.array(record.seconds)
    offsets = arrivals - (np.cumsum(seconds) - seconds)
    measured = (arrivals >= result.began) & (arrivals <= result.ended)
    if not measured.any():
        return np.zeros(0)
    steady: NDArray[np.float64] = np.maximum(offsets[measured] - np.median(offsets[measured]), 0.0)
    return steady
