"""A-14: the lines of PyAI's guide, as they stand there."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import wave
from pathlib import Path

import av
import pytest

from tests.live_server import LiveServer

CLIENTS = [str(Path(__file__).parents[2] / "clients" / name) for name in ("vivavoce", "pyai")]

GUIDE = """
import os, time
from pyai import PyAI

pyai = PyAI(api_key=os.environ["PYAI_API_KEY"])

with open("reference.wav", "rb") as f:
    voice = pyai.voice.clones.create(name="Ava — brand voice", file=f)
print(voice.id, voice.status)

for _ in range(60):
    v = pyai.voice.clones.get(voice.id)
    if v.status in ("ready", "failed"):
        break
    time.sleep(0.1)
print(v.status)

audio = pyai.audio.speech(input="Hello in my own voice.", voice=voice.id, response_format="wav")
with open("preview.wav", "wb") as f:
    f.write(audio)

audio = pyai.audio.speech(input="Your appointment is confirmed.", voice=voice.id, response_format="mp3")
with open("confirmation.mp3", "wb") as f:
    f.write(audio)
"""


@pytest.fixture
def desk(tmp_path: Path, good: bytes) -> Path:
    (tmp_path / "reference.wav").write_bytes(good)
    return tmp_path


def run(desk: Path, server: LiveServer, key: str | None, *command: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(CLIENTS),
        "PYAI_BASE_URL": server.url,
        "VIVAVOCE_URL": server.url,
        "PYTHONUTF8": "1",
    }
    if key is not None:
        environment |= {"PYAI_API_KEY": key, "VIVAVOCE_API_KEY": key}
    return subprocess.run(
        [sys.executable, *command], cwd=desk, env=environment, capture_output=True, text=True, timeout=50
    )


OUR_OWN = GUIDE.replace("PyAI", "Vivavoce").replace("PYAI_", "VIVAVOCE_").replace("pyai", "vivavoce")
"""The same under our own name."""


@pytest.mark.parametrize("lines", [GUIDE, OUR_OWN], ids=["pyai", "vivavoce"])
def test_the_python_lines(desk: Path, server: LiveServer, key: str, lines: str) -> None:
    done = run(desk, server, key, "-c", lines)
    assert done.returncode == 0, done.stderr
    created, status = done.stdout.splitlines()
    assert re.fullmatch(r"voice_\w+ pending", created)
    assert status == "ready"
    with wave.open(str(desk / "preview.wav")) as file:
        assert file.getnframes() > 10_000
    with av.open(io.BytesIO((desk / "confirmation.mp3").read_bytes())) as container:
        assert sum(frame.samples for frame in container.decode(audio=0)) > 10_000


@pytest.mark.parametrize("command", ["pyai", "runtime"])
def test_the_line_of_the_guide_prints_the_id_and_the_status(
    desk: Path, server: LiveServer, key: str, command: str
) -> None:
    create = ("voice", "clones", "create", "--name", "Ava — brand voice", "--file", "reference.wav")
    done = run(desk, server, key, "-m", command, *create)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"voice_\w+ \(pending\)\n", done.stdout)
    assert done.stderr == ""
    told = run(desk, server, key, "-m", command, "voice", "clones", "get", done.stdout.split()[0], "--json")
    assert json.loads(told.stdout)["name"] == "Ava — brand voice"


def test_the_rest_of_the_api(desk: Path, server: LiveServer, key: str) -> None:
    """Agents, calls and webhooks by the client."""
    done = run(
        desk,
        server,
        key,
        "-c",
        """
from vivavoce import ApiError, Vivavoce
with Vivavoce() as api:
    agent = api.agents.create(name="Desk", greeting="Hello.")
    api.agents.change(agent["agent_id"], greeting="Good morning.")
    print(api.agents.get(agent["agent_id"])["greeting"], [one["name"] for one in api.agents.list()])
    print(list(api.calls.list()))
    hook = api.webhooks.create(url="http://127.0.0.1:1/hook", events=["call.ended"])
    print(hook["secret"][:6], len(api.webhooks.list()))
    api.webhooks.delete(hook["id"])
    try:
        api.transcriptions.get("job_nobody")
    except ApiError as error:
        print(error.status, error.code)
""",
    )
    assert done.stdout.splitlines() == [
        "Good morning. ['Desk']",
        "[]",
        "whsec_ 1",
        "404 not_found",
    ], done.stderr


def test_the_command_line(desk: Path, server: LiveServer, key: str) -> None:
    create = ("voice", "clones", "create", "--name", "Ava — brand voice", "--file", "reference.wav")
    done = run(desk, server, key, "-m", "pyai", *create)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"voice_\w+ \(pending\)\n", done.stdout)
    waited = run(desk, server, key, "-m", "pyai", *create, "--wait")
    assert re.fullmatch(r"voice_\w+ \(ready\)\n", waited.stdout)
    listed = run(desk, server, key, "-m", "pyai", "voice", "clones", "list")
    assert listed.stdout.count("Ava — brand voice") == 2
    voice_id = waited.stdout.split()[0]
    spoken = run(desk, server, key, "-m", "pyai", "speech", "Hello", "--voice", voice_id, "-o", "a.mp3")
    assert spoken.returncode == 0, spoken.stderr
    assert (desk / "a.mp3").read_bytes().startswith(b"ID3")
    assert run(desk, server, key, "-m", "pyai", "voice", "clones", "delete", voice_id).returncode == 0


def test_errors_are_sentences_with_the_fix(desk: Path, server: LiveServer, key: str) -> None:
    missing = run(desk, server, key, "-m", "pyai", "voice", "clones", "get", "voice_x")
    assert (missing.returncode, "voice_not_found" in missing.stderr) == (1, True)
    assert "Traceback" not in missing.stderr
    nobody = run(desk, server, None, "-m", "pyai", "voice", "clones", "list")
    assert "PYAI_API_KEY" in nobody.stderr
