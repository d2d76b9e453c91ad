from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.live_server import LiveServer, live_server


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """One server with the tone engine, the echo brain and no recogniser, for all calls of this folder."""
    with live_server(tmp_path_factory.mktemp("calls")) as server:
        yield server


@pytest.fixture
def key(server: LiveServer) -> str:
    """Of a new tenant that may do everything."""
    return server.sandbox_key()
