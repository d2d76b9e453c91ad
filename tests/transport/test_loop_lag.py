from __future__ import annotations

import asyncio
import time

from runtime.clock import SystemClock
from runtime.transport.loop_lag import LoopLag


async def test_a_callback_that_blocks_is_seen() -> None:
    seen: list[float] = []
    probe = LoopLag(SystemClock(), observe=seen.append, interval=0.005)
    probe.start()
    await asyncio.sleep(0.012)
    time.sleep(0.06)  # noqa: ASYNC251 (the stall under test)
    await asyncio.sleep(0.012)
    probe.stop()
    assert probe.worst >= 0.05
    assert probe.worst == max(seen)
    assert probe.quantile(0.0) == 0.0
    counted = len(seen)
    await asyncio.sleep(0.012)
    assert len(seen) == counted
