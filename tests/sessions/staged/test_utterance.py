"""One message on its way to the playout, on a loop whose clock jumps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from runtime.media.frame import EncodedFrame
from runtime.transport.pacer import Pacer
from sessions.peers.audio_path import WIRES
from sessions.peers.blocks import BLOCK, BlockEncoder
from sessions.peers.peer import ReplyOrder
from sessions.timeline import Timeline
from sessions.utterance import LEAST_AHEAD, MOST_AHEAD, Utterance
from tests.virtual_time import LoopClock
from tts.phrases import PhrasePart

RATE = 8_000
PART = 0.2
LEAD = 0.16


class Far:
    """The far end: notes what came."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def send_frames(self, frames: Sequence[EncodedFrame]) -> None:
        self.seconds += sum(frame.samples for frame in frames) / RATE

    def marks_passed(self, names: Sequence[str]) -> None:
        self.end()

    def end(self) -> None: ...


class Script:
    """A message that is made as fast as it is asked for."""

    def __init__(self, seconds: float) -> None:
        self.asked = 0.0
        self._seconds = seconds

    async def parts(self) -> AsyncIterator[PhrasePart]:
        while self.asked < self._seconds - 1e-9:
            self.asked += PART
            yield PhrasePart(bytes(round(PART * RATE)), round(PART * RATE), ())


@pytest.fixture
async def pacer() -> AsyncIterator[Pacer]:
    pacer = Pacer(LoopClock())
    yield pacer
    pacer.close()


def opened(pacer: Pacer, far: Far) -> Utterance:
    playout = pacer.open(far, rate=RATE, lead=LEAD, ptime=BLOCK)
    encoder = BlockEncoder(WIRES["audio/pcmu"], sample_bytes=1, position=0)
    utterance = Utterance(ReplyOrder("resp_1"), playout, encoder, Timeline(), LoopClock())
    far.end = utterance.left  # type: ignore[method-assign]
    return utterance


async def test_a_long_message_is_asked_for_as_it_is_heard(pacer: Pacer) -> None:
    far, script = Far(), Script(60.0)
    playing = asyncio.create_task(opened(pacer, far).play(script.parts()))
    for _ in range(100):
        await asyncio.sleep(0.5)
        assert pacer.queued_seconds <= MOST_AHEAD + PART
        assert script.asked - far.seconds <= MOST_AHEAD + PART + BLOCK
        assert pacer.queued_seconds >= LEAST_AHEAD - BLOCK
    await playing
    assert far.seconds == pytest.approx(60.0)
    assert pacer.tally.underruns == 0


async def test_what_is_stopped_asks_for_one_part_at_most(pacer: Pacer) -> None:
    far, script = Far(), Script(60.0)
    utterance = opened(pacer, far)
    playing = asyncio.create_task(utterance.play(script.parts()))
    await asyncio.sleep(1.0)
    asked = script.asked
    utterance.stop()
    await playing
    assert script.asked <= asked + PART


async def test_a_message_that_is_held_waits_and_goes_on(pacer: Pacer) -> None:
    far, script = Far(), Script(20.0)
    utterance = opened(pacer, far)
    playing = asyncio.create_task(utterance.play(script.parts()))
    await asyncio.sleep(1.0)
    playout = utterance._playout
    playout.pause(LoopClock().now())
    await asyncio.sleep(30.0)
    assert script.asked < 1.0 + MOST_AHEAD + 1.0
    playout.resume(LoopClock().now())
    await playing
    assert far.seconds == pytest.approx(20.0)
