"""The stock ElevenLabs SDK: speech, streaming, timestamps, and a voice of one's own."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from runtime.cli.reference import synthesise_reference
from tests.live_server import LiveServer
from tests.recordings import wav

CLIENTS = Path(__file__).parent / "clients"
PYTHON = Path(__file__).parents[2] / ".venv-conformance" / "bin" / "python"


@pytest.mark.timeout(120)
def test_the_sdk_speaks_and_clones(server: LiveServer, key: str, cloned_voice: str, tmp_path: Path) -> None:
    if not PYTHON.exists():
        pytest.skip("the SDK is not installed: run scripts/setup-conformance")
    recording = tmp_path / "me.wav"
    recording.write_bytes(wav(*synthesise_reference()))
    task = {"url": server.url, "key": key, "voice": cloned_voice, "recording": str(recording)}
    command = [str(PYTHON), "-W", "ignore", "elevenlabs_sdk.py", json.dumps(task)]
    done = subprocess.run(command, cwd=CLIENTS, capture_output=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr.decode()[-4000:]
    report = json.loads(done.stdout)
    assert 0.8 < report["seconds"] < 5.0
    assert report["mp3_bytes"] > 8_000
    assert report["characters"] == "Hello from a stock client."
    assert report["ends"] == sorted(report["ends"])
    assert {report["made"], cloned_voice} <= set(report["voices"])
