"""A person at the talk page, in a real browser, over both transports."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr

from tests.live_server import LiveServer

CLIENTS = Path(__file__).parent / "clients"
PYTHON = Path(__file__).parents[2] / ".venv-conformance" / "bin" / "python"

STORY = "One two three four five six seven eight nine ten. " * 4

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


def microphone(pcm: bytes, *, after: float = 3.0) -> bytes:
    """A caller who waits, speaks, and waits for the answer."""
    speech = np.frombuffer(pcm, "<i2").astype(np.float32) / 32768
    said = soxr.resample(speech, 24_000, CALLER_RATE)
    line = np.concatenate([np.zeros(round(after * CALLER_RATE)), said, np.zeros(60 * CALLER_RATE)])
    file = io.BytesIO()
    soundfile.write(file, line, CALLER_RATE, format="WAV", subtype="PCM_16")
    return file.getvalue()


@pytest.fixture
def visit(
    browser: str, server: LiveServer, key: str, echo: str, tmp_path: Path
) -> Callable[[str, str, bytes], dict[str, Any]]:
    """Run one of the scripts in ``clients`` at the page, with this microphone; what it saw."""

    def visit(script: str, transport: str, recording: bytes) -> dict[str, Any]:
        file = tmp_path / "microphone.wav"
        file.write_bytes(recording)
        task = {
            "url": server.url,
            "key": key,
            "agent": echo,
            "transport": transport,
            "browser": browser,
            "microphone": str(file),
            "screenshot": str(tmp_path / "talk.png"),
        }
        command = [str(PYTHON), script, json.dumps(task)]
        done = subprocess.run(command, cwd=CLIENTS, capture_output=True, timeout=150, check=False)
        assert done.returncode == 0, done.stderr.decode()[-4000:]
        report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        assert report["faults"] == []
        return report

    return visit


@pytest.mark.timeout(160)
@pytest.mark.parametrize("transport", ["websocket", "webrtc"])
def test_a_person_talks_to_an_agent(
    transport: str,
    visit: Callable[[str, str, bytes], dict[str, Any]],
    say: Callable[[str], bytes],
    tmp_path: Path,
) -> None:
    question = say("Please tell me about the weather in the mountains.")
    report = visit("talk_page.py", transport, microphone(question))

    (_, question_shown), (_, answer), (_, typed), (_, reply) = report["captions"]
    assert "mountains" in question_shown
    assert "mountains" in answer
    assert typed == "Thank you."
    assert "Thank you." in reply
    assert report["hung_up_while_ringing"] == "The call ended."
    assert report["usable_while_ringing"] == ["hangup"]
    assert report["caller_was_loud"]
    assert report["agent_was_loud"]
    assert report["gap"].endswith("ms")
    assert report["loss"] == ("n/a (TCP)" if transport == "websocket" else "0.0 %")
    assert not report["phone_overflow"]
    assert report["status"] == "The call ended."
    assert report["level_afterwards"] == -60
    assert (tmp_path / "talk.png").stat().st_size > 10_000


@pytest.mark.timeout(160)
@pytest.mark.parametrize("transport", ["websocket", "webrtc"])
def test_a_person_interrupts_and_outlasts_a_broken_network(
    transport: str, visit: Callable[[str, str, bytes], dict[str, Any]], say: Callable[[str], bytes]
) -> None:
    stop = say("Stop, please, stop. I have another question about the trains.")
    report = visit("talk_page_trouble.py", transport, microphone(stop, after=7.0))

    assert report["heard"]
    assert report["heard"] + report["unheard"] == f"You said: {STORY.strip()}"
    assert report["unheard_style"] == "line-through"
    # Long before the story's end, which is more than ten seconds away. `bench barge_in` measures how long.
    assert silenced_after(report["levels"]) < 2.5
    assert report["nameless"] == []
    assert report["muted"] == "true"
    assert "And now?" in report["after_renewal"][1] or "Are you there?" in report["after_renewal"][1]
    if transport == "webrtc":
        assert "Are you there?" in report["after_restart"][1]
        assert report["asked"][:2] == ["POST", "PATCH"]
        assert report["asked"][-1] == "POST"
    assert report["status"] == "The call ended."


def silenced_after(levels: list[list[float]]) -> float:
    """Seconds from the caller's first sound to the agent's last, by the page's own meters."""
    onset = next(at for at, caller, _ in levels if caller > -40)
    loud = [at for at, _, agent in levels if agent > -45 and at < onset + 4000]
    # It had not come to its end: at most it was between two words.
    assert onset - max(at for at in loud if at < onset) < 1000
    return (loud[-1] - onset) / 1000
