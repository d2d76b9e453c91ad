from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sessions.peers.line import MISSED_BYTES, ResumableLine


class Pipe:
    """A socket of which the test holds the other end."""

    def __init__(self) -> None:
        self.inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.sent: list[Any] = []
        self.broken = False

    async def receive(self) -> dict[str, Any]:
        return await self.inbox.get()

    async def send(self, message: Any) -> None:
        if self.broken:
            raise OSError("nobody there")
        self.sent.append(message)

    def say(self, text: str) -> None:
        self.inbox.put_nowait({"type": "websocket.receive", "text": text})

    def close(self, code: int) -> None:
        self.broken = True
        self.inbox.put_nowait({"type": "websocket.disconnect", "code": code})


def text(message: str) -> dict[str, str]:
    return {"type": "websocket.send", "text": message}


class Owner:
    """Whoever holds the line: it notes what it is told."""

    def __init__(self, line: ResumableLine) -> None:
        self.line = line
        self.notes: list[str] = []
        line.on_break = lambda: self.notes.append("broke")
        line.on_return = lambda: self.notes.append("returned")
        self.reading = asyncio.create_task(self._read())

    async def _read(self) -> int:
        while (message := await self.line.receive())["type"] == "websocket.receive":
            self.notes.append(message["text"])
        return int(message["code"])


async def test_messages_pass_both_ways() -> None:
    pipe = Pipe()
    owner = Owner(ResumableLine(pipe))
    pipe.say("hello")
    await owner.line.send(text("good day"))
    pipe.close(1000)
    assert await owner.reading == 1000
    assert owner.notes == ["hello"]
    assert pipe.sent == [text("good day")]


async def test_a_farewell_is_not_waited_out() -> None:
    pipe = Pipe()
    owner = Owner(ResumableLine(pipe))
    began = asyncio.get_running_loop().time()
    pipe.close(1001)
    assert await owner.reading == 1001
    assert asyncio.get_running_loop().time() - began < 0.1


async def test_a_line_that_comes_back_goes_on_and_is_told_what_it_missed() -> None:
    first, second = Pipe(), Pipe()
    owner = Owner(ResumableLine(first))
    first.say("one")
    first.close(1006)
    await asyncio.sleep(10.0)
    await owner.line.send(text("are you there"))
    using = asyncio.create_task(owner.line.go_on(second))
    second.say("two")
    await asyncio.sleep(0.1)
    await owner.line.send(text("welcome back"))
    second.close(1000)
    assert await owner.reading == 1000
    await using
    assert owner.notes == ["one", "broke", "returned", "two"]
    assert second.sent == [text("are you there"), text("welcome back")]


async def test_a_line_that_stays_away_is_over() -> None:
    pipe = Pipe()
    owner = Owner(ResumableLine(pipe, within=30.0))
    began = asyncio.get_running_loop().time()
    pipe.close(1006)
    assert await owner.reading == 1006
    assert asyncio.get_running_loop().time() - began == pytest.approx(30.0)


async def test_a_client_may_come_back_before_we_know_that_it_had_gone() -> None:
    first, second = Pipe(), Pipe()
    owner = Owner(ResumableLine(first))
    await asyncio.sleep(0.1)
    using = asyncio.create_task(owner.line.go_on(second))
    second.say("here I am")
    await asyncio.sleep(0.1)
    assert owner.notes == ["returned", "here I am"]
    first.close(1006)
    second.close(1000)
    assert await owner.reading == 1000
    await using


async def test_hanging_up_ends_the_wait() -> None:
    pipe = Pipe()
    owner = Owner(ResumableLine(pipe))
    pipe.close(1006)
    await asyncio.sleep(1.0)
    await owner.line.send({"type": "websocket.close", "code": 1012})
    assert await asyncio.wait_for(owner.reading, 1.0) == 1006


async def test_what_is_kept_is_bounded() -> None:
    pipe = Pipe()
    owner = Owner(ResumableLine(pipe))
    pipe.close(1006)
    await asyncio.sleep(1.0)
    for _ in range(3):
        await owner.line.send(text("x" * (MISSED_BYTES // 2)))
    assert await asyncio.wait_for(owner.reading, 1.0) == 1006


async def test_it_may_break_more_than_once() -> None:
    pipes = [Pipe() for _ in range(4)]
    owner = Owner(ResumableLine(pipes[0]))
    for broken, fresh in zip(pipes, pipes[1:], strict=False):
        broken.close(1006)
        await asyncio.sleep(5.0)
        asyncio.create_task(owner.line.go_on(fresh))
        fresh.say("again")
        await asyncio.sleep(1.0)
    pipes[-1].close(1000)
    assert await owner.reading == 1000
    assert owner.notes == ["broke", "returned", "again"] * 3
