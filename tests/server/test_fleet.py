"""Several processes behind one address are one server."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiortc import RTCPeerConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from runtime.cli.reference import synthesise_reference
from tests.live_server import LiveServer, live_server
from tests.recordings import wav


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("fleet")
    with live_server(folder, workers=2, engine="clone", rate_limit_per_minute=600) as server:
        give_up = time.monotonic() + 40.0
        while workers_of(server) != {"0", "1"}:  # the address answers as soon as one of them is up
            assert time.monotonic() < give_up
            time.sleep(0.2)
        yield server


@pytest.fixture(scope="module")
def recording() -> bytes:
    """One that the gate accepts."""
    return wav(*synthesise_reference())


def workers_of(fleet: LiveServer) -> set[str]:
    with fleet.client() as client:
        page = client.get("/metrics").text
    cpu = [line for line in page.splitlines() if line.startswith("process_cpu_seconds_total{")]
    return {line.split('worker="')[1].split('"')[0] for line in cpu}


def pids(fleet: LiveServer) -> list[int]:
    """The processes that serve, by what each said when it started."""
    return [
        int(line.rsplit("[", 1)[1].rstrip("]")) for line in fleet.log.splitlines() if "Started server" in line
    ]


@pytest.mark.timeout(120)
def test_two_processes_are_one_server(fleet: LiveServer, recording: bytes) -> None:
    # Whichever takes the upload, the leader enrols it, and every one of them speaks in it.
    key = fleet.sandbox_key()
    for _ in range(3):
        with fleet.client(key) as client:  # a connection each, so that both are asked
            sent = client.post("/v1/voice/clones", data={"name": "Ava"}, files={"file": ("a.wav", recording)})
            assert sent.status_code == 201, sent.text
            voice = sent.json()["id"]
            assert settled(client, voice) == "ready"
            assert (
                client.post("/v1/audio/speech", json={"input": "Hello.", "voice": voice}).status_code == 200
            )


@contextmanager
def dialled(fleet: LiveServer, key: str, query: str) -> Iterator[ClientConnection]:
    """A Realtime session on a connection of its own."""
    url = f"{fleet.url.replace('http', 'ws')}/v1/realtime?{query}"
    with connect(url, additional_headers={"authorization": f"Bearer {key}"}) as socket:
        yield socket


def created(socket: ClientConnection) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(socket.recv(timeout=10))
    assert event["type"] == "session.created", event
    return event


def hear_out(socket: ClientConnection) -> None:
    """Raises ConnectionClosed when the server hangs up."""
    while True:
        socket.recv(timeout=15)


def calls_by_process(fleet: LiveServer) -> set[str]:
    """Which processes have a call now."""
    with fleet.client() as client:
        page = client.get("/metrics").text
    found = re.findall(r'vivavoce_live_calls{[^}]*worker="(\d)"} ([1-9])', page)
    return {worker for worker, _ in found}


@pytest.mark.timeout(120)
def test_a_client_secret_opens_calls_in_every_process(fleet: LiveServer) -> None:
    with fleet.client(fleet.sandbox_key()) as client:
        secret = client.post("/v1/realtime/client_secrets", json={}).json()["value"]
    with ExitStack() as calls:
        for _ in range(30):
            created(calls.enter_context(dialled(fleet, secret, "model=gpt-realtime")))
            if calls_by_process(fleet) == {"0", "1"}:
                return
    raise AssertionError("all calls came to one process")


@pytest.mark.timeout(120)
def test_a_revoked_voice_falls_silent_in_every_process(fleet: LiveServer, recording: bytes) -> None:
    key = fleet.sandbox_key()
    with fleet.client(key) as client, ExitStack() as calls:
        made = client.post("/v1/voice/clones", data={"name": "Ava"}, files={"file": ("a.wav", recording)})
        voice = made.json()["id"]
        assert settled(client, voice) == "ready"
        agent = client.post("/v1/agents", json={"name": "Desk", "voice_id": voice}).json()["agent_id"]
        sockets = []
        while calls_by_process(fleet) != {"0", "1"}:
            assert len(sockets) < 30
            sockets.append(calls.enter_context(dialled(fleet, key, f"model={agent}")))
            created(sockets[-1])
        revoked = client.post(f"/v1/voice/clones/{voice}/consent/revoke").json()
        assert revoked["calls_ended"] == len(sockets)
        for socket in sockets:
            with pytest.raises(ConnectionClosed):
                hear_out(socket)
        for _ in range(4):
            with fleet.client(key) as other:
                said = other.post("/v1/audio/speech", json={"input": "Hello.", "voice": voice})
                assert said.status_code == 403


@pytest.mark.timeout(120)
def test_a_broken_line_is_taken_up_whichever_process_is_asked(fleet: LiveServer) -> None:
    key = fleet.sandbox_key()
    for _ in range(6):
        with dialled(fleet, key, "model=gpt-realtime&resumable=true") as socket:
            first = created(socket)
            token = first["session"]["resume"]["token"]
            socket.socket.shutdown(2)  # without a word: the line broke
        with dialled(fleet, key, f"resume={token}") as again:
            assert created(again)["session"]["id"] == first["session"]["id"]
    with pytest.raises(InvalidStatus) as refused, dialled(fleet, key, "resume=resume_unknown"):
        pass
    assert refused.value.response.status_code == 404


@pytest.mark.timeout(120)
async def test_a_webrtc_call_is_hung_up_whichever_process_is_asked(fleet: LiveServer) -> None:
    key = fleet.sandbox_key()
    for _ in range(4):
        peer = RTCPeerConnection()
        peer.addTransceiver("audio")
        peer.createDataChannel("oai-events")
        await peer.setLocalDescription(await peer.createOffer())
        with fleet.client(key) as client:
            answer = client.post(
                "/v1/realtime/calls?model=gpt-realtime",
                content=peer.localDescription.sdp,
                headers={"content-type": "application/sdp"},
            )
            assert answer.status_code == 201, answer.text
        with fleet.client(fleet.sandbox_key()) as stranger:
            assert stranger.delete(answer.headers["location"]).status_code == 404
        with fleet.client(key) as client:
            assert client.delete(answer.headers["location"]).status_code == 204
        await peer.close()


def test_a_key_has_one_rate_limit_in_all_processes(fleet: LiveServer) -> None:
    key = fleet.sandbox_key()
    began = time.monotonic()
    passed, refused = 0, False
    while not refused:
        with fleet.client(key) as client:  # a connection stays with a process
            statuses = [client.get("/v1/me").status_code for _ in range(10)]
        passed += statuses.count(200)
        refused = 429 in statuses
    refilled = 10 * (time.monotonic() - began)
    assert 600 <= passed <= 600 + refilled + 1


@pytest.mark.timeout(120)
def test_it_drains_and_ends_as_one(tmp_path: Path) -> None:
    with live_server(tmp_path, workers=2) as server:
        give_up = time.monotonic() + 40.0
        while len(started := pids(server)) < 2:
            assert time.monotonic() < give_up, server.log
            time.sleep(0.1)
        assert server.stop(timeout=60.0) == 0
    for pid in started:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def settled(client: httpx.Client, voice: str) -> str:
    """The voice's last status."""
    for _ in range(300):
        status: str = client.get(f"/v1/voice/clones/{voice}").json()["status"]
        if status != "pending":
            return status
        time.sleep(0.1)
    raise AssertionError(f"{voice} is still pending")
