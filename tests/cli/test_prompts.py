"""``vivavoce prompts render`` against a real server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runtime.media.active_level import active_level
from runtime.media.g711 import decode_mulaw
from tests.cli.test_commands import key, server, vivavoce
from tests.live_server import LiveServer

__all__ = ["key", "server"]

SHEET = """
voice: tone-low
prompts:
  welcome: Thank you for calling the clinic.
  menu/main: Press one for an appointment.
  nothing: "..."
"""


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    file = tmp_path / "prompts.yaml"
    file.write_text(SHEET)
    return file


def test_a_sheet_becomes_files_and_one_bad_prompt_costs_only_itself(
    server: LiveServer, key: str, sheet: Path, tmp_path: Path
) -> None:
    out = tmp_path / "sounds"
    words = ("prompts", "render", str(sheet), "--format", "ulaw8k", "--out", str(out))
    done = vivavoce(server, *words, key=key)
    assert done.returncode == 1
    assert "line 6, nothing" in done.stderr
    assert "2 rendered, 0 unchanged" in done.stderr
    heard = decode_mulaw((out / "menu" / "main.ulaw").read_bytes())
    assert active_level(heard, 8_000) == pytest.approx(-26.0, abs=0.5)
    entries = {entry["name"]: entry for entry in json.loads((out / "manifest.json").read_text())["prompts"]}
    assert entries["welcome"]["voice_id"] == "tone-low"
    assert entries["welcome"]["provenance"]["digitalSourceType"].endswith("trainedAlgorithmicMedia")
    assert entries["nothing"]["error"]["code"] == "nothing_to_speak"

    # What has not changed is left alone; a new text, a lost file and a changed file are not.
    written = (out / "welcome.ulaw").stat().st_mtime_ns
    sheet.write_text(SHEET.replace("an appointment", "the pharmacy").replace('  nothing: "..."\n', ""))
    done = vivavoce(server, *words, key=key)
    assert done.returncode == 0, done.stderr
    assert "1 rendered, 1 unchanged" in done.stderr
    assert (out / "welcome.ulaw").stat().st_mtime_ns == written
    (out / "welcome.ulaw").write_bytes(b"not what was rendered")
    assert "1 rendered, 1 unchanged" in vivavoce(server, *words, key=key).stderr
    assert "2 rendered, 0 unchanged" in vivavoce(server, *words, "--again", key=key).stderr


def test_what_is_wrong_with_a_sheet_is_told_before_anything_is_rendered(
    server: LiveServer, key: str, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("prompts:\n  a: Hello.\n  b b: Hello.\n")
    done = vivavoce(server, "prompts", "render", str(bad), "--out", str(tmp_path / "out"), key=key)
    assert done.returncode == 2
    assert "line 3" in done.stderr
    assert not (tmp_path / "out").exists()


def test_without_a_key_it_stops_at_once(server: LiveServer, sheet: Path, tmp_path: Path) -> None:
    done = vivavoce(server, "prompts", "render", str(sheet), "--out", str(tmp_path / "out"), key="wrong")
    assert done.returncode == 1
    assert "401" in done.stderr
