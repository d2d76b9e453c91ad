"""Omni over the network: A-42, B-04, B-10, B-11, and a call in an agent's voice (A-40 with tones)."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.acceptance.test_pyai import enrol
from tests.live_server import LiveServer


class OmniCall:
    """A client of the reference kind: tagged frames both ways."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.audio = b""
        self.events: list[dict[str, Any]] = []
        self.transcripts: list[dict[str, Any]] = []

    def send(self, **body: object) -> None:
        self.socket.send(b"\x03" + json.dumps(body).encode())

    def until(self, event: str, *, patience: float = 15.0) -> dict[str, Any]:
        """Read on until this event or transcript comes."""
        give_up = time.monotonic() + patience
        while True:
            frame = self.socket.recv(timeout=max(0.01, give_up - time.monotonic()))
            assert isinstance(frame, bytes)
            if frame[0] == 1:
                self.audio += frame[1:]
                continue
            body = json.loads(frame[1:])
            (self.transcripts if frame[0] == 2 else self.events).append(body)
            if body.get("event") == event or (frame[0] == 2 and body["final"] and event == body["role"]):
                return body

    def frequency(self) -> float:
        """Hz of the tone that was heard."""
        samples = np.frombuffer(self.audio, "<i2").astype(float)
        spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
        return float(np.argmax(spectrum) * 24_000 / len(samples))


def address(server: LiveServer, **query: str) -> str:
    return f"{server.url.replace('http', 'ws')}/v1/omni?" + "&".join(f"{n}={v}" for n, v in query.items())


@contextmanager
def call(server: LiveServer, key: str, **query: str) -> Iterator[OmniCall]:
    headers = {"authorization": f"Bearer {key}"}
    with connect(address(server, **query), additional_headers=headers) as socket:
        yield OmniCall(socket)


def agent(api: httpx.Client, **fields: object) -> str:
    body = {"name": "Desk", "voice_id": "tone-low", "greeting": "Good morning to you all."} | fields
    made: str = api.post("/v1/agents", json=body).json()["agent_id"]
    return made


def test_a_call_begins_with_hello_and_the_agents_greeting(
    server: LiveServer, api: httpx.Client, key: str
) -> None:
    with call(server, key, session_label=agent(api)) as omni:
        hello = omni.until("hello")
        assert hello["protocol"] == 2
        assert hello["audio_in"] == "pcm16@24000"
        assert omni.until("session_started")["agent_id"].startswith("agent_")
        assert omni.until("assistant")["text"] == "Good morning to you all."
        assert omni.frequency() == pytest.approx(200, abs=5)
        omni.audio = b""
        omni.send(type="input_text", text="Hello there")
        assert "Hello there" in omni.until("assistant")["text"]
        assert omni.audio
        omni.send(type="session_ending")
        assert omni.until("session_end")["reason"] == "completed"
        with pytest.raises(ConnectionClosed) as closed:
            omni.until("nothing")
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1000


def test_b13_callers_are_told_that_nobody_real_speaks(
    server: LiveServer, api: httpx.Client, key: str
) -> None:
    label = agent(api)
    with call(server, key, session_label=label) as omni:
        assert omni.until("session_started")["disclosure"] == {"synthetic_speech": True, "spoken": False}
        assert omni.until("assistant")["text"] == "Good morning to you all."
    api.patch(f"/v1/agents/{label}", json={"disclosure": "spoken"}).raise_for_status()
    with call(server, key, session_label=label) as omni:
        assert omni.until("session_started")["disclosure"] == {"synthetic_speech": True, "spoken": True}
        told = omni.until("assistant")["text"]
        assert told == "You are talking to an artificial voice. Good morning to you all."


def test_b13_whoever_turns_that_off_is_audited(server: LiveServer, api: httpx.Client, key: str) -> None:
    label = agent(api)
    for _ in range(2):
        api.patch(f"/v1/agents/{label}", json={"disclosure": "off"}).raise_for_status()
    with call(server, key, session_label=label) as omni:
        assert "disclosure" not in omni.until("session_started")
    born_so = agent(api, disclosure="off")
    events = api.get("/v1/audit").json()["data"]
    assert [one["object"] for one in events if one["verb"] == "agent.disclosure_off"] == [label, born_so]
    assert api.patch(f"/v1/agents/{label}", json={"disclosure": "never"}).status_code == 400


def test_a40_the_agents_voice_is_changed_without_a_change_of_the_client(
    server: LiveServer, api: httpx.Client, key: str
) -> None:
    label = agent(api)
    heard = []
    for voice in ("tone-low", "tone-high"):
        api.patch(f"/v1/agents/{label}", json={"voice_id": voice})
        with call(server, key, session_label=label) as omni:
            omni.until("assistant")
            heard.append(omni.frequency())
    assert heard == [pytest.approx(200, abs=5), pytest.approx(400, abs=5)]


def test_configure_decides_for_one_call(server: LiveServer, api: httpx.Client, key: str) -> None:
    with call(server, key, session_label=agent(api)) as omni:
        omni.send(type="configure", voice_id="tone-high", greeting="Hi.", consent_line="This is recorded.")
        ack = omni.until("config_ack")
        assert ack["voice_id"] == "tone-high"
        assert ack["honored"] == ["consent_line", "greeting", "voice_id"]
        assert omni.until("assistant")["text"] == "This is recorded. Hi."
        assert omni.frequency() == pytest.approx(400, abs=5)


def test_b04_the_voice_is_swapped_in_the_middle_of_a_call(
    server: LiveServer, api: httpx.Client, key: str
) -> None:
    with call(server, key, session_label=agent(api)) as omni:
        omni.until("assistant")
        omni.send(type="configure", voice_id="tone-high")
        changed = omni.until("voice_changed")
        assert (changed["from"], changed["to"]) == ("tone-low", "tone-high")
        assert omni.until("config_ack")["honored"] == ["voice_id"]
        omni.audio = b""
        omni.send(type="input_text", text="And now?")
        omni.until("assistant")
        assert omni.frequency() == pytest.approx(400, abs=5)
        omni.send(type="configure", voice_id="voice_x")
        assert omni.until("error")["code"] == "voice_not_found"
        omni.send(type="input_text", text="Still there?")
        omni.until("assistant")


def test_b10_a_voice_that_is_gone_refuses_the_call_or_falls_back_aloud(
    server: LiveServer, api: httpx.Client, key: str
) -> None:
    with call(server, key, session_label=agent(api)) as omni:
        omni.send(type="configure", voice_id="voice_gone")
        assert omni.until("error")["code"] == "voice_unavailable"
        with pytest.raises(ConnectionClosed):
            omni.until("nothing")


def test_b11_every_silent_mistake_gets_one_warning_and_the_call_goes_on(
    server: LiveServer, api: httpx.Client, key: str
) -> None:
    with call(server, key, session_label=agent(api, greeting=None)) as omni:
        omni.socket.send(bytes(960))
        omni.socket.send(bytes(960))
        omni.socket.send(b"\x07" + bytes(960))
        omni.socket.send(json.dumps({"event": "configure", "vioce_id": "x"}))
        omni.socket.send("not json")
        assert omni.until("error")["code"] == "malformed_message"
        omni.send(type="input_text", text="Are you there")
        omni.until("assistant")
        warned = [event["code"] for event in omni.events if event["event"] == "warning"]
        assert sorted(warned) == [
            "audio_before_configure",
            "event_key",
            "ignored_key:vioce_id",
            "odd_length_pcm",
            "untagged_audio",
        ]


def test_raw_framing_is_bare_pcm_and_text(server: LiveServer, api: httpx.Client, key: str) -> None:
    with call(server, key, session_label=agent(api), framing="raw", rate="16000") as omni:
        audio, events = b"", []
        while not (events and events[-1].get("final")):
            frame = omni.socket.recv(timeout=15)
            if isinstance(frame, str):
                events.append(json.loads(frame))
            else:
                audio += frame
    assert events[0]["audio_out"] == "pcm16@16000"
    assert len(audio) % 2 == 0
    assert len(audio) > 16_000


def test_b02_a_revoked_consent_ends_the_calls_that_speak_in_the_voice(
    server: LiveServer, api: httpx.Client, key: str, good: bytes
) -> None:
    voice = enrol(api, good)["id"]
    with call(server, key, session_label=agent(api, voice_id=voice)) as omni:
        omni.until("assistant")
        assert api.post(f"/v1/voice/clones/{voice}/consent/revoke").json()["calls_ended"] == 1
        assert omni.until("session_end")["reason"] == "draining"
    with call(server, key, session_label=agent(api, voice_id="tone-low")) as omni:
        omni.send(type="configure", voice_id=voice)
        assert omni.until("error")["code"] == "consent_revoked"


def kept_call(api: httpx.Client) -> dict[str, Any]:
    """The newest call, as soon as it is written down."""
    for _ in range(200):
        if calls := api.get("/v1/omni/calls").json()["data"]:
            newest: dict[str, Any] = calls[0]
            return newest
        time.sleep(0.05)
    raise AssertionError("the call was never written down")


def test_a43_a_call_that_is_over_is_listed_with_what_was_said(
    server: LiveServer, api: httpx.Client, key: str
) -> None:
    label = agent(api)
    with call(server, key, session_label=label) as omni:
        omni.until("assistant")
        omni.send(type="input_text", text="Hello there")
        omni.until("assistant")
        omni.send(type="session_ending")
        omni.until("session_end")
    kept = kept_call(api)
    assert kept["session_label"] == label
    assert kept["voice_id"] == "tone-low"
    assert kept["transport"] == "omni"
    assert kept["started_at"] < kept["ended_at"]
    turns = api.get(f"/v1/omni/calls/{kept['id']}/transcript").json()["turns"]
    assert [turn["role"] for turn in turns] == ["assistant", "user", "assistant"]
    assert turns[0]["text"] == "Good morning to you all."
    assert turns[1]["text"] == "Hello there"
    assert api.get("/v1/omni/calls", params={"session_label": "agent_x"}).json()["data"] == []
    assert api.delete(f"/v1/omni/calls/{kept['id']}").status_code == 204
    assert api.get(f"/v1/omni/calls/{kept['id']}").status_code == 404


def mint(api: httpx.Client, **fields: object) -> dict[str, Any]:
    answer = api.post("/v1/omni/sessions", json=fields)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def refused(server: LiveServer, token: str, **headers: str) -> int:
    protocols: Any = [f"pyai-key.{token}"]
    with pytest.raises(InvalidStatus) as caught:
        connect(address(server), subprotocols=protocols, additional_headers=headers).close()
    return caught.value.response.status_code


def test_a42_a_token_is_bound_to_origin_time_and_one_call(server: LiveServer, api: httpx.Client) -> None:
    made = mint(api, allowed_origins=["https://acme.com"], ttl_seconds=600, session_label=agent(api))
    token = made["token"]
    assert refused(server, token, origin="https://evil.com") == 403
    protocols: Any = [f"pyai-key.{token}"]
    with connect(
        address(server), subprotocols=protocols, additional_headers={"origin": "https://acme.com"}
    ) as socket:
        assert socket.subprotocol == protocols[0]
        OmniCall(socket).until("assistant")
        assert refused(server, token, origin="https://acme.com") == 429
    short = mint(api, ttl_seconds=1)["token"]
    time.sleep(1.1)
    assert refused(server, short) == 401
    assert api.post("/v1/omni/sessions", json={"allowed_origins": ["*"]}).status_code == 400
    assert api.post("/v1/omni/sessions", json={"ttl_seconds": 601}).status_code == 400
    with server.client(token) as page:
        assert page.get("/v1/voice/clones").status_code == 401


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({"rate": "44100"}, 400, "unsupported_format"),
        ({"format": "mp3"}, 400, "unsupported_format"),
        ({"framing": "x"}, 400, "invalid_request"),
        ({"session_label": "x" * 257}, 400, "invalid_agent_id"),
        ({"session_label": "agent_x"}, 404, "not_found"),
    ],
)
def test_a_call_that_cannot_be_is_refused_before_it_begins(
    server: LiveServer, key: str, query: dict[str, str], status: int, code: str
) -> None:
    with pytest.raises(InvalidStatus) as caught:
        connect(address(server, **query), additional_headers={"authorization": f"Bearer {key}"}).close()
    assert caught.value.response.status_code == status
    body = caught.value.response.body
    assert body is not None
    assert json.loads(body)["error"]["code"] == code


def test_a_knowledge_base_that_nobody_asks_is_told_of(
    server: LiveServer, api: httpx.Client, key: str
) -> None:
    with call(server, key, session_label=agent(api)) as omni:
        omni.send(type="configure", kb_endpoint="https://example.com/kb", kb_token="t", persona="Kind.")
        acknowledged = omni.until("config_ack")
        assert acknowledged["honored"] == ["persona"]
        assert acknowledged["ignored"] == ["kb_endpoint", "kb_token"]
        assert omni.until("warning")["code"] == "kb_endpoint_unused"
