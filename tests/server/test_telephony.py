"""Telephone calls over real sockets, and who is let in."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest
import websockets
from twilio.request_validator import RequestValidator
from websockets.asyncio.client import ClientConnection

from loadtest.player import Player
from runtime.media.g711 import decode_mulaw
from tests.live_server import LiveServer, live_server

TOKEN = "0123456789abcdef0123456789abcdef"
STREAM = "MZ0123456789abcdef0123456789abcdef"
SILENCE = base64.b64encode(b"\xff" * 160).decode()


def agent_of(api: httpx.Client, **fields: object) -> str:
    answer = api.post("/v1/agents", json={"name": "Telephone", **fields})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


@pytest.fixture
def agent(api: httpx.Client) -> str:
    return agent_of(api, greeting="Hello, this is a somewhat longer greeting than most.")


class Phone:
    """Twilio's side of a media stream."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.received: list[dict[str, Any]] = []
        self.player = Player()
        self._number = 0

    async def start(self, **parameters: str) -> None:
        await self.send({"event": "connected", "protocol": "Call", "version": "1.0.0"})
        audio = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}
        start: dict[str, Any] = {
            "streamSid": STREAM,
            "callSid": "CA1",
            "accountSid": "AC1",
            "tracks": ["inbound"],
        }
        start |= {"mediaFormat": audio, "customParameters": parameters}
        await self.send({"event": "start", "streamSid": STREAM, "start": start})

    async def send(self, message: dict[str, Any]) -> None:
        self._number += 1
        await self.socket.send(json.dumps({"sequenceNumber": str(self._number), **message}))

    async def speak(self, chunk: int, payload: str = SILENCE) -> None:
        media = {
            "track": "inbound",
            "chunk": str(chunk + 1),
            "timestamp": str(20 * chunk),
            "payload": payload,
        }
        await self.send({"event": "media", "streamSid": STREAM, "media": media})

    async def listen(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while (left := end - loop.time()) > 0:
            try:
                message = json.loads(await asyncio.wait_for(self.socket.recv(), left))
            except TimeoutError:
                return
            self.received.append(message)
            if message["event"] == "media":
                audio = base64.b64decode(message["media"]["payload"])
                self.player.arrive(loop.time(), len(audio) / 8_000)

    def audio(self) -> bytes:
        return b"".join(
            base64.b64decode(m["media"]["payload"]) for m in self.received if m["event"] == "media"
        )


@asynccontextmanager
async def dialled(server: LiveServer, agent: str, **options: Any) -> AsyncIterator[Phone]:
    url = f"{server.url.replace('http', 'ws')}/telephony/twilio/{agent}"
    async with websockets.connect(url, **options) as socket:
        yield Phone(socket)


async def test_the_agent_greets_in_packets_of_a_tenth_of_a_second_after_a_short_first(
    server: LiveServer, agent: str
) -> None:
    async with dialled(server, agent) as phone:
        await phone.start()
        await phone.listen(4.0)
    packets = [m for m in phone.received if m["event"] == "media"]
    assert {m["streamSid"] for m in phone.received} == {STREAM}
    sizes = [len(base64.b64decode(m["media"]["payload"])) for m in packets]
    assert sizes[0] == 480
    assert set(sizes[1:-1]) == {800}
    assert 2.0 < phone.player.played < 4.0
    assert abs(decode_mulaw(phone.audio()).astype(int)).max() > 4_000
    assert phone.player.silence < 0.2


async def test_marks_follow_the_audio_they_stand_behind(server: LiveServer, agent: str) -> None:
    async with dialled(server, agent) as phone:
        await phone.start()
        await phone.listen(1.5)
    behind = 0
    marks = []
    for message in phone.received:
        if message["event"] == "media":
            behind += len(base64.b64decode(message["media"]["payload"]))
        elif message["event"] == "mark":
            marks.append(int(message["mark"]["name"]))
            assert marks[-1] == behind
    assert len(marks) >= 3


async def test_a_key_clears_what_is_being_said(server: LiveServer, agent: str) -> None:
    async with dialled(server, agent) as phone:
        await phone.start()
        await phone.listen(0.5)
        await phone.send({"event": "dtmf", "streamSid": STREAM, "dtmf": {"digit": "1"}})
        await phone.listen(0.5)
    events = [m["event"] for m in phone.received]
    assert "clear" in events
    assert "media" not in events[events.index("clear") : events.index("clear") + 3]


async def test_garbage_on_one_line_ends_it_and_touches_no_other(server: LiveServer, agent: str) -> None:
    async with dialled(server, agent) as healthy, dialled(server, agent) as broken:
        await healthy.start()
        await broken.start()
        for n in range(30):
            await broken.socket.send("garbage" if n % 2 else b"\x00\xff")
        await asyncio.wait_for(broken.socket.wait_closed(), 5)
        assert broken.socket.close_code == 1007
        await healthy.listen(1.0)
        assert healthy.player.played > 0.9


async def test_a_few_garbled_messages_are_forgiven(server: LiveServer, agent: str) -> None:
    async with dialled(server, agent) as phone:
        await phone.start()
        for n in range(10):
            await phone.socket.send("{")
            await phone.speak(n)
        await phone.listen(1.0)
        assert phone.player.played > 0.9


async def test_a_stream_that_begins_with_garbage_is_closed(server: LiveServer, agent: str) -> None:
    async with dialled(server, agent) as phone:
        await phone.socket.send("GET / HTTP/1.1")
        await asyncio.wait_for(phone.socket.wait_closed(), 5)
        assert phone.socket.close_code == 1007


async def test_stop_ends_the_call(server: LiveServer, agent: str) -> None:
    async with dialled(server, agent) as phone:
        await phone.start()
        await phone.listen(0.3)
        await phone.send({"event": "stop", "streamSid": STREAM, "stop": {"callSid": "CA1"}})
        await asyncio.wait_for(phone.socket.wait_closed(), 5)
        assert phone.socket.close_code == 1000


async def test_a_socket_that_dies_in_mid_message_leaves_the_server_well(
    server: LiveServer, agent: str
) -> None:
    async with dialled(server, agent) as dying:
        await dying.start()
        dying.socket.transport.write(b"\x81\xfe\x01")
        dying.socket.transport.abort()
    async with dialled(server, agent) as phone:
        await phone.start()
        await phone.listen(0.5)
        assert phone.player.played > 0.4


async def test_an_agent_that_does_not_exist_is_refused_before_the_upgrade(server: LiveServer) -> None:
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with dialled(server, "agent_nobody"):
            pass
    assert refused.value.response.status_code == 404


def test_twiml_leads_to_the_stream(server: LiveServer, api: httpx.Client, agent: str) -> None:
    answer = httpx.post(
        f"{server.url}/telephony/twilio/{agent}/voice", data={"From": "+15550100", "To": "+15550199"}
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/xml")
    stream = ElementTree.fromstring(answer.text).find("Connect/Stream")
    assert stream is not None
    assert stream.get("url") == f"{server.url.replace('http', 'ws')}/telephony/twilio/{agent}"
    parameters = {p.get("name"): p.get("value") for p in stream.iter("Parameter")}
    assert parameters == {"from": "+15550100", "to": "+15550199", "agent": agent}


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server that stands behind a proxy and trusts Twilio only."""
    folder = tmp_path_factory.mktemp("signed")
    with live_server(folder, twilio_auth_token=TOKEN, public_url="https://voice.example.com") as server:
        yield server


@pytest.fixture
def signed_agent(signed: LiveServer) -> Iterator[str]:
    with signed.client(signed.sandbox_key()) as api:
        yield agent_of(api)


def test_the_document_is_for_twilio_only(signed: LiveServer, signed_agent: str) -> None:
    path = f"/telephony/twilio/{signed_agent}/voice"
    form = {"CallSid": "CA1", "From": "+15550100"}
    good = RequestValidator(TOKEN).compute_signature(f"https://voice.example.com{path}", form)
    answer = httpx.post(signed.url + path, data=form, headers={"X-Twilio-Signature": good})
    assert answer.status_code == 200
    assert f"wss://voice.example.com/telephony/twilio/{signed_agent}" in answer.text
    for headers in ({}, {"X-Twilio-Signature": "A" + good[1:]}):
        answer = httpx.post(signed.url + path, data=form, headers=headers)
        assert answer.status_code == 403
        assert "PUBLIC_URL" in answer.text


@pytest.mark.parametrize("suffix", ["", "/", ":443"])
async def test_the_socket_is_for_twilio_only(signed: LiveServer, signed_agent: str, suffix: str) -> None:
    port, slash = (suffix, "") if suffix == ":443" else ("", suffix)
    url = f"wss://voice.example.com{port}/telephony/twilio/{signed_agent}{slash}"
    good = RequestValidator(TOKEN).compute_signature(url, {})
    async with dialled(signed, signed_agent, additional_headers={"X-Twilio-Signature": good}) as phone:
        await phone.start()
    for headers in ({}, {"X-Twilio-Signature": good[::-1]}):
        with pytest.raises(websockets.InvalidStatus) as refused:
            async with dialled(signed, signed_agent, additional_headers=headers):
                pass
        assert refused.value.response.status_code == 403


def test_without_a_token_calls_are_taken_on_loopback_only(tmp_path: Path) -> None:
    with live_server(tmp_path, host="0.0.0.0", sandbox_keys=True) as server:
        url = server.url.replace("0.0.0.0", "127.0.0.1")
        answer = httpx.post(f"{url}/telephony/twilio/agent_x/voice")
        assert answer.status_code == 403
        assert "VIVAVOCE_TWILIO_AUTH_TOKEN" in answer.text
