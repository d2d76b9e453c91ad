"""A person at the talk page, in a real browser, over both transports."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from tests.live_server import LiveServer

CLIENTS = Path(__file__).parent / "clients"
PYTHON = Path(__file__).parents[2] / ".venv-conformance" / "bin" / "python"

CALLER_RATE = 48_000
"""What Chromium's file microphone reads."""


@pytest.fixture(scope="module")
def browser() -> str:
    found = shutil.which("chromium")
    if found is None or not PYTHON.exists():
        pytest.skip("no chromium with playwright: run scripts/setup-test")
    return found


@pytest.fixture(scope="module")
def echo(server: LiveServer, key: str, cloned_voice: str) -> str:
    """An agent in the cloned voice that says back what it hears."""
    with server.client(key) as api:
        answer = api.post("/v1/agents", json={"name": "Echo", "voice_id": cloned_voice, "brain": "echo"})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["agent_id"])


def microphone(pcm: bytes) -> bytes:
    """A caller who waits, asks, and waits for the answer."""
    speech = np.frombuffer(pcm, "<i2").astype(np.float32) / 32768
    question = soxr.resample(speech, 24_000, CALLER_RATE)
    line = np.concatenate([np.zeros(3 * CALLER_RATE), question, np.zeros(20 * CALLER_RATE)])
    file = io.BytesIO()
    soundfile.write(file, line, CALLER_RATE, format="WAV", subtype="PCM_16")
    return file.getvalue()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("transport", ["websocket", "webrtc"])
def test_a_person_talks_to_an_agent(
    transport: str,
    browser: str,
    server: LiveServer,
    key: str,
    echo: str,
    say: Callable[[str], bytes],
    tmp_path: Path,
) -> None:
    recording = tmp_path / "microphone.wav"
    recording.write_bytes(microphone(say("Please tell me about the weather in the mountains.")))
    task = {
        "url": server.url,
        "key": key,
        "agent": echo,
        "transport": transport,
        "browser": browser,
        "microphone": str(recording),
        "screenshot": str(tmp_path / "talk.png"),
    }
    command = [str(PYTHON), "talk_page.py", json.dumps(task)]
    done = subprocess.run(command, cwd=CLIENTS, capture_output=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr.decode()[-4000:]
    report = json.loads(done.stdout.splitlines()[-1])

    assert report["faults"] == []
    (_, question), (_, answer), (_, typed), (_, reply) = report["captions"]
    assert "mountains" in question
    assert "mountains" in answer
    assert typed == "Thank you."
    assert "Thank you." in reply
    assert report["caller_was_loud"]
    assert report["agent_was_loud"]
    assert report["gap"].endswith("ms")
    assert report["loss"] == ("n/a (TCP)" if transport == "websocket" else "0.0 %")
    assert not report["phone_overflow"]
    assert report["status"] == "The call ended."
    assert (tmp_path / "talk.png").stat().st_size > 10_000
