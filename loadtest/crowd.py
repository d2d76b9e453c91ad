"""Many callers in one process, on one timer."""

from __future__ import annotations

import asyncio
import multiprocessing
import multiprocessing.connection
import os
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from loadtest.call import Call, FramedCall, Record, script
from loadtest.framings import FRAMINGS
from loadtest.speech import babble, quiet
from runtime.media.frame import Pcm

WEBRTC = "webrtc"

TRANSPORTS = (*FRAMINGS, WEBRTC)
"""What callers can be reached by."""

SLOTS = 8
"""Into which the packets of a ptime are spread, so that callers do not send in one burst."""


HANG_UPS_PER_SECOND = 500
"""Callers do not all hang up at the same moment either."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a crowd does; picklable, because it does it in a process of its own."""

    transport: str
    """One of :data:`TRANSPORTS`."""
    url: str
    """``ws://host:port``, ``audiosocket://host:port/``, or for WebRTC ``http://host:port``."""
    agent: str
    """Who is called."""
    steady: bool
    """Whether who is called talks without end."""
    calls: int
    names: Sequence[str] = ()
    """What the calls are known by, where the server must have been told beforehand."""
    first: int = 0
    """Number of the first caller."""
    settle: float = 3.0
    """Seconds after the last call came up before anything counts."""
    measure: float = 20.0
    """Seconds that count."""
    dials_per_second: float = 100.0
    key: str = ""
    """Bearer token: an API key, or the telephony token."""
    speech_seconds: float = 2.0
    silence_seconds: float = 6.0
    core: int | None = None
    """Processor to stay on; None leaves that to the system."""


@dataclass(slots=True)
class Result:
    """What a crowd saw."""

    began: float = 0.0
    """Monotonic second from which arrivals count."""
    ended: float = 0.0
    records: list[Record] = field(default_factory=list)
    cpu_seconds: float = 0.0
    """Spent by this process while it measured."""
    late: float = 0.0
    """The most by which a packet of ours was late, seconds: above some 20 ms the caller is the bottleneck."""


async def call_in(plan: Plan) -> Result:
    """Have a crowd call, from this process and its running loop."""
    result = Result()
    calls, ptime = _callers(plan)
    speaking = asyncio.create_task(_speak(calls, ptime, result), name="speak")
    for n, call in enumerate(calls):
        asyncio.get_running_loop().call_later(n / plan.dials_per_second, _dial, call)
    await asyncio.sleep(plan.calls / plan.dials_per_second + plan.settle)
    result.late = 0.0
    result.began, cpu = time.monotonic(), time.process_time()
    await asyncio.sleep(plan.measure)
    result.ended, result.cpu_seconds = time.monotonic(), time.process_time() - cpu
    speaking.cancel()
    for call in calls:
        call.hang_up()
        await asyncio.sleep(1 / HANG_UPS_PER_SECOND)
    result.records = [call.record for call in calls]
    await asyncio.sleep(0.3)
    return result


def _dial(call: Call) -> None:
    task = asyncio.ensure_future(call.dial())
    _DIALLING.add(task)
    task.add_done_callback(_DIALLING.discard)


_DIALLING: set[asyncio.Future[None]] = set()


async def _speak(calls: Sequence[Call], ptime: float, result: Result) -> None:
    """Send every caller's packets, each in its slot of an absolute grid."""
    slots = [calls[n::SLOTS] for n in range(SLOTS)]
    loop = asyncio.get_running_loop()
    epoch = loop.time()
    tick = 0
    while True:
        due = epoch + tick * ptime / SLOTS
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        now = time.monotonic()
        result.late = max(result.late, now - due)
        for call in slots[tick % SLOTS]:
            call.speak(now)
        tick += 1


def _callers(plan: Plan) -> tuple[list[Call], float]:
    """The callers, and the seconds of audio in each packet of theirs."""
    if plan.transport == WEBRTC:
        from loadtest.webrtc import WebRtcCall, opus_script

        said = opus_script(*_words(plan, 48_000))
        callers: list[Call] = [
            WebRtcCall(
                plan.url, said, agent=plan.agent, number=plan.first + n, steady=plan.steady, key=plan.key
            )
            for n in range(plan.calls)
        ]
        return callers, 0.020
    framing = FRAMINGS[plan.transport]
    said = script(framing, *_words(plan, framing.rate))
    headers = {"Authorization": f"Bearer {plan.key}"} if plan.key else {}
    calls: list[Call] = []
    for number in range(plan.first, plan.first + plan.calls):
        name = plan.names[number] if plan.names else f"{number:032x}"
        url = plan.url + framing.path.format(agent=plan.agent, call=name)
        calls.append(
            FramedCall(framing, url, said, name=name, number=number, steady=plan.steady, headers=headers)
        )
    return calls, framing.ptime


def _words(plan: Plan, rate: int) -> tuple[Pcm, Pcm]:
    return babble(plan.speech_seconds, rate=rate), quiet(plan.silence_seconds, rate=rate)


def _run(plan: Plan, report: multiprocessing.connection.Connection) -> None:
    import uvloop

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if plan.core is not None:
        os.sched_setaffinity(0, {plan.core})
    report.send(uvloop.run(call_in(plan)))
    report.close()


def gather(plans: Sequence[Plan], *, while_running: Callable[[], None] = lambda: None) -> list[Result]:
    """
    Run crowds at the same time, each in a process of its own, and bring home what they saw.

    Args:
        while_running: Called twice a second meanwhile.
    """
    context = multiprocessing.get_context("spawn")
    running = []
    for plan in plans:
        here, there = context.Pipe(duplex=False)
        process = context.Process(target=_run, args=(plan, there), name=f"crowd from {plan.first}")
        process.start()
        there.close()
        running.append((process, here))
    results: list[Result] = []
    for process, here in running:
        while not here.poll(0.5):
            while_running()
        try:
            results.append(here.recv())
        except EOFError:
            raise RuntimeError(f"{process.name} ended without a word; see its traceback above") from None
        finally:
            process.join()
    return results
