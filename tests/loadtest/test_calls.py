"""The load test's own callers, against our server and over real sockets."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import websockets
from websockets.asyncio.server import ServerConnection

from loadtest.call import FramedCall, Record, script
from loadtest.crowd import TRANSPORTS, WEBRTC, Plan, call_in
from loadtest.framings import FRAMINGS, TWILIO
from loadtest.server import Server, free_port
from loadtest.socket import Refused, connect
from loadtest.speech import babble, quiet
from tests.live_server import live_server


async def echo(socket: ServerConnection) -> None:
    async for message in socket:
        if message == "close":
            await socket.close(4001, "as asked")
            return
        await socket.send(message)


@pytest.fixture
async def address() -> object:
    async with websockets.serve(echo, "127.0.0.1", 0, compression=None, ping_interval=0.05) as server:
        host, port = next(iter(server.sockets)).getsockname()[:2]
        yield f"{host}:{port}"


async def test_the_light_socket_speaks_websocket(address: str) -> None:
    received: asyncio.Queue[str | bytes] = asyncio.Queue()
    closed: asyncio.Queue[int] = asyncio.Queue()
    socket = await connect(f"ws://{address}/", lambda text, _at: received.put_nowait(text), closed.put_nowait)
    sizes = (1, 125, 126, 65_535, 65_536, 200_000)
    for size in sizes:
        socket.send("x" * size)
    assert [len(await received.get()) for _ in sizes] == list(sizes)
    await asyncio.sleep(0.12)  # pings come meanwhile, and are answered
    socket.send(b"\0\1")
    assert await received.get() == b"\0\1"
    socket.send("close")
    assert await closed.get() == 4001


async def test_a_server_that_refuses_is_told_apart() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        said = script(TWILIO, babble(0.1, rate=8_000), quiet(0.1, rate=8_000))
        call = FramedCall(TWILIO, f"ws://127.0.0.1:{port}/", said, name="1", number=1)
        await call.dial()
        assert call.record.refused == "503 Service Unavailable"
        with pytest.raises(Refused):
            await connect(f"ws://127.0.0.1:{port}/", lambda *_: None, lambda _code: None)


def test_callers_say_the_same_in_every_run() -> None:
    assert np.array_equal(babble(0.5, rate=8_000), babble(0.5, rate=8_000))
    assert np.array_equal(quiet(0.5, rate=8_000), quiet(0.5, rate=8_000))
    assert len(babble(0.5, rate=24_000)) == 12_000
    assert np.abs(babble(0.5, rate=8_000)).max() < 12_000


def test_a_script_is_speech_and_then_silence() -> None:
    said = script(TWILIO, babble(0.4, rate=8_000), quiet(0.6, rate=8_000))
    assert (said.speaking, len(said.packets)) == (20, 50)


def test_a_small_run_ends_with_a_table_and_files(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "loadtest", "--steps", "2", "--seconds", "1", "--out", str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=55, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "vivavoce" in ran.stdout
    assert (tmp_path / "load.json").exists()
    assert (tmp_path / "load.png").exists()
    assert (tmp_path / "load.md").read_text().count("| vivavoce | 2 | 2 |") == 1


async def test_every_transport_is_spoken_to_our_server(tmp_path: Path) -> None:
    """All of them at the same time, two calls each: everyone comes up, and hears the tone to the end."""
    port = free_port()
    with live_server(tmp_path, audiosocket_port=port) as running:
        key, address = running.sandbox_key(), running.url.partition("://")[2]
        server = Server("ours", address, agent="agent_tone", key=key)
        roots = {"audiosocket": f"audiosocket://127.0.0.1:{port}/", WEBRTC: f"http://{address}"}

        async def met(transport: str) -> list[Record]:
            for _ in range(4):
                announced = transport == "audiosocket"
                plan = Plan(
                    transport=transport,
                    url=roots.get(transport, f"ws://{address}"),
                    agent="agent_tone",
                    steady=True,
                    calls=2,
                    names=await asyncio.to_thread(server.expect, 2) if announced else (),
                    settle=1.5,
                    measure=1.0,
                    key=key,
                    speech_seconds=0.2,
                    silence_seconds=0.4,
                )
                records = (await call_in(plan)).records
                # A machine that is busy with other tests refuses calls, as it should; they are made again.
                if all(record.arrivals for record in records):
                    break
            return records

        heard = dict(zip(TRANSPORTS, await asyncio.gather(*map(met, TRANSPORTS)), strict=True))
    for transport, records in heard.items():
        for record in records:
            assert (record.refused, record.closed) == ("", 0), transport
            assert sum(record.seconds) > 0.7, transport
            assert record.answered > 0, transport
    assert set(TRANSPORTS) == {*FRAMINGS, WEBRTC}
