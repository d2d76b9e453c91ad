from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.live_server import LiveServer
from tests.store.conftest import database, tenants

__all__ = ["database", "tenants"]


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
