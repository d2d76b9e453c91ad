"""The floor plan holds: imports point down, and what decides is pure."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_import_contracts_hold() -> None:
    """``lint-imports`` finds every layer of pyproject.toml and no broken contract."""
    command = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=50)
    assert done.returncode == 0, done.stdout + done.stderr


def test_importing_the_media_floor_does_not_load_the_server() -> None:
    """``import runtime.media`` stays light: no web framework, no database, no peer connection."""
    probe = (
        "import sys, runtime.media.frame; "
        "heavy = {'starlette', 'fastapi', 'sqlalchemy', 'aiortc', 'openai'} & set(sys.modules); "
        "sys.exit(', '.join(sorted(heavy)) or None)"
    )
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, timeout=50)
    assert done.returncode == 0, done.stderr
