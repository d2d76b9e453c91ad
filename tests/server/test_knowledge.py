from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from runtime.server.knowledge import HttpLibrarian, knowledge
from runtime.wire.conversation import Message, TextPart
from sessions.brains.brain import Answer, Turn
from sessions.brains.knowledge import PREAMBLE, KnowledgeBase, KnowledgeBrain


class Base:
    """A knowledge base on the loopback."""

    def __init__(self) -> None:
        self.answer: bytes | None = b'{"context": "Open from nine."}'
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.url = ""
        self.served = asyncio.Semaphore(0)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
        self.asked.append((head, json.loads(await reader.readexactly(length))))
        if self.answer is not None:
            size = len(self.answer)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size + self.answer)
            await writer.drain()
        else:
            await reader.read()  # says nothing until the caller hangs up
        writer.close()
        await writer.wait_closed()
        self.served.release()


@asynccontextmanager
async def knowledge_base() -> AsyncIterator[Base]:
    base = Base()
    server = await asyncio.start_server(base.serve, "127.0.0.1", 0)
    base.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/kb"
    async with server:
        yield base
        for _ in base.asked:
            await base.served.acquire()


async def test_the_question_goes_out_with_the_token_and_the_context_comes_back() -> None:
    async with knowledge_base() as base:
        librarian = HttpLibrarian(allow_hosts=["127.0.0.1"], budget=5.0)
        found = await librarian.look_up(KnowledgeBase(base.url, "t0ken", "agent_a"), "When do you open?")
    assert found == "Open from nine."
    head, body = base.asked[0]
    assert "authorization: Bearer t0ken" in head
    assert body == {"session_label": "agent_a", "query": "When do you open?"}


async def test_a_base_that_says_nothing_in_time_is_done_without() -> None:
    async with knowledge_base() as base:
        base.answer = None
        librarian = HttpLibrarian(allow_hosts=["127.0.0.1"], budget=0.05)
        assert await librarian.look_up(KnowledgeBase(base.url), "Hello?") is None


async def test_a_base_in_a_private_network_is_not_asked() -> None:
    async with knowledge_base() as base:
        assert await HttpLibrarian(budget=5.0).look_up(KnowledgeBase(base.url), "Hello?") is None
    assert base.asked == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b'{"results": [{"content": "One."}, {"content": "Two."}]}', "One.\n\nTwo."),
        (b'{"context": " ", "results": [{"content": "One."}, {"x": 1}, 5]}', "One."),
        (b'{"context": "", "results": []}', None),
        (b'{"context": 5, "results": 5}', None),
        (b"[]", None),
        (b"\xff", None),
        (b"", None),
    ],
)
def test_what_an_answer_says(answer: bytes, words: str | None) -> None:
    assert knowledge(answer) == words


class Repeating:
    """Says what it was told."""

    async def reply(self, turn: Turn) -> AsyncIterator[Answer]:
        yield turn.instructions


class Shelf:
    async def look_up(self, base: KnowledgeBase, query: str) -> str | None:
        return None if query == "nothing" else f"about {query}"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("hours", f"Be kind.\n\n{PREAMBLE}\nabout hours"),
        ("nothing", "Be kind."),
        ("", "Be kind."),
    ],
)
async def test_a_brain_is_told_what_is_known(said: str, told: str) -> None:
    brain = KnowledgeBrain(Repeating(), base=KnowledgeBase("http://kb"), librarian=Shelf())
    history = (Message("item_1", "user", (TextPart(said),)),)
    turn = Turn(history=history, user_text=said, instructions="Be kind.")
    assert [answer async for answer in brain.reply(turn)] == [told]
