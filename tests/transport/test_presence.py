"""A peer that falls silent is asked; one that does not answer has gone, until it is heard of again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from runtime.transport.presence import ASKED, QUIET, Presence
from tests.virtual_time import LoopClock, VirtualTimeLoop


class Peer:
    def __init__(self) -> None:
        self.answering = True
        self.asked = 0
        self.told: list[str] = []
        self.presence = Presence(
            LoopClock(),
            self._answer,
            on_lost=lambda: self.told.append("lost"),
            on_found=lambda: self.told.append("found"),
        )

    async def _answer(self) -> bool:
        self.asked += 1
        await asyncio.sleep(0.01 if self.answering else 0.5)
        return self.answering

    async def talk(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.02)):
            self.presence.seen()
            await asyncio.sleep(0.02)


def watched(call: Callable[[Peer], Coroutine[Any, Any, None]]) -> Peer:
    """A peer, after ``call`` has run on virtual time."""

    async def main() -> Peer:
        peer = Peer()
        watching = asyncio.create_task(peer.presence.watch())
        await call(peer)
        watching.cancel()
        return peer

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main())


def test_who_talks_is_not_asked() -> None:
    peer = watched(lambda peer: peer.talk(10 * QUIET))
    assert (peer.asked, peer.told) == (0, [])


def test_who_is_silent_and_answers_is_there() -> None:
    peer = watched(lambda peer: asyncio.sleep(10 * QUIET))
    assert 5 <= peer.asked <= 10
    assert peer.told == []


def test_one_lost_answer_is_no_loss() -> None:
    async def call(peer: Peer) -> None:
        peer.answering = False
        await asyncio.sleep(QUIET + 0.6)
        peer.answering = True
        await asyncio.sleep(5 * QUIET)

    assert watched(call).told == []


def test_who_does_not_answer_has_gone_and_an_answer_brings_them_back() -> None:
    async def call(peer: Peer) -> None:
        await peer.talk(1.0)
        peer.answering = False
        await asyncio.sleep(2 * QUIET + ASKED * 0.5 + 0.1)
        assert peer.told == ["lost"]
        assert peer.presence.lost
        await asyncio.sleep(20.0)
        assert peer.told == ["lost"]
        peer.answering = True
        await asyncio.sleep(2 * QUIET)

    peer = watched(call)
    assert peer.told == ["lost", "found"]


def test_a_packet_brings_them_back_at_once() -> None:
    async def call(peer: Peer) -> None:
        peer.answering = False
        await asyncio.sleep(5 * QUIET)
        peer.presence.seen()
        assert peer.told == ["lost", "found"]

    watched(call)


def test_a_packet_while_the_last_question_is_out_is_an_answer() -> None:
    async def call(peer: Peer) -> None:
        peer.answering = False
        await asyncio.sleep(QUIET + ASKED * 0.5 - 0.1)
        peer.presence.seen()
        await asyncio.sleep(0.5)
        assert peer.told == []

    watched(call)
