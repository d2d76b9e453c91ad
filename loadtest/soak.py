"""
``python -m loadtest.soak``: callers come and go for half an hour, and the server's memory must not.

    python -m loadtest.soak                            thirty minutes, a hundred calls at a time
    python -m loadtest.soak --minutes 5 --calls 50     less of it

Half of the callers reach an agent that talks without end, the others one that listens and answers; each stays
for some seconds, hangs up in mid-word, and another takes the place. Memory is read all the while; where the
median of the last quarter of the time is more than one per cent above that of the second quarter (the first
one fills caches), or a call was dropped or never heard the agent that talks, the exit status is 1. Calls that
were refused are told, and are no fault: a server that is full says so.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import uvloop

from loadtest.call import FramedCall, Record, Script, script
from loadtest.framings import FRAMINGS
from loadtest.server import Server, vivavoce
from loadtest.speech import babble, quiet

TALKER = "agent_tone"
TWILIO = FRAMINGS["twilio"]

STAY = (3.0, 30.0)
"""Seconds a caller stays, at least and at most."""

SLOTS = 8
"""Into which the packets of a ptime are spread."""

SAMPLES = 48
"""Times that memory is read, evenly spread: enough for a median of each quarter."""

ALLOWED = 1.0
"""Per cent by which memory may have grown."""


Fate = Literal["refused", "dropped", "silent"]
"""What became of a call that was none: told to try again, hung up on, or up without hearing anything."""


@dataclass(frozen=True, slots=True)
class Sample:
    """How the server was at one moment."""

    at: float
    """Seconds since the first caller dialled."""
    rss_mb: float
    cpu_seconds: float
    up: int
    """Calls that were up."""
    calls: int
    """Calls that were over."""
    refused: int
    """Those of them that never came up."""
    failed: int
    """Those of them that were dropped, or never heard the agent that talks."""


class Crowd:
    """
    So many callers at a time, each replaced when it has stayed long enough.

    Args:
        server: Whom they call: its own agent listens, and :data:`TALKER` talks.
        calls: How many at a time.
        stay: Seconds, at least and at most.
    """

    def __init__(
        self, server: Server, *, calls: int, stay: tuple[float, float] = STAY, seed: int = 1
    ) -> None:
        self._server = server
        self._stay = stay
        self._random = random.Random(seed)
        self._script: Script = script(TWILIO, babble(2.0, rate=TWILIO.rate), quiet(4.0, rate=TWILIO.rate))
        self._up: list[FramedCall | None] = [None] * calls
        self._made = 0
        self.over = 0
        self.fates: Counter[Fate] = Counter()

    @property
    def up(self) -> int:
        return sum(call is not None for call in self._up)

    @property
    def failed(self) -> int:
        return self.fates["dropped"] + self.fates["silent"]

    async def run(self, seconds: float) -> None:
        """Come and go for so long; returns when the last has hung up."""
        end = time.monotonic() + seconds
        async with asyncio.TaskGroup() as tasks:
            speaking = tasks.create_task(self._speak())
            seats = [tasks.create_task(self._take_turns(seat, end)) for seat in range(len(self._up))]
            await asyncio.wait(seats)
            speaking.cancel()

    async def _take_turns(self, seat: int, end: float) -> None:
        """One seat: caller after caller."""
        await asyncio.sleep(self._random.uniform(0.0, min(self._stay[1], (end - time.monotonic()) / 8)))
        talks = seat % 2 == 0
        while (left := end - time.monotonic()) > 0:
            call = self._next_caller(talks=talks)
            await call.dial()
            self._up[seat] = call
            await asyncio.sleep(min(left, self._random.uniform(*self._stay)))
            self._up[seat] = None
            self.over += 1
            if (fate := fate_of(call.record, talks=talks)) is not None:
                self.fates[fate] += 1
            call.hang_up()

    def _next_caller(self, *, talks: bool) -> FramedCall:
        self._made += 1
        name = f"{self._made:032x}"
        agent = TALKER if talks else self._server.agent
        url = f"ws://{self._server.address}{TWILIO.path.format(agent=agent, call=name)}"
        return FramedCall(TWILIO, url, self._script, name=name, number=self._made, steady=talks)

    async def _speak(self) -> None:
        epoch, tick = time.monotonic(), 0
        while True:
            await asyncio.sleep(max(0.0, epoch + tick * TWILIO.ptime / SLOTS - time.monotonic()))
            now = time.monotonic()
            for call in self._up[tick % SLOTS :: SLOTS]:
                if call is not None:
                    call.speak(now)
            tick += 1


def fate_of(record: Record, *, talks: bool) -> Fate | None:
    """What went wrong with a call that is over; None where nothing did."""
    if record.refused:
        return "refused"
    if record.closed:
        return "dropped"
    return "silent" if talks and not record.arrivals else None


async def soak(
    server: Server, crowd: Crowd, *, seconds: float, on_sample: Callable[[Sample], None]
) -> list[Sample]:
    """Let callers come and go, and read the server's memory meanwhile."""
    began = time.monotonic()
    samples: list[Sample] = []
    running = asyncio.ensure_future(crowd.run(seconds))
    for n in range(1, SAMPLES + 1):
        due = began + n * seconds / SAMPLES - 0.1
        await asyncio.wait([running], timeout=max(0.0, due - time.monotonic()))
        usage = server.usage()
        samples.append(
            Sample(
                time.monotonic() - began,
                usage.rss_bytes / 2**20,
                usage.cpu_seconds,
                crowd.up,
                crowd.over,
                crowd.fates["refused"],
                crowd.failed,
            )
        )
        on_sample(samples[-1])
    await running
    return samples


def growth(samples: Sequence[Sample]) -> float:
    """Per cent by which the median of the last quarter's memory is above that of the second quarter's."""
    quarter = len(samples) // 4
    if quarter == 0:
        return 0.0
    second = statistics.median(sample.rss_mb for sample in samples[quarter : 2 * quarter])
    last = statistics.median(sample.rss_mb for sample in samples[-quarter:])
    return 100 * (last / second - 1.0)


def line(sample: Sample) -> str:
    """One row of the table."""
    return (
        f"{sample.at / 60:>8.1f}{sample.up:>8}{sample.calls:>10}{sample.refused:>9}{sample.failed:>9}"
        f"{sample.rss_mb:>10.1f}{sample.cpu_seconds:>10.1f}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; 1 where memory grew by more than is allowed, or calls were dropped."""
    options = argparse.ArgumentParser(prog="python -m loadtest.soak", description="Does memory stay flat?")
    options.add_argument("--minutes", type=float, default=30.0)
    options.add_argument("--calls", type=int, default=100, help="at a time (default 100)")
    options.add_argument(
        "--allowed", type=float, default=ALLOWED, help=f"per cent of growth (default {ALLOWED:g})"
    )
    options.add_argument(
        "--stay",
        default="{:g},{:g}".format(*STAY),
        help="seconds, at least and at most (default %(default)s)",
    )
    chosen = options.parse_args(arguments)
    shortest, longest = map(float, chosen.stay.split(","))
    print(f"{'minutes':>8}{'up':>8}{'over':>10}{'refused':>9}{'failed':>9}{'RSS MB':>10}{'CPU s':>10}")
    with vivavoce(engine="tone", agent="echo", core=None) as server:
        crowd = Crowd(server, calls=chosen.calls, stay=(shortest, longest))
        samples = uvloop.run(
            soak(
                server,
                crowd,
                seconds=chosen.minutes * 60,
                on_sample=lambda sample: print(line(sample), flush=True),
            )
        )
    grown, last = growth(samples), samples[-1]
    print(
        f"{last.calls} calls, {last.refused} refused, {last.failed} failed; memory grew by {grown:.2f} %",
        end="",
    )
    print(f", {chosen.allowed:g} % is allowed")
    return int(grown > chosen.allowed or last.failed > 0)


if __name__ == "__main__":
    sys.exit(main())
