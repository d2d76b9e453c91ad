"""The few fixtures every room shares."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runtime.clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    """A clock that moves only when the test says so."""
    return ManualClock(100.0)


@pytest.fixture(scope="session")
def clips() -> Path:
    """The folder of real recordings; tests that need it skip where it is absent."""
    default = Path(__file__).parents[2] / "shared" / "clips"
    folder = Path(os.environ.get("VIVAVOCE_CLIPS", default))
    if not folder.is_dir():
        pytest.skip(f"no recordings at {folder}: set VIVAVOCE_CLIPS to a folder of clips")
    return folder
