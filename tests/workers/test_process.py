"""A child answers in order, its errors cross, and its death is survived."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import uvloop

from runtime.errors import EngineUnavailable, GateRejected, RateLimited, VoiceNotReady, WorkerDied
from runtime.workers import WorkerGroup, WorkerProcess
from tests.workers.services import Desk, broken, once, stillborn


@pytest.fixture
async def desk() -> AsyncIterator[WorkerProcess]:
    worker = WorkerProcess(Desk, name="desk")
    await worker.start()
    yield worker
    await worker.close()


async def test_values_cross_both_ways(desk: WorkerProcess) -> None:
    assert await desk.call("echo", {"a": (1, 2.5, None), "b": b"\x00" * 10}) == {
        "a": (1, 2.5, None),
        "b": b"\x00" * 10,
    }
    assert np.array_equal(await desk.call("samples", 24_000), np.arange(24_000, dtype=np.int16))
    large = os.urandom(3_000_000)
    assert await desk.call("echo", large) == large


async def test_it_is_another_process(desk: WorkerProcess) -> None:
    assert desk.alive
    assert desk.pid == await desk.call("pid") != os.getpid()


async def test_calls_are_served_in_order(desk: WorkerProcess) -> None:
    assert await asyncio.gather(*(desk.call("count") for _ in range(50))) == list(range(1, 51))
    assert desk.pending == 0


async def test_errors_cross_with_their_type_and_contents(desk: WorkerProcess) -> None:
    with pytest.raises(GateRejected) as rejected:
        await desk.call("reject")
    assert rejected.value.report == {"speech_seconds": 1.5}
    with pytest.raises(RateLimited) as limited:
        await desk.call("limit")
    assert limited.value.retry_after == 2.5
    with pytest.raises(VoiceNotReady) as unready:
        await desk.call("unready")
    assert (unready.value.param, unready.value.fix) == ("voice", "wait")
    with pytest.raises(ZeroDivisionError) as divided:
        await desk.call("divide", 1, 0)
    assert "in divide" in divided.value.__notes__[0]


async def test_what_cannot_be_pickled_is_told_in_words(desk: WorkerProcess) -> None:
    with pytest.raises(RuntimeError, match="Strange: nobody else knows me"):
        await desk.call("local_error")
    with pytest.raises(TypeError, match="cannot pickle"):
        await desk.call("unpicklable")
    with pytest.raises(AttributeError):
        await desk.call("no_such_method")
    assert await desk.call("count") == 1


async def test_a_cancelled_call_is_forgotten(desk: WorkerProcess) -> None:
    slow = asyncio.create_task(desk.call("sleep", 0.05))
    queued = asyncio.create_task(desk.call("count"))
    await asyncio.sleep(0)
    slow.cancel()
    queued.cancel()
    assert await desk.call("count") == 1


@pytest.mark.parametrize(("fatal", "how"), [(("crash",), "signal 9"), (("exit", 3), "status 3")])
async def test_death_fails_the_call_served_and_no_other(
    desk: WorkerProcess, fatal: tuple[str, int], how: str
) -> None:
    assert await desk.call("count") == 1
    generation, pid = desk.generation, desk.pid
    dying = asyncio.create_task(desk.call(*fatal))
    behind = asyncio.create_task(desk.call("count"))
    with pytest.raises(WorkerDied, match=how):
        await dying
    assert await behind == 1  # a fresh service answered
    assert desk.generation == generation + 1
    assert desk.pid != pid


async def test_a_hung_call_is_ended_at_its_timeout(desk: WorkerProcess) -> None:
    with pytest.raises(WorkerDied, match=r"no answer to sleep in 0\.05 s"):
        await desk.call("sleep", 30, timeout=0.05)
    assert await desk.call("count") == 1


async def test_the_timeout_counts_from_the_turn(desk: WorkerProcess) -> None:
    first = asyncio.create_task(desk.call("sleep", 0.15))
    await asyncio.sleep(0)
    assert await desk.call("echo", 1, timeout=0.1) == 1
    await first


async def test_signals_meant_for_the_server_are_ignored(desk: WorkerProcess) -> None:
    assert await desk.call("interrupt") == "still here"


async def test_niceness_and_threads() -> None:
    worker = WorkerProcess(Desk, name="nice", niceness=5, threads=2)
    await worker.start()
    try:
        assert await worker.call("niceness") == os.nice(0) + 5
        assert await worker.call("threads") == "2"
    finally:
        await worker.close()


async def test_a_maker_that_fails_fails_start() -> None:
    with pytest.raises(EngineUnavailable) as unavailable:
        await WorkerProcess(broken, name="broken").start()
    assert unavailable.value.fix == "install one"
    with pytest.raises(WorkerDied, match="before it was ready with status 7"):
        await WorkerProcess(stillborn, name="stillborn").start()


async def test_a_successor_that_does_not_start_fails_calls_at_once(tmp_path: Path) -> None:
    worker = WorkerProcess(partial(once, tmp_path / "made"), name="once")
    await worker.start()
    try:
        with pytest.raises(WorkerDied, match="signal 9"):
            await worker.call("crash")
        with pytest.raises(WorkerDied, match="the model file is gone"):
            await worker.call("count")
        with pytest.raises(WorkerDied, match="the model file is gone"):
            await worker.restart()
        (tmp_path / "made").unlink()  # somebody repairs it
        async with asyncio.timeout(5):
            while not worker.alive:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert await worker.call("count") == 1
    finally:
        await worker.close()


async def test_restart(desk: WorkerProcess) -> None:
    await desk.call("count")
    await desk.restart()
    assert await desk.call("count") == 1
    assert desk.generation == 2


async def test_close_is_final_and_leaves_no_process(desk: WorkerProcess) -> None:
    pid = desk.pid
    assert pid is not None
    waiting = asyncio.create_task(desk.call("sleep", 30))
    await asyncio.sleep(0)
    await desk.close()
    with pytest.raises(WorkerDied, match="closed"):
        await waiting
    with pytest.raises(WorkerDied, match="closed"):
        await desk.call("count")
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    await desk.close()


async def test_the_child_ends_with_its_parent_in_mid_call() -> None:
    program = textwrap.dedent(
        """
        import asyncio
        from runtime.workers import WorkerProcess
        from tests.workers.services import Desk

        async def main():
            worker = WorkerProcess(Desk, name="orphan")
            await worker.start()
            print(worker.pid, flush=True)
            await worker.call("sleep", 60)

        asyncio.run(main())
        """
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    await parent.wait()
    async with asyncio.timeout(5):
        while Path(f"/proc/{pid}").exists():  # noqa: ASYNC110, ASYNC240
            await asyncio.sleep(0.01)


def test_it_works_on_uvloop() -> None:
    async def main() -> None:
        worker = WorkerProcess(Desk, name="uv")
        await worker.start()
        assert await worker.call("echo", b"x" * 500_000) == b"x" * 500_000
        with pytest.raises(WorkerDied):
            await worker.call("crash")
        assert await worker.call("count") == 1
        await worker.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


async def test_a_group_spreads_calls_over_its_members() -> None:
    group = WorkerGroup(Desk, count=2, name="pair")
    await group.start()
    try:
        slow = asyncio.create_task(group.call("sleep", 0.2))
        await asyncio.sleep(0)
        busy = next(member for member in group.members if member.pending)
        assert await group.call("pid") != busy.pid
        await slow
    finally:
        await group.close()


async def test_a_group_starts_whole_or_not_at_all() -> None:
    with pytest.raises(EngineUnavailable):
        await WorkerGroup(broken, count=2, name="none").start()
    with pytest.raises(ValueError, match="0 workers"):
        WorkerGroup(Desk, count=0, name="none")
