"""
How soon a caller who takes the floor is given it: from the decision to the ``clear`` on the wire.

    python -m tests.bench.clear --calls 500

A server on one core, Twilio calls from another; the agents talk without end, and every few seconds each
caller presses a key, which cuts the agent short as a barge-in by voice does (``sessions/session.py``,
``_interrupt``): one path from the decision on. The server's own figure is ``vivavoce_clear_seconds``. The
caller's counts from the key it sent to the ``clear`` it got, and so has the way there in it, and the wait
behind everybody else's packets.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import sys
import time
from collections.abc import Sequence

import httpx
import numpy as np
import uvloop

from loadtest.call import FramedCall, script
from loadtest.framings import FRAMINGS
from loadtest.ramp import cores
from loadtest.server import vivavoce
from loadtest.speech import babble, quiet

PERIOD = 5.0
"""Seconds between two keys of one caller; in the meantime the agent has begun to talk again."""

SLOTS = 8
"""Into which the packets of a ptime are spread."""

DIALS_PER_SECOND = 100.0
TWILIO = FRAMINGS["twilio"]

_BUCKET = re.compile(r'^vivavoce_clear_seconds_bucket\{le="([^"]+)"\} ([\d.e+]+)$', re.MULTILINE)


class ImpatientCall(FramedCall):
    """A caller who takes the floor again and again, and notes how long each ``clear`` takes to come."""

    def __init__(self, url: str, *, name: str, number: int) -> None:
        super().__init__(TWILIO, url, SPEECH, name=name, number=number, steady=True)
        self.waits: list[float] = []
        """Seconds from the key to the clear."""
        self.unanswered = 0
        self._pressed: float | None = None

    def press(self) -> None:
        """Take the floor."""
        if self._pressed is not None:
            self.unanswered += 1
        self._pressed = time.monotonic()
        key = {"track": "inbound_track", "digit": "1"}
        self._send(json.dumps({"event": "dtmf", "streamSid": self._name, "dtmf": key}))

    def _obey(self, message: str) -> None:
        if '"clear"' in message and self._pressed is not None:
            self.waits.append(time.monotonic() - self._pressed)
            self._pressed = None
        super()._obey(message)


SPEECH = script(TWILIO, babble(2.0, rate=TWILIO.rate), quiet(6.0, rate=TWILIO.rate))


async def conduct(url: str, *, calls: int, seconds: float) -> Sequence[ImpatientCall]:
    """Let everybody dial, and then take the floor in turn for so long."""
    callers = [ImpatientCall(url, name=f"{number:032x}", number=number) for number in range(calls)]
    loop = asyncio.get_running_loop()
    for n, call in enumerate(callers):
        loop.call_later(n / DIALS_PER_SECOND, dial, call)
    speaking = loop.create_task(speak(callers))
    await asyncio.sleep(calls / DIALS_PER_SECOND + 2.0)
    end = time.monotonic() + seconds
    turn = 0
    began = time.monotonic()
    while time.monotonic() < end:
        callers[turn % calls].press()
        turn += 1
        await asyncio.sleep(max(0.0, began + turn * PERIOD / calls - time.monotonic()))
    await asyncio.sleep(0.5)
    speaking.cancel()
    for call in callers:
        call.hang_up()
    await asyncio.sleep(0.5)
    return callers


_DIALLING: set[asyncio.Task[None]] = set()


def dial(call: ImpatientCall) -> None:
    task = asyncio.get_running_loop().create_task(call.dial())
    _DIALLING.add(task)
    task.add_done_callback(_DIALLING.discard)


async def speak(callers: Sequence[ImpatientCall]) -> None:
    """Send every caller's packets, each in its slot of an absolute grid."""
    epoch, tick = time.monotonic(), 0
    while True:
        await asyncio.sleep(max(0.0, epoch + tick * TWILIO.ptime / SLOTS - time.monotonic()))
        now = time.monotonic()
        for call in callers[tick % SLOTS :: SLOTS]:
            call.speak(now)
        tick += 1


def buckets(address: str) -> dict[float, float]:
    """Clears by how long they took at most, cumulative."""
    page = httpx.get(f"http://{address}/metrics").text
    return {float(bound.replace("+Inf", "inf")): float(count) for bound, count in _BUCKET.findall(page)}


def quantile(cumulative: dict[float, float], share: float) -> float:
    """The bound under which so many lie."""
    total = max(cumulative.values())
    return min(bound for bound, count in cumulative.items() if count >= share * total)


def main(arguments: Sequence[str] = ()) -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[1] if __doc__ else None)
    options.add_argument("--calls", type=int, default=500)
    options.add_argument("--seconds", type=float, default=20.0)
    options.add_argument("--agent", choices=("agent_tone", "agent_tone_listening"), default="agent_tone")
    chosen = options.parse_args(arguments)
    server_core, caller_core = cores()
    available = os.sched_getaffinity(0)
    with vivavoce(engine="tone", agent=chosen.agent, core=server_core) as server:
        if caller_core is not None:
            os.sched_setaffinity(0, {caller_core})
        url = f"ws://{server.address}{TWILIO.path.format(agent=server.agent, call='')}"
        callers = uvloop.run(conduct(url, calls=chosen.calls, seconds=chosen.seconds))
        os.sched_setaffinity(0, available)
        decided = buckets(server.address)
    up = sum(not call.record.refused and not call.record.closed for call in callers)
    waits = np.array([wait for call in callers for wait in call.waits]) * 1000
    unanswered = sum(call.unanswered for call in callers)
    print(f"{chosen.calls} calls, {up} up; {len(waits)} clears, {unanswered} keys without one")
    print(f"{'':<40}{'p50':>10}{'p99':>10}{'worst':>10}   ms")
    for name, figures in (
        ("from the decision to the wire, at most", [quantile(decided, q) * 1000 for q in (0.5, 0.99, 1.0)]),
        ("from the key to the clear, at the caller", list(np.percentile(waits, (50, 99, 100)))),
    ):
        print(f"{name:<40}" + "".join(f"{figure:>10.2f}" for figure in figures))


if __name__ == "__main__":
    main(sys.argv[1:])
