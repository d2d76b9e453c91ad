from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.live_server import LiveServer, live_server
from tests.store.conftest import database, postgres, tenants

__all__ = ["database", "postgres", "tenants"]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """One server with the tone engine for all tests of this folder; every test has tenants of its own."""
    with live_server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def api(server: LiveServer) -> Iterator[httpx.Client]:
    """A client with a key of a new tenant that may do everything."""
    with server.client(server.sandbox_key()) as client:
        yield client


@pytest.fixture
def stranger(server: LiveServer) -> Iterator[httpx.Client]:
    """The same, of another tenant."""
    with server.client(server.sandbox_key()) as client:
        yield client
