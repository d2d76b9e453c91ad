"""The ``vivavoce`` command against a real server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.cli.reference import synthesise_reference
from tests.live_server import LiveServer, live_server
from tests.recordings import wav


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with live_server(tmp_path_factory.mktemp("cli")) as server:
        yield server


def vivavoce(server: LiveServer, *words: str, key: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "VIVAVOCE_URL": server.url, "VIVAVOCE_API_KEY": key or ""}
    command = [sys.executable, "-m", "runtime", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=50)


@pytest.fixture(scope="module")
def key(server: LiveServer) -> str:
    """A key made by the command itself."""
    made = vivavoce(server, "keys", "sandbox")
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


def test_a_recording_becomes_a_voice_and_its_report_is_shown(
    server: LiveServer, key: str, tmp_path: Path
) -> None:
    clip = tmp_path / "me.wav"
    clip.write_bytes(wav(*synthesise_reference()))
    done = vivavoce(server, "voices", "clone", str(clip), "--name", "Ava — brand voice", key=key)
    assert done.returncode in (0, 1), done.stderr  # the tone engine clones nobody
    assert done.stdout.startswith("voice_")
    listed = json.loads(vivavoce(server, "voices", "list", "--json", key=key).stdout)
    assert listed["clones"]["data"][0]["name"] == "Ava — brand voice"
    assert "effective_bandwidth_hz" in done.stderr


def test_speech_goes_to_a_file_in_the_format_of_its_suffix(
    server: LiveServer, key: str, tmp_path: Path
) -> None:
    spoken = tmp_path / "hello.wav"
    done = vivavoce(server, "speech", "Hello there.", "--out", str(spoken), key=key)
    assert done.returncode == 0, done.stderr
    with wave.open(str(spoken)) as file:
        assert file.getframerate() == 24_000


def test_an_agent_is_made_changed_and_deleted(server: LiveServer, key: str) -> None:
    agent = vivavoce(server, "agents", "create", "Reception", key=key).stdout.strip()
    assert agent.startswith("agent_")
    assert "Reception" in vivavoce(server, "agents", "list", key=key).stdout
    assert vivavoce(server, "agents", "delete", agent, key=key).returncode == 0
    assert agent not in vivavoce(server, "agents", "list", key=key).stdout


def test_a_refusal_is_one_sentence_with_its_fix(server: LiveServer, key: str) -> None:
    done = vivavoce(server, "speech", "Hello.", "--voice", "voice_nobody", "--out", os.devnull, key=key)
    assert done.returncode == 1
    assert "voice_not_found" in done.stderr
    assert "Traceback" not in done.stderr


def test_no_server_is_told_as_that(server: LiveServer) -> None:
    done = vivavoce(server, "voices", "list", "--url", "http://127.0.0.1:1", key="x")
    assert done.returncode == 2
    assert "vivavoce serve" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_setting_is_named(server: LiveServer) -> None:
    done = vivavoce(server, "serve", "--port", "70000")
    assert done.returncode == 2
    assert "VIVAVOCE_PORT" in done.stderr


def test_doctor_finds_this_machine_fit(server: LiveServer, tmp_path: Path) -> None:
    done = vivavoce(server, "doctor", "--data-dir", str(tmp_path), "--port", "0")
    assert done.returncode == 0, done.stdout + done.stderr
    for what in ("flite", "recogniser", "workers", "data folder"):
        assert what in done.stdout


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("VIVAVOCE_PORT", "99999", "setting port"),
        ("VIVAVOCE_ICE_SERVERS", "nonsense", "as JSON"),
        ("VIVAVOCE_ICE_SERVERS", '[{"urls": "turn:turn.example.com"}]', "'username' and a 'credential'"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_at_the_start(name: str, value: str, told: str) -> None:
    command = [sys.executable, "-m", "runtime", "serve"]
    done = subprocess.run(
        command, env={**os.environ, name: value, "COLUMNS": "200"}, capture_output=True, text=True, timeout=50
    )
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
