"""More and more calls until somebody hears a gap: how many a server holds."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from loadtest.crowd import Plan, gather
from loadtest.figures import Row, Usage, row
from loadtest.server import Server


def step(server: Server, plan: Plan, *, crowds: int) -> Row:
    """Let ``plan.calls`` callers in, split over ``crowds`` processes, and see how they fare."""
    if plan.transport == "audiosocket":
        plan = replace(plan, names=server.expect(plan.calls))
    share, extra = divmod(plan.calls, crowds)
    plans, first = [], 0
    for n in range(min(crowds, plan.calls)):
        calls = share + (n < extra)
        rate = plan.dials_per_second / crowds
        plans.append(replace(plan, calls=calls, first=first, dials_per_second=rate))
        first += calls
    meter = Meter(server)
    results = gather(plans, while_running=meter.sample)
    usage, seconds = meter.between(min(r.began for r in results), max(r.ended for r in results))
    return row(
        results,
        server=server.name,
        transport=plan.transport,
        usage=usage,
        seconds=seconds,
        steady=plan.steady,
    )


class Meter:
    """A server's usage, sampled so that it can be told for any stretch of time."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._samples: list[tuple[float, Usage]] = []

    def sample(self) -> None:
        self._samples.append((time.monotonic(), self._server.usage()))

    def between(self, began: float, ended: float) -> tuple[Usage, float]:
        """What was used from about ``began`` to about ``ended``, and how many seconds that really was."""
        first = min(self._samples, key=lambda sample: abs(sample[0] - began))
        last = min(self._samples, key=lambda sample: abs(sample[0] - ended))
        cpu = last[1].cpu_seconds - first[1].cpu_seconds
        return Usage(cpu, last[1].rss_bytes), max(last[0] - first[0], 1e-3)


def ramp(
    server: Server,
    plan: Plan,
    steps: Sequence[int],
    *,
    crowds: int,
    on_row: Callable[[Row], None],
) -> list[Row]:
    """Take the steps in order, and stop after the first that did not hold."""
    rows: list[Row] = []
    for calls in steps:
        rows.append(step(server, replace(plan, calls=calls), crowds=crowds))
        on_row(rows[-1])
        if not rows[-1].held:
            break
        time.sleep(1.0)
    return rows


def capacity(rows: Sequence[Row]) -> int:
    """The most calls that were held; 0 if none were."""
    return max((row.calls for row in rows if row.held), default=0)


def memory_per_call(rows: Sequence[Row]) -> float | None:
    """Kilobytes that one call more costs, from the fewest calls to the most; None where there is one row."""
    fewest, most = min(rows, key=lambda row: row.up), max(rows, key=lambda row: row.up)
    more = most.up - fewest.up
    return (most.rss_mb - fewest.rss_mb) * 2**20 / 1000 / more if more else None


def cores() -> tuple[int | None, int | None]:
    """One processor for the server and another for the callers; None and None where there is only one."""
    available = sorted(os.sched_getaffinity(0))
    return (available[0], available[1]) if len(available) > 1 else (None, None)
