from __future__ import annotations

import asyncio

from runtime.clock import ManualClock
from sessions.timers import Timers
from tests.virtual_time import LoopClock, VirtualTimeLoop


def test_a_timer_never_rings_before_its_time() -> None:
    async def main() -> None:
        clock = ManualClock()
        timers = Timers(clock)
        rung: list[float] = []
        timers.set("it", 1.0, lambda: rung.append(clock.now()))
        # The loop believes that a second has passed; the clock is a millisecond behind it.
        clock.advance(0.999)
        await asyncio.sleep(1.0)
        assert rung == []
        clock.advance(0.001)
        await asyncio.sleep(0.01)
        assert rung == [1.0]

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(main())


def test_a_timer_that_is_set_again_rings_once_and_one_that_is_stopped_never() -> None:
    async def main() -> None:
        timers = Timers(LoopClock())
        now = LoopClock().now()
        rung: list[str] = []
        timers.set("again", now + 1.0, lambda: rung.append("first"))
        timers.set("again", now + 2.0, lambda: rung.append("second"))
        timers.set("stopped", now + 1.0, lambda: rung.append("stopped"))
        timers.set("past", now - 1.0, lambda: rung.append("past"))
        timers.stop("stopped")
        timers.stop("never set")
        await asyncio.sleep(3.0)
        assert rung == ["past", "second"]

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(main())
