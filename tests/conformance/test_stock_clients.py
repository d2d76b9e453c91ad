"""
The same conversation held by clients that we did not write, each unchanged and in an environment of its own.

``scripts/setup-conformance`` installs them. What each must have seen: the caller's question understood, a
tool of the client's called and its answer spoken, and a story that stopped when the caller spoke over it.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.live_server import LiveServer

CLIENTS = Path(__file__).parent / "clients"
PYTHON = Path(__file__).parents[2] / ".venv-conformance" / "bin" / "python"
INSTALL = "run scripts/setup-conformance"


async def converse(command: list[str], task: dict[str, object]) -> dict[str, Any]:
    """Run a client program; returns its report."""
    process = await asyncio.create_subprocess_exec(
        *command,
        json.dumps(task),
        cwd=CLIENTS,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(90):
            out, err = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    assert out.strip(), err.decode()[-4000:]
    report: dict[str, Any] = json.loads(out.strip().splitlines()[-1])
    return report


@pytest.fixture(scope="session")
def task(server: LiveServer, key: str, agent: str, recordings: Callable[[str], Path]) -> dict[str, object]:
    return {
        "url": server.url,
        "key": key,
        "agent": agent,
        "weather": str(recordings("What is the weather like?")),
        "story": str(recordings("Tell me a story.")),
        "interruption": str(recordings("Stop, please stop, I have a question.")),
    }


def assert_conversed(report: dict[str, Any]) -> None:
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


@pytest.mark.timeout(120)
@pytest.mark.parametrize("client", ["openai_agents", "pipecat_service", "livekit_model"])
async def test_a_python_client_converses(client: str, task: dict[str, object]) -> None:
    if not PYTHON.exists():
        pytest.skip(f"the stock clients are not installed: {INSTALL}")
    assert_conversed(await converse([str(PYTHON), "-W", "ignore", f"{client}.py"], task))


def node() -> str:
    found = shutil.which("node")
    if found is None or not (CLIENTS / "node_modules").is_dir():
        pytest.skip(f"Node or its packages are not installed: {INSTALL}")
    return found


@pytest.mark.timeout(120)
async def test_the_javascript_client_converses_over_a_websocket(task: dict[str, object]) -> None:
    report = await converse([node(), "agents_realtime.mjs"], task)
    assert_conversed(report)
    assert "conversation.item.truncated" in report["notes"]["events"]


@pytest.mark.timeout(120)
async def test_the_javascript_client_converses_over_webrtc(
    server: LiveServer, key: str, agent: str, task: dict[str, object]
) -> None:
    command = [node(), "agents_realtime.mjs"]
    with server.client(key) as api:
        session = {"type": "realtime", "model": agent}
        secret = api.post("/v1/realtime/client_secrets", json={"session": session}).json()["value"]
    report = await converse(command, task | {"secret": secret})
    assert_conversed(report)
    assert "output_audio_buffer.stopped" in report["notes"]["events"]
    assert "response.output_audio.delta" not in report["notes"]["events"]
