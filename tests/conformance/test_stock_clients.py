"""
The same conversation held by clients that we did not write, each unchanged and in an environment of its own.

``scripts/setup-conformance`` installs them. What each must have seen: the caller's question understood, a
tool of the client's called and its answer spoken, and a story that stopped when the caller spoke over it.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from tests.live_server import LiveServer

CLIENTS = Path(__file__).parent / "clients"
PYTHON = Path(__file__).parents[2] / ".venv-conformance" / "bin" / "python"
INSTALL = "run scripts/setup-conformance"


PYTHON_CLIENTS = ("openai_agents", "pipecat_service", "livekit_model")
JAVASCRIPT = "agents_realtime"
WEBRTC = "agents_realtime over WebRTC"

Report: TypeAlias = dict[str, Any]


def converse(command: list[str], task: dict[str, object]) -> Report:
    """Run a client program; returns what it saw."""
    done = subprocess.run(
        [*command, json.dumps(task)], cwd=CLIENTS, capture_output=True, timeout=100, check=False
    )
    assert done.stdout.strip(), done.stderr.decode()[-4000:]
    report: Report = json.loads(done.stdout.strip().splitlines()[-1])
    return report


@pytest.fixture(scope="module")
def conversations(
    server: LiveServer, key: str, agent: str, recordings: Callable[[str], Path]
) -> Iterator[dict[str, Future[Report]]]:
    """All clients that are installed, talking to one server, two at a time."""
    task: dict[str, object] = {
        "url": server.url,
        "key": key,
        "agent": agent,
        "weather": str(recordings("What is the weather like?")),
        "story": str(recordings("Tell me a story.")),
        "interruption": str(recordings("Stop, please stop, I have a question.")),
    }
    with ThreadPoolExecutor(max_workers=2) as pool:
        begun: dict[str, Future[Report]] = {}
        if PYTHON.exists():
            for client in PYTHON_CLIENTS:
                begun[client] = pool.submit(converse, [str(PYTHON), "-W", "ignore", f"{client}.py"], task)
        node = shutil.which("node")
        if node and (CLIENTS / "node_modules").is_dir():
            with server.client(key) as api:
                session = {"type": "realtime", "model": agent}
                made = api.post("/v1/realtime/client_secrets", json={"session": session})
            program = [node, f"{JAVASCRIPT}.mjs"]
            begun[JAVASCRIPT] = pool.submit(converse, program, task)
            begun[WEBRTC] = pool.submit(converse, program, task | {"secret": made.json()["value"]})
        yield begun
        pool.shutdown(cancel_futures=True)


@pytest.mark.timeout(220)
@pytest.mark.parametrize("client", [*PYTHON_CLIENTS, JAVASCRIPT, WEBRTC])
def test_a_stock_client_converses(client: str, conversations: dict[str, Future[Report]]) -> None:
    if client not in conversations:
        pytest.skip(f"{client} is not installed: {INSTALL}")
    report = conversations[client].result()
    assert report["errors"] == []
    assert len(report["tool_calls"]) == 1
    assert "Bern" in report["tool_calls"][0]
    assert any("weather" in words for words in report["user_transcripts"])
    said = "".join(report["agent_transcripts"])
    assert "sunny and mild" in said
    assert "Once upon a time" in said
    assert report["interruptions"] == 1
    # The whole story lasts more than fifteen seconds; the answers before it at most five.
    assert 3.5 < report["audio_seconds"] < 14
    if client == JAVASCRIPT:
        assert "conversation.item.truncated" in report["notes"]["events"]
    if client == WEBRTC:
        assert "output_audio_buffer.stopped" in report["notes"]["events"]
        assert "response.output_audio.delta" not in report["notes"]["events"]
