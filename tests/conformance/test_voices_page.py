"""A-51: upload, wait, see the plot, play, assign; no console errors. The call is the talk page's test."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.conformance.test_talk_page import CLIENTS, PYTHON, browser
from tests.live_server import LiveServer
from tests.recordings import decoded, telephone

__all__ = ["browser"]


@pytest.mark.timeout(120)
def test_a51_a_recording_becomes_an_agents_voice_in_the_console(
    browser: str, server: LiveServer, key: str, clips: Path, tmp_path: Path
) -> None:
    source = clips / "A_good" / "fscorsica-b_f_44100_10.0s.flac"
    (tmp_path / "telephone.wav").write_bytes(telephone(*decoded(source.read_bytes())))
    with server.client(key) as api:
        agent = api.post("/v1/agents", json={"name": "Reception"}).json()["agent_id"]
    task = {
        "url": server.url,
        "key": key,
        "agent": agent,
        "browser": browser,
        "good": str(source),
        "bad": str(tmp_path / "telephone.wav"),
        "screenshot": str(tmp_path / "voices.png"),
    }
    command = [str(PYTHON), "voices_page.py", json.dumps(task)]
    done = subprocess.run(command, cwd=CLIENTS, capture_output=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr.decode()[-4000:]
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["faults"] == []
    assert (report["bad_verdict"], report["verdict"]) == ("rejected", "accepted")
    assert report["bad_fixes"] >= 1
    assert report["figures"] > 10
    assert report["picture"] > 300
    assert report["row"][:3] == ["Ava — brand voice", "clone", "ready"]
    assert report["status"] == "Reception speaks as Ava — brand voice from the next call on."
    assert not report["phone_overflow"]
    with server.client(key) as api:
        assert api.get(f"/v1/agents/{agent}").json()["voice_id"] == report["voice"]
