from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.live_server import LiveServer
from tests.recordings import Samples, decoded, wav


@pytest.fixture
def key(server: LiveServer) -> str:
    return server.sandbox_key()


@pytest.fixture
def api(server: LiveServer, key: str) -> Iterator[httpx.Client]:
    """Bearer."""
    with server.client(key) as client:
        yield client


@pytest.fixture
def core(server: LiveServer, key: str) -> Iterator[httpx.Client]:
    """X-API-Key, below a new agent."""
    with server.client(key) as client:
        agent = client.post("/v1/agents", json={"name": "Desk"}).json()["agent_id"]
    base_url = f"{server.url}/v1/agents/{agent}"
    with httpx.Client(base_url=base_url, headers={"x-api-key": key}, timeout=30) as client:
        yield client


@pytest.fixture(scope="session")
def speech(clips: Path) -> tuple[Samples, int]:
    """Ten seconds of one woman, mono, and the rate."""
    return decoded((clips / "A_good" / "fscorsica-b_f_44100_10.0s.flac").read_bytes())


@pytest.fixture(scope="session")
def good(speech: tuple[Samples, int]) -> bytes:
    return wav(*speech)
