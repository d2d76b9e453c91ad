"""Both kinds of line against a real client: they must look the same from either end."""

from __future__ import annotations

import asyncio
import gc
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import websockets
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket
from websockets.asyncio.client import ClientConnection
from websockets.server import ServerProtocol

from runtime.transport.direct import BETWEEN, DirectLine, DirectProtocol, HandingOver
from runtime.transport.line import AsgiLine, Line, open_line
from runtime.transport.websocket import TRY_AGAIN_LATER
from tests.transport.serving import served


@dataclass
class Call:
    line: Line
    received: list[str | bytes] = field(default_factory=list)
    error: Exception | None = None
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def hear(self, message: str | bytes) -> None:
        if message == "raise":
            raise ValueError("as asked")
        self.received.append(message)
        if message == "echo":
            self.line.send_text("echo")


class Server:
    def __init__(self) -> None:
        self.calls: asyncio.Queue[Call] = asyncio.Queue()
        self.app = Starlette(
            routes=[WebSocketRoute("/call", self.call), WebSocketRoute("/plain", self.plain)]
        )

    async def call(self, socket: WebSocket) -> None:
        await socket.accept()
        call = Call(open_line(socket))
        self.calls.put_nowait(call)
        try:
            await call.line.read(call.hear)
        except ValueError as error:
            call.error = error
            await call.line.close(1011, "broke")
        call.over.set()

    async def plain(self, socket: WebSocket) -> None:
        """An application that knows nothing of lines."""
        await socket.accept()
        async for text in socket.iter_text():
            await socket.send_text(text.upper())


@pytest.fixture(params=["direct", "asgi"])
def protocol(request: pytest.FixtureRequest) -> object:
    return DirectProtocol if request.param == "direct" else "websockets-sansio"


Dial = Callable[[], Awaitable[tuple[ClientConnection, Call]]]


@pytest.fixture
async def dial(protocol: object) -> AsyncIterator[Dial]:
    server = Server()
    peers: list[ClientConnection] = []

    async def connect() -> tuple[ClientConnection, Call]:
        peer = await websockets.connect(f"ws://{address}/call", max_queue=1, close_timeout=0.2)
        peers.append(peer)
        return peer, await server.calls.get()

    async with served(server.app, ws=protocol) as address:
        yield connect
        for peer in peers:
            peer.transport.abort()


async def test_a_server_that_offers_its_own_line_gives_it() -> None:
    for kind, protocol in ((DirectLine, DirectProtocol), (AsgiLine, "websockets-sansio")):
        server = Server()
        async with served(server.app, ws=protocol) as address, websockets.connect(f"ws://{address}/call"):
            assert isinstance((await server.calls.get()).line, kind)


async def test_messages_arrive_whole_and_in_order_both_ways(dial: Dial) -> None:
    peer, call = await dial()
    sizes = [0, 1, 125, 126, 65_535, 65_536, 200_000]
    sent: list[str | bytes] = [kind * size for size in sizes for kind in ("ä"[:1], b"\x00")]
    for message in sent:
        await peer.send(message)
    for size in sizes[1:]:
        call.line.send_text("ö" * (size // 2))
    assert [len(str(await peer.recv())) for _ in sizes[1:]] == [size // 2 for size in sizes[1:]]
    await peer.send("echo")
    assert await peer.recv() == "echo"
    assert call.received == [*sent, "echo"]


async def test_prepared_messages_may_be_joined(dial: Dial) -> None:
    peer, call = await dial()
    call.line.write(b"".join(call.line.framed(f'{{"n":{n}}}') for n in range(30)))
    assert [await peer.recv() for _ in range(30)] == [f'{{"n":{n}}}' for n in range(30)]


async def test_prepared_messages_may_be_binary_too(dial: Dial) -> None:
    peer, call = await dial()
    sent: list[str | bytes] = [b"", b"\0\1", "text\0", bytes(500), bytes(70_000)]
    call.line.write(b"".join(map(call.line.framed, sent)))
    assert [await peer.recv() for _ in sent] == sent


async def test_fragments_are_joined_and_pings_between_them_answered(dial: Dial) -> None:
    peer, call = await dial()

    async def fragments() -> AsyncIterator[str]:
        for piece in ("one ", "two ", "three"):
            yield piece
            await (await peer.ping())

    await peer.send(fragments())
    await peer.send("after")
    await peer.send("echo")
    await peer.recv()
    assert call.received == ["one two three", "after", "echo"]


async def test_reading_ends_when_the_peer_closes(dial: Dial) -> None:
    peer, call = await dial()
    await peer.close(1000)
    await asyncio.wait_for(call.over.wait(), 5)
    call.line.send_text("to nobody")
    call.line.write(call.line.framed("to nobody"))


async def test_reading_ends_when_the_peer_vanishes(dial: Dial) -> None:
    peer, call = await dial()
    peer.transport.abort()
    await asyncio.wait_for(call.over.wait(), 5)


async def test_close_says_why_and_ends_reading(dial: Dial) -> None:
    peer, call = await dial()
    call.line.send_text("last words")
    await call.line.close(1001, "going away")
    assert await peer.recv() == "last words"
    await peer.wait_closed()
    assert (peer.close_code, peer.close_reason) == (1001, "going away")
    await asyncio.wait_for(call.over.wait(), 5)
    assert call.line.closed is not None


async def test_a_callback_that_raises_ends_its_line_and_no_other(dial: Dial) -> None:
    (broken, call), (healthy, other) = await dial(), await dial()
    await broken.send("raise")
    await broken.wait_closed()
    assert broken.close_code == 1011
    assert isinstance(call.error, ValueError)
    await healthy.send("echo")
    assert await healthy.recv() == "echo"
    assert other.error is None


async def test_a_reader_that_stopped_is_given_up_and_others_are_untouched(dial: Dial) -> None:
    (_, call), (healthy, other) = await dial(), await dial()
    text = "x" * 60_000
    while call.line.closed is None:
        call.line.send_text(text)
    assert call.line.closed.close_code == TRY_AGAIN_LATER
    other.line.send_text("still here")
    assert await healthy.recv() == "still here"


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"\x81\x01x", 1002),  # a client's frame without a mask
        (b"\xc1\x81\x00\x00\x00\x00x", 1002),  # an extension bit nobody agreed on
        (b"\x83\x80\x00\x00\x00\x00", 1002),  # an opcode that does not exist
        (b"\x81\x82\x00\x00\x00\x00\xff\xff", 1007),  # text that is not UTF-8
        (b"\x81\xfe\x00\xc8\x00\x00\x00\x00" + b"\xff" * 200, 1007),  # the same, as long as media
        (b"\x81\xff" + struct.pack("!Q", 2**40) + b"\x00\x00\x00\x00", 1009),  # a terabyte
    ],
)
async def test_a_peer_that_breaks_the_rules_is_told_which(dial: Dial, raw: bytes, code: int) -> None:
    peer, call = await dial()
    await peer.send("echo")
    await peer.recv()
    peer.transport.write(raw)
    await peer.wait_closed()
    assert peer.close_code == code
    await asyncio.wait_for(call.over.wait(), 5)
    assert call.received == ["echo"]


async def test_an_application_that_knows_nothing_of_lines_works_as_ever(protocol: object) -> None:
    async with (
        served(Server().app, ws=protocol) as address,
        websockets.connect(f"ws://{address}/plain") as peer,
    ):
        for text in ("a", "b" * 70_000):
            await peer.send(text)
            assert await peer.recv() == text.upper()


def masked(payload: bytes, first: int, mask: bytes) -> bytes:
    """A client's frame, written down from RFC 6455 §5.2."""
    length = len(payload)
    head = bytes((first, 0x80 | length)) if length < 126 else bytes((first, 0xFE)) + struct.pack("!H", length)
    return head + mask + bytes(byte ^ mask[n % 4] for n, byte in enumerate(payload))


@pytest.mark.parametrize("cut", [1, 7, 8, 9, 2_000])
async def test_media_messages_that_come_together_are_each_delivered(dial: Dial, cut: int) -> None:
    peer, call = await dial()
    said = [f"{n}:" + "é" * (70 + n) for n in range(40)]
    stream = b"".join(masked(text.encode(), 0x81, b"mask") for text in said)
    peer.transport.write(stream[:-cut])
    await asyncio.sleep(0.02)  # so that it is read in two pieces
    peer.transport.write(stream[-cut:])
    await peer.send("echo")
    assert await peer.recv() == "echo"
    assert call.received == [*said, "echo"]


async def test_what_the_application_wants_done_between_messages_is_done_after_each() -> None:
    server, done = Server(), 0

    def work() -> None:
        nonlocal done
        done += 1

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[dict[str, object]]:
        yield {BETWEEN: work}

    server.app.router.lifespan_context = lifespan
    async with (
        served(server.app, ws=DirectProtocol) as address,
        websockets.connect(f"ws://{address}/call", close_timeout=0.2) as peer,
    ):
        call = await server.calls.get()
        await peer.send("before the reader is there, perhaps")
        await peer.send("echo")
        await peer.recv()
        done = 0
        for text in ("short", "x" * 200, "echo"):
            await peer.send(text)
        await peer.recv()
        assert call.received[-3:] == ["short", "x" * 200, "echo"]
        assert done == 3


MESSAGES = st.lists(
    st.tuples(st.text(max_size=200), st.binary(min_size=4, max_size=4), st.booleans()),
    min_size=1,
    max_size=12,
)


@given(messages=MESSAGES, cuts=st.lists(st.integers(1, 60), max_size=40))
@settings(max_examples=12, deadline=None)
def test_however_the_network_cuts_the_stream_the_messages_are_the_same(
    messages: list[tuple[str, bytes, bool]], cuts: list[int]
) -> None:
    async def talk() -> list[str | bytes]:
        server = Server()
        async with (
            served(server.app, ws=DirectProtocol) as address,
            websockets.connect(f"ws://{address}/call", close_timeout=0.2) as peer,
        ):
            call = await server.calls.get()
            stream = b""
            for text, mask, ping in messages:
                stream += masked(text.encode(), 0x81, mask)
                if ping:
                    stream += masked(b"hi", 0x89, mask)
            for cut in cuts:
                peer.transport.write(stream[:cut])
                stream = stream[cut:]
                await asyncio.sleep(0)
            peer.transport.write(stream + masked(b"echo", 0x81, b"abcd"))
            assert await asyncio.wait_for(peer.recv(), 5) == "echo"
            return call.received

    assert asyncio.run(talk()) == [text for text, _, _ in messages] + ["echo"]


async def test_a_connection_that_is_over_needs_no_garbage_collector() -> None:
    """A busy server has no moment for looking at everything, so that whatever waits for that adds up."""
    server = Server()
    gc.collect()
    gc.disable()
    try:
        async with served(server.app, ws=DirectProtocol, http=HandingOver) as address:
            for _ in range(3):
                async with websockets.connect(f"ws://{address}/call") as peer:
                    await peer.send("echo")
                    assert await peer.recv() == "echo"
                call = await server.calls.get()
                async with asyncio.timeout(5):
                    await call.over.wait()
                del call
            await asyncio.sleep(0.05)  # the connection's last callbacks
            kinds = (DirectProtocol, HandingOver, ServerProtocol)
            assert [thing for thing in gc.get_objects() if isinstance(thing, kinds)] == []
    finally:
        gc.enable()
