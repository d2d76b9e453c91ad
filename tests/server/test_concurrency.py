from __future__ import annotations

import time
from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from runtime.errors import RateLimited
from runtime.server.concurrency import QUESTION, ConcurrencyLimit, GiveBack
from runtime.server.neighbours import Neighbours
from tests.live_server import live_server


async def during(limit: ConcurrencyLimit, key: str, inside: list[int]) -> None:
    """One connection of the key, from its begin to its end."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        copied = dict(scope)
        await limit.enter(copied, key)
        await limit.enter(copied, key)  # a socket that names its key twice is one socket
        inside.append(limit.going_on(key))
        if len(inside) < 3:
            await during(limit, key, inside)

    async def nothing(*_: object) -> None:
        raise AssertionError

    await GiveBack(app)({"type": "http"}, nothing, nothing)  # type: ignore[arg-type]


async def test_a_key_is_counted_until_its_connections_are_over() -> None:
    limit, inside = ConcurrencyLimit(3), list[int]()
    await during(limit, "a", inside)
    assert inside == [1, 2, 3]
    assert limit.going_on("a") == 0


async def test_one_too_many_is_refused_and_takes_nothing() -> None:
    limit = ConcurrencyLimit(2)
    with pytest.raises(RateLimited) as refused:
        await during(limit, "a", [])
    assert refused.value.code == "concurrency_limit_exceeded"
    assert limit.going_on("a") == 0


async def test_no_limit_counts_nothing() -> None:
    limit = ConcurrencyLimit(0)
    await during(limit, "a", [])


async def test_processes_count_together(tmp_path: Path) -> None:
    sockets = {number: tmp_path / f"{number}.sock" for number in range(2)}
    here, there = (Neighbours(sockets, number=number) for number in sockets)
    elsewhere = ConcurrencyLimit(2, there)
    there.answer(QUESTION, lambda key: str(elsewhere.going_on(key)))
    await there.start()
    limit = ConcurrencyLimit(2, here)
    await elsewhere.enter({}, "a")
    await limit.enter({}, "a")
    with pytest.raises(RateLimited):
        await limit.enter({}, "a")
    await limit.enter({}, "b")
    await there.close()
    await limit.enter({}, "a")  # what went on in a process that is gone is over


def test_calls_and_streams_of_a_key_are_bounded(tmp_path: Path) -> None:
    with live_server(tmp_path, concurrent_per_key=2) as server:
        key = server.sandbox_key()
        url = f"{server.url.replace('http', 'ws')}/v1/realtime?model=gpt-realtime"
        headers = {"authorization": f"Bearer {key}"}
        with server.client(key) as client:
            with connect(url, additional_headers=headers), connect(url, additional_headers=headers):
                refused = client.post("/v1/audio/speech", json={"input": "Hello."})
                assert refused.status_code == 429
                assert refused.json()["error"]["code"] == "concurrency_limit_exceeded"
                with pytest.raises(InvalidStatus) as caught, connect(url, additional_headers=headers):
                    pass
                assert caught.value.response.status_code == 429
                with server.client(server.sandbox_key()) as other:
                    assert other.get("/v1/me").status_code == 200
            give_up = time.monotonic() + 10.0
            while client.post("/v1/audio/speech", json={"input": "Hello."}).status_code == 429:
                assert time.monotonic() < give_up, "the calls are over, and are still counted"
                time.sleep(0.05)
