"""A server that cannot keep another call: how it says so, to whom, and for how long."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from tests.calls.client import realtime
from tests.calls.test_bad_clients import refused
from tests.live_server import LiveServer, live_server

HOLD, GO = 0.16, 0.03
"""Seconds for which the server is held, and let go on: each time all its timers run late."""


@pytest.fixture(scope="module")
def lone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server of our own, because it will be full."""
    with live_server(tmp_path_factory.mktemp("full")) as server:
        yield server


async def overwhelm(server: LiveServer) -> None:
    """Keep the server from its work until it has noticed: more than one in ten of its timers ran late."""
    process = server._process
    assert process is not None
    for _ in range(20):
        process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(HOLD)
        process.send_signal(signal.SIGCONT)
        await asyncio.sleep(GO)


async def test_calls_are_refused_from_what_is_measured_and_taken_again_when_it_is_well(
    lone: LiveServer,
) -> None:
    key = lone.sandbox_key()
    address = lone.url.replace("http", "ws", 1)
    headers = {"authorization": f"Bearer {key}"}
    async with realtime(lone.url, key) as live:
        await overwhelm(lone)
        status, error = await refused(lone.url, "/v1/realtime?model=x", additional_headers=headers)
        assert (status, error["code"]) == (503, "at_capacity")
        with pytest.raises(InvalidStatus) as carrier:
            await connect(f"{address}/telephony/twilio/agent_tone")
        assert carrier.value.response.status_code == 503
        assert int(carrier.value.response.headers["retry-after"]) > 0

        protocols = [Subprotocol("realtime"), Subprotocol(f"openai-insecure-api-key.{key}")]
        async with connect(f"{address}/v1/realtime?model=x", subprotocols=protocols) as browser:
            event = json.loads(await browser.recv())
            assert (event["type"], event["error"]["code"]) == ("error", "at_capacity")
            with pytest.raises(ConnectionClosed):
                await browser.recv()
            assert browser.close_code == 1013
            assert (browser.close_reason or "").startswith("try again in")

        # Who is up is not touched, and is answered as ever.
        await live.ask("are you still there")
        done = await live.until("response.done")
        assert done["response"]["status"] == "completed"
    with lone.client() as http:
        page = http.get("/metrics").text
    assert 'vivavoce_refused_calls_total{reason="event_loop"} 3.0' in page

    give_up = time.monotonic() + 20.0
    while True:
        try:
            async with connect(f"{address}/v1/realtime?model=x", additional_headers=headers) as socket:
                assert json.loads(await socket.recv())["type"] == "session.created"
            return
        except InvalidStatus as still_full:
            assert time.monotonic() < give_up
            await asyncio.sleep(float(still_full.response.headers["retry-after"]))


async def test_a_call_that_never_ends_is_cut_off_when_the_drain_has_lasted_long_enough(
    tmp_path: Path,
) -> None:
    with live_server(tmp_path, drain_seconds=1.0) as server:
        address = server.url.replace("http", "ws", 1)
        audio = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}
        start = {"streamSid": "MZ1", "callSid": "CA1", "mediaFormat": audio}
        async with connect(f"{address}/telephony/twilio/agent_tone") as endless:
            await endless.send(json.dumps({"event": "start", "start": start}))
            await endless.recv()
            assert server._process is not None
            server._process.send_signal(signal.SIGTERM)
            async for _ in endless:
                pass
            assert endless.close_code == 1001
        async with asyncio.timeout(10.0):
            await asyncio.to_thread(server._process.wait)
