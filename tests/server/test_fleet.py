"""Several processes behind one address are one server."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from runtime.cli.reference import synthesise_reference
from tests.live_server import LiveServer, live_server
from tests.recordings import wav


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with live_server(tmp_path_factory.mktemp("fleet"), workers=2, engine="clone") as server:
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
    give_up = time.monotonic() + 40.0
    while workers_of(fleet) != {"0", "1"}:  # the address answers as soon as one of them is up
        assert time.monotonic() < give_up
        time.sleep(0.2)

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
