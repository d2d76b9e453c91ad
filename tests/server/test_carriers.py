"""Calls of every carrier over real sockets, by emulators written from the carriers' documents."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import UUID, uuid4
from xml.etree import ElementTree

import httpx
import jwt
import numpy as np
import pytest
import websockets
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twilio.request_validator import RequestValidator
from websockets.asyncio.client import ClientConnection

from runtime.clock import ManualClock
from runtime.server.audiosocket import EXPECTED_SECONDS, ExpectedCall, ExpectedCalls
from runtime.settings import Settings
from runtime.wire import audiosocket
from tests.live_server import LiveServer, live_server
from tests.wire.test_carriers import CARRIERS

TOKEN = "a token for those that sign nothing"
SECRET = "a secret of forty characters, or a few more"
HOOK_KEY, HOOK_SECRET = "hook-key", base64.b64encode(b"hook secret").decode()
TELNYX_KEY = Ed25519PrivateKey.generate()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server that knows every carrier's secret."""
    folder = tmp_path_factory.mktemp("carriers")
    public = base64.b64encode(TELNYX_KEY.public_key().public_bytes_raw()).decode()
    with live_server(
        folder,
        telephony_token=TOKEN,
        telnyx_public_key=public,
        plivo_auth_token=SECRET,
        vonage_signature_secret=SECRET,
        signalwire_signing_key=SECRET,
        genesys_api_key=HOOK_KEY,
        genesys_client_secret=HOOK_SECRET,
        audiosocket_port=0,
    ) as server:
        yield server


@pytest.fixture(scope="module")
def key(server: LiveServer) -> str:
    return server.sandbox_key()


@pytest.fixture(scope="module")
def agent(server: LiveServer, key: str) -> str:
    body = {"name": "Telephone", "greeting": "Hello, this is a somewhat longer greeting than most."}
    with server.client(key) as api:
        answer = api.post("/v1/agents", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


# How each carrier fetches its document


def telnyx_document(url: str) -> httpx.Response:
    body, now = b"From=%2B1555&To=%2B1666", str(int(time.time()))
    signature = base64.b64encode(TELNYX_KEY.sign(now.encode() + b"|" + body)).decode()
    headers = {"telnyx-signature-ed25519": signature, "telnyx-timestamp": now}
    headers["content-type"] = "application/x-www-form-urlencoded"
    return httpx.post(url, content=body, headers=headers)


def plivo_document(url: str) -> httpx.Response:
    signed = f"{url}?From1555To1666.n1"
    digest = hmac.new(SECRET.encode(), signed.encode(), hashlib.sha256).digest()
    headers = {
        "X-Plivo-Signature-V3": base64.b64encode(digest).decode(),
        "X-Plivo-Signature-V3-Nonce": "n1",
    }
    return httpx.post(url, data={"From": "1555", "To": "1666"}, headers=headers)


def vonage_document(url: str) -> httpx.Response:
    token = jwt.encode({"iat": int(time.time())}, SECRET, "HS256")
    query = {"from": "1555", "to": "1666"}
    return httpx.get(url, params=query, headers={"authorization": f"Bearer {token}"})


def signalwire_document(url: str) -> httpx.Response:
    form = {"From": "1555", "To": "1666"}
    signature = RequestValidator(SECRET).compute_signature(url, form)
    return httpx.post(url, data=form, headers={"x-signalwire-signature": signature})


def with_token(url: str) -> httpx.Response:
    return httpx.get(url, params={"token": TOKEN, "CallFrom": "1555", "CallTo": "1666"})


def from_xml(answer: httpx.Response) -> str:
    stream = next(ElementTree.fromstring(answer.text).iter("Stream"))
    return str(stream.get("url") or stream.text)


DOCUMENTS: Mapping[str, tuple[Callable[[str], httpx.Response], Callable[[httpx.Response], str]]] = {
    "telnyx": (telnyx_document, from_xml),
    "plivo": (plivo_document, from_xml),
    "vonage": (vonage_document, lambda answer: str(answer.json()[0]["endpoint"][0]["uri"])),
    "signalwire": (signalwire_document, from_xml),
    "exotel": (with_token, lambda answer: str(answer.json()["url"])),
    "jambonz": (with_token, lambda answer: str(answer.json()[1]["url"])),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_document_is_for_the_carrier_only_and_leads_to_a_stream(
    server: LiveServer, agent: str, name: str
) -> None:
    url = f"{server.url}/telephony/{name}/{agent}/voice"
    fetch, found = DOCUMENTS[name]
    answer = fetch(url)
    assert answer.status_code == 200, answer.text
    assert found(answer).startswith(url.replace("http", "ws").removesuffix("/voice") + "?ticket=")
    assert httpx.get(url).status_code == httpx.post(url, data={"From": "1"}).status_code == 403


def test_vonages_stream_is_told_which_call_it_belongs_to(server: LiveServer, agent: str) -> None:
    token = jwt.encode({"iat": int(time.time())}, SECRET, "HS256")
    url = f"{server.url}/telephony/vonage/{agent}/voice"
    answer = httpx.get(url, params={"uuid": "u1"}, headers={"authorization": f"Bearer {token}"})
    assert answer.json()[0]["endpoint"][0]["headers"]["uuid"] == "u1"


# How each carrier opens its stream


def hook_headers(path: str, host: str) -> dict[str, str]:
    headers = {
        "audiohook-organization-id": "o1",
        "audiohook-session-id": "s1",
        "audiohook-correlation-id": "x1",
        "x-api-key": HOOK_KEY,
    }
    parts = {"@request-target": path, "@authority": host, **headers}
    listed = " ".join(f'"{name}"' for name in parts)
    parameters = f'({listed});keyid="{HOOK_KEY}";nonce="VGhpc0lzQVVuaXF1ZU5vbmNl";created={int(time.time())}'
    base = "".join(f'"{name}": {value}\n' for name, value in parts.items())
    base += f'"@signature-params": {parameters}'
    digest = hmac.new(base64.b64decode(HOOK_SECRET), base.encode(), hashlib.sha256).digest()
    signature = base64.b64encode(digest).decode()
    return {**headers, "signature-input": f"sig1={parameters}", "signature": f"sig1=:{signature}:"}


@asynccontextmanager
async def dialled(server: LiveServer, agent: str, name: str) -> AsyncIterator[ClientConnection]:
    path = f"/telephony/{name}/{agent}"
    url = server.url.replace("http", "ws") + path
    options: dict[str, Any] = {}
    if name in DOCUMENTS:
        fetch, found = DOCUMENTS[name]
        url = found(await asyncio.to_thread(fetch, f"{server.url}{path}/voice"))
    if name == "genesys":
        options["additional_headers"] = hook_headers(path, server.url.partition("://")[2])
    if name == "asterisk":
        basic = base64.b64encode(f"asterisk:{TOKEN}".encode()).decode()
        options = {"additional_headers": {"authorization": f"Basic {basic}"}, "subprotocols": ["media"]}
    if name == "jambonz":
        options["subprotocols"] = ["audio.jambonz.org"]
    if name == "freeswitch":
        url += f"?token={TOKEN.replace(' ', '%20')}&rate=16000"
    async with websockets.connect(url, **options) as socket:
        if "subprotocols" in options:
            assert socket.subprotocol == options["subprotocols"][0]
        yield socket


WIRE = {"genesys": "audiohook", "asterisk": "chan_websocket", "freeswitch": "mod_audio_stream"}
"""Names in tests.wire, where they differ."""

CALLS = (*DOCUMENTS, "genesys", "asterisk", "freeswitch")
"""By the name in the address; what is said in a call is in tests/calls/test_carriers.py."""


@pytest.mark.parametrize("name", CALLS)
async def test_a_stream_with_proof_is_let_in_and_greeted(server: LiveServer, agent: str, name: str) -> None:
    carrier = CARRIERS[WIRE.get(name, name)]
    async with dialled(server, agent, name) as socket:
        for message in carrier.start:
            await socket.send(message)
        await socket.send(carrier.media)
        assert await asyncio.wait_for(socket.recv(), 5)
        assert carrier.key is not None
        await socket.send(carrier.key)
        if carrier.stop is not None:
            await socket.send(carrier.stop)
            await asyncio.wait_for(socket.wait_closed(), 5)
            assert socket.close_code == 1000


@pytest.mark.parametrize("name", CALLS)
async def test_a_stream_without_proof_is_refused(server: LiveServer, agent: str, name: str) -> None:
    url = f"{server.url.replace('http', 'ws')}/telephony/{name}/{agent}?ticket=forged&token=wrong"
    with pytest.raises(websockets.InvalidStatus) as refused:
        await websockets.connect(url)
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("name", CALLS)
async def test_garbage_ends_its_own_call_only(server: LiveServer, agent: str, name: str) -> None:
    async with dialled(server, agent, name) as socket:
        for n in range(60):
            await socket.send(b"\x00" if n % 2 else "{")
        if name == "freeswitch":
            return  # whatever comes first is its start, and noise is audio
        await asyncio.wait_for(socket.wait_closed(), 5)
        assert socket.close_code in (1002, 1003, 1007)


async def test_a_ticket_is_for_one_agent(server: LiveServer, agent: str) -> None:
    fetch, found = DOCUMENTS["vonage"]
    url = found(await asyncio.to_thread(fetch, f"{server.url}/telephony/vonage/{agent}/voice"))
    for wrong in (url.replace(agent, "agent_other"), url.replace("/vonage/", "/plivo/")):
        with pytest.raises(websockets.InvalidStatus) as refused:
            await websockets.connect(wrong)
        assert refused.value.response.status_code == 403


def test_there_is_no_such_carrier(server: LiveServer, agent: str) -> None:
    answer = httpx.post(f"{server.url}/telephony/pigeon/{agent}/voice")
    assert answer.status_code == 404
    assert "telnyx" in answer.text
    assert httpx.post(f"{server.url}/telephony/asterisk/{agent}/voice").status_code == 404


# AudioSocket


def announced(server: LiveServer, key: str, agent: str) -> UUID:
    with server.client(key) as api:
        answer = api.post("/v1/telephony/calls", json={"agent_id": agent})
    assert answer.status_code == 201, answer.text
    return UUID(answer.json()["uuid"])


@asynccontextmanager
async def asterisk(server: LiveServer) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    found = re.search(r"AudioSocket on 127\.0\.0\.1:(\d+)", server.log)
    assert found is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", int(found[1]))
    try:
        yield reader, writer
    finally:
        writer.close()


async def frames(reader: asyncio.StreamReader, seconds: float) -> list[tuple[float, bytes]]:
    """What comes within the time, and when."""
    reading, found = audiosocket.FrameReader(), []
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while (left := end - loop.time()) > 0:
        try:
            data = await asyncio.wait_for(reader.read(4_096), left)
        except TimeoutError:
            break
        if not data:
            break
        found += [(loop.time(), frame) for frame in reading.push(data)]
    return found


async def test_an_audiosocket_call_is_greeted_frame_by_frame(
    server: LiveServer, key: str, agent: str
) -> None:
    call = await asyncio.to_thread(announced, server, key, agent)
    async with asterisk(server) as (reader, writer):
        writer.write(audiosocket.framed(audiosocket.CALL_ID, call.bytes))
        for _ in range(5):
            writer.write(audiosocket.framed(0x10, bytes(320)))
        told = await frames(reader, 1.2)
        assert {frame[:3] for _, frame in told} == {b"\x10\x01\x40"}
        sent = b"".join(frame[3:] for _, frame in told)
        assert np.abs(np.frombuffer(sent, "<i2").astype(int)).max() > 4_000
        spread = told[-1][0] - told[0][0]
        assert len(told) * 0.02 == pytest.approx(spread, abs=0.25)
        writer.write(audiosocket.framed(audiosocket.DTMF, b"5"))
        writer.write(audiosocket.framed(audiosocket.HANG_UP))
        rest = await frames(reader, 2.0)
        assert reader.at_eof()
        assert {frame[0] for _, frame in rest} <= {0x00, 0x10}


@pytest.mark.parametrize(
    "first",
    [
        audiosocket.framed(audiosocket.CALL_ID, uuid4().bytes),
        audiosocket.framed(0x10, bytes(320)),
        b"GET / HTTP/1.1\r\n\r\n" * 4_000,
    ],
)
async def test_an_audiosocket_that_nobody_expects_is_closed(server: LiveServer, first: bytes) -> None:
    async with asterisk(server) as (reader, writer):
        writer.write(first)
        with suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), 4.0) == b""


def test_only_the_agents_own_tenant_announces_a_call(server: LiveServer, key: str, agent: str) -> None:
    for stranger, body, status in (
        (server.sandbox_key(), {"agent_id": agent}, 404),
        ("no key", {"agent_id": agent}, 401),
        (key, {"agent": agent}, 400),
        (key, [], 400),
    ):
        with server.client(stranger) as api:
            assert api.post("/v1/telephony/calls", json=body).status_code == status


def test_an_announced_call_is_good_once_and_for_a_while() -> None:
    clock, standing = ManualClock(0.0), uuid4()
    calls = ExpectedCalls(clock, standing={standing: "agent_s"})
    first, second = calls.announce("agent_1"), calls.announce("agent_2")
    assert calls.take(first) == ExpectedCall("agent_1", outgoing=False)
    assert calls.take(first) is None
    clock.advance(EXPECTED_SECONDS + 1)
    assert calls.take(second) is None
    assert calls.take(standing) == calls.take(standing) == ExpectedCall("agent_s", outgoing=False)
    assert calls.take(uuid4()) is None


def test_audiosocket_wants_one_process() -> None:
    with pytest.raises(ValueError, match="VIVAVOCE_WORKERS=1"):
        Settings(audiosocket_port=0, workers=2)
