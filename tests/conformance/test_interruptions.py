"""Callers talk over the agent on real connections: the history keeps the words they had played."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bench.interruptions import by_webrtc, by_websocket, interruptions, staged
from tests.live_server import LiveServer


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("call", "count"), [(by_websocket, 5), (by_webrtc, 2)], ids=["websocket", "webrtc"])
async def test_the_history_keeps_what_the_client_had_played(
    server: LiveServer, call: Any, count: int
) -> None:
    for done in await interruptions(await staged(server), call, count):
        assert done.kept == done.line.held(done.played, done.line.by_engine)
        assert 0 < len(done.kept) < len(done.line.text)
        by_alignment = done.line.held(done.played, done.line.by_alignment)
        assert abs(len(done.kept.split()) - len(by_alignment.split())) <= 1
