from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
import struct
from contextlib import suppress
from urllib.parse import urlsplit

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.calls.client import realtime
from tests.live_server import LiveServer


async def refused(url: str, path: str, **options: object) -> tuple[int, dict[str, object]]:
    """Status and error of a call that is not let in."""
    with pytest.raises(InvalidStatus) as caught:
        async with connect(f"{url.replace('http', 'ws', 1)}{path}", **options):  # type: ignore[arg-type]
            raise AssertionError("it was let in")
    response = caught.value.response
    assert response.body is not None
    if response.status_code == 503:
        assert int(response.headers["retry-after"]) > 0
    return response.status_code, json.loads(response.body)["error"]


async def test_a_stranger_is_refused_before_the_upgrade(server: LiveServer) -> None:
    status, error = await refused(server.url, "/v1/realtime?model=x")
    assert (status, error["code"]) == (401, "invalid_api_key")
    headers = {"authorization": "Bearer nonsense"}
    status, error = await refused(server.url, "/v1/realtime?model=x", additional_headers=headers)
    assert (status, error["code"]) == (401, "invalid_api_key")


async def test_an_unknown_agent_is_not_found(server: LiveServer, key: str) -> None:
    headers = {"authorization": f"Bearer {key}"}
    status, error = await refused(
        server.url, "/v1/realtime?model=agent_doesnotexist", additional_headers=headers
    )
    assert (status, error["code"]) == (404, "not_found")


async def test_another_tenants_agent_is_not_found(server: LiveServer, key: str) -> None:
    with server.client(server.sandbox_key()) as stranger:
        agent = stranger.post("/v1/agents", json={"name": "Ada", "voice_id": "tone-high"}).json()["id"]
    headers = {"authorization": f"Bearer {key}"}
    status, _ = await refused(server.url, f"/v1/realtime?model={agent}", additional_headers=headers)
    assert status == 404


async def test_a_key_without_the_scope_is_refused(server: LiveServer) -> None:
    headers = {"authorization": f"Bearer {server.sandbox_key('voice:synthesize')}"}
    status, _ = await refused(server.url, "/v1/realtime?model=x", additional_headers=headers)
    assert status == 403


async def test_a_client_of_the_beta_dialect_is_told_what_to_change(server: LiveServer, key: str) -> None:
    headers = {"authorization": f"Bearer {key}", "openai-beta": "realtime=v1"}
    address = f"{server.url.replace('http', 'ws', 1)}/v1/realtime?model=x"
    async with connect(address, additional_headers=headers) as open_socket:
        event = json.loads(await open_socket.recv())
        with pytest.raises(ConnectionClosed):
            await open_socket.recv()
    assert event["error"]["type"] == "invalid_request_error"
    assert event["error"]["code"] == "beta_api_shape_disabled"
    assert "OpenAI-Beta" in event["error"]["message"]
    assert open_socket.close_code == 4000


async def test_a_client_of_the_beta_dialect_needs_a_key_all_the_same(server: LiveServer) -> None:
    status, _ = await refused(
        server.url, "/v1/realtime?model=x", additional_headers={"openai-beta": "realtime=v1"}
    )
    assert status == 401


@pytest.mark.parametrize(
    ("offered", "selected"),
    [
        (["realtime", "openai-insecure-api-key.{key}"], "realtime"),
        (["realtime", "openai-insecure-api-key.{key}", "openai-agents-sdk.0.1"], "realtime"),
        (["openai-insecure-api-key.{key}", "realtime"], "realtime"),
    ],
)
async def test_a_browser_may_bring_its_key_as_a_subprotocol(
    server: LiveServer, key: str, offered: list[str], selected: str
) -> None:
    address = f"{server.url.replace('http', 'ws', 1)}/v1/realtime?model=x"
    async with connect(address, subprotocols=[name.format(key=key) for name in offered]) as open_socket:  # type: ignore[misc]
        assert open_socket.subprotocol == selected
        assert json.loads(await open_socket.recv())["type"] == "session.created"


GARBAGE: list[str | bytes] = [
    "not json",
    "[]",
    "null",
    '"text"',
    "{}",
    '{"type": 7}',
    '{"type": "no.such.event"}',
    '{"type": "input_audio_buffer.append"}',
    '{"type": "input_audio_buffer.append", "audio": 5}',
    '{"type": "input_audio_buffer.append", "audio": "%%%"}',
    '{"type": "response.create", "response": []}',
    '{"type": "session.update", "session": {"type": "realtime", "audio": 3}}',
    '{"type": "conversation.item.create", "item": {"type": "message"}}',
    b"\x00\xff\xfe binary",
    "[" * 100_000,
]


async def test_garbage_is_answered_with_errors_and_the_call_goes_on(server: LiveServer, key: str) -> None:
    async with realtime(server.url, key) as client:
        for message in GARBAGE:
            await client.socket.send(message)
        await client.until("error", count=len(GARBAGE))
        assert all(event["error"]["message"] for event in client.all("error"))
        await client.ask("still there")
        assert (await client.until("response.done"))["response"]["status"] == "completed"


async def test_odd_length_pcm_does_not_end_the_call(server: LiveServer, key: str) -> None:
    async with realtime(server.url, key) as client:
        await client.send("input_audio_buffer.append", audio=base64.b64encode(b"\x01\x02\x03").decode())
        await client.ask("still there")
        assert (await client.until("response.done"))["response"]["status"] == "completed"


async def test_minutes_of_audio_at_once_do_not_hold_up_other_calls(server: LiveServer, key: str) -> None:
    flood = base64.b64encode(os.urandom(2 * 2**20)).decode()
    async with realtime(server.url, key) as flooding, realtime(server.url, key) as other:
        for _ in range(3):
            await flooding.send("input_audio_buffer.append", audio=flood)
        await other.ask("one two three four five six seven eight")
        await other.until("response.done")
        deltas = other.all("response.output_audio.delta")
        gaps = [other.when(b) - other.when(a) for a, b in zip(deltas, deltas[1:], strict=False)]
        assert max(gaps) < 0.3


async def test_a_client_that_stops_reading_is_closed_and_no_other_notices(
    server: LiveServer, key: str
) -> None:
    before = live_calls(server)
    address = urlsplit(server.url)
    deaf = socket.create_connection((str(address.hostname), int(address.port or 80)))
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    try:
        deaf.sendall(upgrade_request(str(address.netloc), key))
        content = [{"type": "input_text", "text": "on and on " * 5000}]
        item = {"id": "item_big", "type": "message", "role": "user", "content": content}
        deaf.sendall(text_frame(json.dumps({"type": "conversation.item.create", "item": item})))
        with suppress(ConnectionError):
            for _ in range(200):
                # Ten megabytes of answers, more than the kernel keeps for us.
                deaf.sendall(text_frame('{"type": "conversation.item.retrieve", "item_id": "item_big"}'))
        async with realtime(server.url, key) as other:
            await other.ask("hello")
            assert (await other.until("response.done"))["response"]["status"] == "completed"
        await fewer_calls_than(server, before + 1)
    finally:
        deaf.close()


async def test_a_client_that_vanishes_in_the_middle_of_a_frame(server: LiveServer, key: str) -> None:
    address = urlsplit(server.url)
    before = live_calls(server)
    vanishing = socket.create_connection((str(address.hostname), int(address.port or 80)))
    vanishing.sendall(upgrade_request(str(address.netloc), key))
    await asyncio.sleep(0.2)
    vanishing.sendall(text_frame('{"type": "response.create"}')[:9])
    # A reset instead of a farewell.
    vanishing.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    vanishing.close()
    async with realtime(server.url, key) as client:
        await client.ask("hello")
        assert (await client.until("response.done"))["response"]["status"] == "completed"
    await fewer_calls_than(server, before + 1)


async def test_hanging_up_while_the_agent_speaks_ends_the_call(server: LiveServer, key: str) -> None:
    before = live_calls(server)
    async with realtime(server.url, key, conforms=False) as client:
        await client.ask("one two three four five six seven eight nine ten eleven twelve")
        await client.until("response.output_audio.delta")
        assert live_calls(server) == before + 1
    await fewer_calls_than(server, before + 1)


async def fewer_calls_than(server: LiveServer, count: int) -> None:
    """Wait until the metrics page says so."""
    async with asyncio.timeout(5.0):
        while live_calls(server) >= count:  # noqa: ASYNC110 (the server tells nobody)
            await asyncio.sleep(0.05)


def live_calls(server: LiveServer) -> int:
    """As the metrics page has it."""
    lines = httpx.get(f"{server.url}/metrics").text.splitlines()
    return int(sum(float(line.split()[-1]) for line in lines if line.startswith("vivavoce_live_calls{")))


def upgrade_request(host: str, key: str) -> bytes:
    return (
        f"GET /v1/realtime?model=x HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        f"Authorization: Bearer {key}\r\n\r\n"
    ).encode()


def text_frame(text: str) -> bytes:
    """One masked text frame, RFC 6455 §5.2, with a mask of zeros."""
    payload = text.encode()
    if len(payload) < 126:
        return bytes((0x81, 0x80 | len(payload))) + bytes(4) + payload
    return bytes((0x81, 0x80 | 126)) + struct.pack(">H", len(payload)) + bytes(4) + payload
