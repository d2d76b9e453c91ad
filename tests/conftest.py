"""The few fixtures every room shares."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from runtime.clock import ManualClock
from tests.live_server import LiveServer, live_server
from tests.postgres import Postgres, postgres_server

# How long an example takes says something about the machine, and nothing about the code.
# Continuous integration tries the same examples each time; people's machines go on looking for new ones.
hypothesis.settings.register_profile("vivavoce", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("vivavoce")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--store",
        choices=("sqlite", "postgresql"),
        default="sqlite",
        help="where the servers that the tests start keep their rows",
    )


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server of our own; tests that need one skip where the machine has none."""
    with postgres_server() as server:
        if server is None:
            pytest.skip("PostgreSQL's server is not installed (Debian: apt-get install postgresql)")
        yield server


@pytest.fixture(scope="session", autouse=True)
def store(request: pytest.FixtureRequest) -> Iterator[str]:
    """What ``--store`` says, and every server that is started from now on heeds it."""
    kind: str = request.config.getoption("--store")
    if kind == "postgresql":
        LiveServer.new_database = request.getfixturevalue("postgres").new_database
    yield kind
    LiveServer.new_database = None


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


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """
    A running server whose voices are tones: everything but their sound is real.

    One for all tests of the API, each of which has tenants of its own. It may fetch from this machine, and
    finds nobody where ElevenLabs should be.
    """
    options = {"fetch_allow_hosts": '["127.0.0.1"]', "elevenlabs_base_url": "http://127.0.0.1:1"}
    with live_server(tmp_path_factory.mktemp("server"), **options) as server:
        yield server
