"""The pacer on a real loop: short runs, and no claim finer than a loaded machine can keep."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from runtime.clock import SystemClock
from runtime.media.frame import EncodedFrame
from runtime.transport.pacer import MESSAGES, Pacer


class Recorder:
    def __init__(self, clock: SystemClock) -> None:
        self._clock = clock
        self.frames: list[tuple[float, int]] = []
        self.marks: list[str] = []

    def send_frames(self, frames: Sequence[EncodedFrame]) -> None:
        self.frames += [(self._clock.now(), frame.pts) for frame in frames]

    def marks_passed(self, names: Sequence[str]) -> None:
        self.marks += names


class Broken(Recorder):
    def send_frames(self, frames: Sequence[EncodedFrame]) -> None:
        raise OSError("no such peer")


def frames(count: int) -> list[EncodedFrame]:
    return [EncodedFrame(payload=b"", pts=160 * k, samples=160) for k in range(count)]


@pytest.fixture
def clock() -> SystemClock:
    return SystemClock()


async def test_frames_leave_in_order_and_on_the_grid(clock: SystemClock) -> None:
    pacer = Pacer(clock)
    sink = Recorder(clock)
    playout = pacer.open(sink, rate=8_000, lead=0.04)
    start = clock.now()
    playout.push(frames(12), start)
    playout.mark("end")
    await pacer.drained(playout)
    assert clock.now() - start >= 0.24
    assert [pts for _, pts in sink.frames] == [160 * k for k in range(12)]
    assert sink.marks == ["end"]
    assert all(at >= start + k * 0.02 - 0.04 - 0.002 for k, (at, _) in enumerate(sink.frames))
    pacer.close()


async def test_one_timer_serves_streams_that_start_later(clock: SystemClock) -> None:
    pacer = Pacer(clock)
    slow, quick = Recorder(clock), Recorder(clock)
    first = pacer.open(slow, rate=8_000, lead=0.0)
    first.push(frames(3), clock.now() + 0.5)
    second = pacer.open(quick, rate=8_000, lead=0.0)
    second.push(frames(3), clock.now())
    await pacer.drained(second)
    assert len(quick.frames) == 3
    assert slow.frames == []
    pacer.close()
    assert len(pacer) == 0


async def test_a_sink_that_raises_loses_its_call_and_no_other(
    clock: SystemClock, caplog: pytest.LogCaptureFixture
) -> None:
    pacer = Pacer(clock)
    sink = Recorder(clock)
    broken, healthy = pacer.open(Broken(clock), rate=8_000, lead=0.1), pacer.open(sink, rate=8_000, lead=0.1)
    for playout in (broken, healthy):
        playout.push(frames(5), clock.now())
    await pacer.drained(healthy)
    assert broken.closed
    assert len(sink.frames) == 5
    assert "its call is closed" in caplog.text
    pacer.close()


async def test_a_stall_of_the_loop_is_caught_up_from_the_lead(clock: SystemClock) -> None:
    pacer = Pacer(clock)
    sink = Recorder(clock)
    playout = pacer.open(sink, rate=8_000, lead=0.16)
    start = clock.now()
    playout.push(frames(30), start)
    await asyncio.sleep(0.1)
    while clock.now() < start + 0.22:
        pass  # a stall of 120 ms, as a callback that computes would cause it
    await pacer.drained(playout)
    overdue = [k for k, (at, _) in enumerate(sink.frames) if at > start + 0.1 + k * 0.02]
    assert overdue == []
    pacer.close()


async def test_close_stops_everything(clock: SystemClock) -> None:
    pacer = Pacer(clock)
    sink = Recorder(clock)
    playout = pacer.open(sink, rate=8_000, lead=0.0)
    playout.push(frames(50), clock.now())
    await asyncio.sleep(0.03)
    pacer.close()
    sent = len(sink.frames)
    await asyncio.sleep(0.05)
    assert len(sink.frames) == sent
    assert playout.closed
    assert len(pacer) == 0


async def test_a_drained_stream_sends_its_last_frames(clock: SystemClock) -> None:
    pacer = Pacer(clock)
    sink = Recorder(clock)
    playout = pacer.open(sink, rate=8_000, lead=0.2)
    playout.push(frames(6), clock.now())
    playout.mark("end")
    playout.drain()
    await asyncio.sleep(0.05)
    assert playout.closed
    assert len(sink.frames) == 6
    assert sink.marks == ["end"]
    pacer.close()


async def test_drained_waits_through_a_pause(clock: SystemClock) -> None:
    pacer = Pacer(clock)
    playout = pacer.open(Recorder(clock), rate=8_000, lead=0.0)
    playout.push(frames(2), clock.now())
    playout.pause(clock.now())
    waiting = asyncio.create_task(pacer.drained(playout))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    playout.clear(clock.now())
    await waiting
    pacer.close()


async def test_a_closed_playout_is_forgotten(clock: SystemClock) -> None:
    pacer = Pacer(clock)
    for _ in range(100):
        pacer.open(Recorder(clock), rate=8_000, lead=0.1).close()
    assert len(pacer) == 0
    pacer.close()


async def test_frames_that_come_due_while_messages_are_read_leave_between_them(clock: SystemClock) -> None:
    pacer = Pacer(clock)
    sink = Recorder(clock)
    playout = pacer.open(sink, rate=8_000, lead=0.0)
    begin = clock.now()
    playout.push(frames(3), begin)
    while clock.now() < begin + 0.03:  # a callback that keeps the loop from its timers
        pacer.between_messages()
    assert [pts for _, pts in sink.frames][:2] == [0, 160]
    await pacer.drained(playout)
    assert [pts for _, pts in sink.frames] == [0, 160, 320]
    pacer.close()


async def test_a_message_in_between_costs_no_look_at_the_clock() -> None:
    class Clock(SystemClock):
        looks = 0

        def now(self) -> float:
            self.looks += 1
            return super().now()

    clock = Clock()
    pacer = Pacer(clock)
    pacer.open(Recorder(clock), rate=8_000, lead=0.0).push(frames(1), clock.now() + 60.0)
    clock.looks = 0
    for _ in range(10 * MESSAGES):
        pacer.between_messages()
    assert clock.looks == 10
    pacer.close()
