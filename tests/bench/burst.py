"""
What those who are up hear while a crowd dials at the same moment.

    python -m tests.bench.burst --calls 200 --burst 100

A server on one core, callers on another; the agents talk without end. Silence is what a player with a buffer
of 100 ms would have heard in the calls that were up before, from the first dial to two seconds after the last
answer; it is to be 0. Who dials waits in a queue before the door (``sessions/admission.py``), so the answer
takes longer for the last of them.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Sequence

import numpy as np
import uvloop

from loadtest.player import Player
from loadtest.ramp import cores
from loadtest.server import vivavoce
from tests.bench.clear import DIALS_PER_SECOND, TWILIO, ImpatientCall, dial, speak

SETTLE = 2.0
"""Seconds before the burst and after it."""

PATIENCE = 10.0
"""Seconds the last of the burst may take to be answered."""


async def conduct(
    url: str, *, calls: int, burst: int
) -> tuple[list[ImpatientCall], list[ImpatientCall], float]:
    """Let ``calls`` in one by one and ``burst`` at once. Returns both, and when the burst dialled."""
    everybody = [ImpatientCall(url, name=f"{n:032x}", number=n) for n in range(calls + burst)]
    speaking = asyncio.get_running_loop().create_task(speak(everybody))
    before, crowd = everybody[:calls], everybody[calls:]
    for call in before:
        dial(call)
        await asyncio.sleep(1 / DIALS_PER_SECOND)
    await asyncio.sleep(SETTLE)
    began = time.monotonic()
    for call in crowd:
        dial(call)
    give_up = began + PATIENCE
    while time.monotonic() < give_up and not all(map(settled, crowd)):  # noqa: ASYNC110 (calls have no event)
        await asyncio.sleep(0.05)
    await asyncio.sleep(SETTLE)
    speaking.cancel()
    for call in everybody:
        call.hang_up()
    await asyncio.sleep(0.5)
    return before, crowd, began


def main(arguments: Sequence[str] = ()) -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[1] if __doc__ else None)
    options.add_argument("--calls", type=int, default=200)
    options.add_argument("--burst", type=int, default=100)
    chosen = options.parse_args(arguments)
    server_core, caller_core = cores()
    available = os.sched_getaffinity(0)
    with vivavoce(engine="tone", agent="agent_tone", core=server_core) as server:
        if caller_core is not None:
            os.sched_setaffinity(0, {caller_core})
        url = f"ws://{server.address}{TWILIO.path.format(agent=server.agent, call='')}"
        before, crowd, began = uvloop.run(conduct(url, calls=chosen.calls, burst=chosen.burst))
        os.sched_setaffinity(0, available)
    silence = sum(late(call, began) for call in before) * 1000
    answered = np.array([call.record.answered for call in crowd if call.record.arrivals] or [0.0]) * 1000
    refused = sum(bool(call.record.refused) for call in crowd)
    print(f"{len(before)} calls up, {len(crowd)} more at the same moment: {refused} of them refused")
    print(f"silence heard in the calls that were up   {silence:.1f} ms in all")
    p50, worst = np.percentile(answered, (50, 100))
    print(f"dialling to first audio, in the burst     p50 {p50:.0f} ms, worst {worst:.0f} ms")


def settled(call: ImpatientCall) -> bool:
    """Whether it is known what became of it."""
    return bool(call.record.arrivals or call.record.refused)


def late(call: ImpatientCall, since: float) -> float:
    """Seconds of silence that were inserted from ``since`` on."""
    player, before = Player(), 0.0
    for at, seconds in zip(call.record.arrivals, call.record.seconds, strict=True):
        player.arrive(at, seconds)
        if at < since:
            before = player.silence
    return player.silence - before


if __name__ == "__main__":
    main(sys.argv[1:])
