"""SIGKILL amid an enrolment, a delete, and charges: nothing is lost, pending for ever or paid twice."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.live_server import LiveServer
from tests.s3 import S3, s3_store
from tests.server.test_voices import good_clip, settle

__all__ = ["good_clip"]


@pytest.fixture
def s3() -> Iterator[S3]:
    with s3_store() as store:
        yield store


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., LiveServer]]:
    """Starts a server on ``--store``; it is stopped in the end."""
    started: list[LiveServer] = []

    def start(**settings: object) -> LiveServer:
        started.append(LiveServer(tmp_path, **settings))
        started[-1].start()
        return started[-1]

    yield start
    for server in started:
        server.stop()


def clone(client: httpx.Client, clip: bytes, *, once: str | None = None) -> httpx.Response:
    return client.post(
        "/v1/voice/clones",
        data={"name": "Ava"},
        files={"file": ("a.wav", clip, "audio/wav")},
        headers={"idempotency-key": once} if once else {},
    )


def spent(client: httpx.Client) -> Counter[str]:
    """Charges and refunds by what they were for, and that the balance is their sum."""
    ledger = client.get("/v1/credits", params={"limit": 100}).json()
    assert ledger["balance"] == sum(row["amount"] for row in ledger["data"])
    movements = Counter((row["kind"], row["ref"]) for row in ledger["data"])
    assert set(movements.values()) == {1}  # each once
    amounts: Counter[str] = Counter()
    for row in ledger["data"]:
        amounts[row["ref"]] -= row["amount"]
    del amounts["start"]
    return +amounts


@pytest.mark.timeout(120)
def test_killed_while_what_was_cloned_is_stored(
    start: Callable[..., LiveServer], s3: S3, good_clip: bytes
) -> None:
    s3.holding = "PUT conditioning"
    server = start(**s3.settings)
    key = server.sandbox_key()
    with server.client(key) as client:
        voice = clone(client, good_clip).json()["id"]
        assert s3.held.wait(20)
        assert client.get(f"/v1/voice/clones/{voice}").json()["status"] == "pending"
    server.kill()
    s3.holding = None
    assert not [name for name in s3.objects if name.endswith("conditioning")]

    server.start()
    with server.client(key) as client:
        assert settle(client, voice)["status"] == "ready"
        assert spent(client) == {voice: 100}
        said = client.post("/v1/audio/speech", json={"input": "Hello", "voice": voice})
        assert said.status_code == 200


@pytest.mark.timeout(120)
def test_killed_while_a_voice_is_deleted(start: Callable[..., LiveServer], s3: S3, good_clip: bytes) -> None:
    server = start(**s3.settings)
    key = server.sandbox_key()
    with server.client(key) as client:
        voice = settle(client, clone(client, good_clip).json()["id"])["id"]
        assert [name for name in s3.objects if voice in name]
        s3.holding = f"POST {voice}"
        deleting = threading.Thread(target=_forget, args=(server, key, voice))
        deleting.start()
        assert s3.held.wait(20)
        assert client.get(f"/v1/voice/clones/{voice}").status_code == 404  # from the first moment on
    server.kill()
    s3.holding = None
    deleting.join()

    server.start()
    give_up = time.monotonic() + 20
    while [name for name in s3.objects if voice in name]:
        assert time.monotonic() < give_up, "the sweep left something"
        time.sleep(0.1)
    with server.client(key) as client:
        assert client.get(f"/v1/voice/clones/{voice}").status_code == 404
        assert client.get("/v1/audit/verify").json()["valid"]


def _forget(server: LiveServer, key: str, voice: str) -> None:
    with server.client(key) as client:
        try:
            client.delete(f"/v1/voice/clones/{voice}")
        except httpx.TransportError:
            return


@pytest.mark.timeout(120)
def test_killed_among_charges_each_request_is_paid_once(
    start: Callable[..., LiveServer], good_clip: bytes
) -> None:
    server = start()
    key = server.sandbox_key()
    orders = [f"order-{number}" for number in range(8)]

    def order(once: str) -> str | None:
        with server.client(key) as client:
            try:
                answer = clone(client, good_clip, once=once)
            except httpx.TransportError:
                return None
        return str(answer.json()["id"]) if answer.status_code == 201 else None

    with ThreadPoolExecutor(len(orders)) as pool:
        first = [pool.submit(order, once) for once in orders]
        while not any(one.done() and one.result() for one in first):
            time.sleep(0.005)
        server.kill()
        answered = {once: one.result() for once, one in zip(orders, first, strict=True)}
        assert None in answered.values(), "the kill came too late to interrupt anything"

        server.start()
        again = {once: one for once, one in zip(orders, pool.map(order, orders), strict=True)}
        twice = {once: one for once, one in zip(orders, pool.map(order, orders), strict=True)}
    assert None not in again.values()
    assert again == twice
    assert all(again[once] == voice for once, voice in answered.items() if voice is not None)
    with server.client(key) as client:
        voices = [settle(client, str(voice)) for voice in again.values()]
        assert {voice["status"] for voice in voices} == {"ready"}
        assert len(client.get("/v1/voice/clones", params={"limit": 100}).json()["data"]) == len(orders)
        assert spent(client) == {str(voice): 100 for voice in again.values()}
        assert client.get("/v1/audit/verify").json()["valid"]


def test_recordings_that_cannot_be_stored_cost_nothing(
    start: Callable[..., LiveServer], s3: S3, good_clip: bytes
) -> None:
    server = start(**s3.settings)
    with server.client(server.sandbox_key()) as client:
        s3.dead = True
        refused = clone(client, good_clip)
        assert refused.status_code == 503
        assert refused.json()["error"]["code"] == "store_unavailable"
        s3.dead = False
        assert spent(client) == {}
        assert client.get("/v1/voice/clones").json()["data"] == []
        voice = settle(client, clone(client, good_clip).json()["id"])
        assert voice["status"] == "ready"
        s3.dead = True
        assert client.delete(f"/v1/voice/clones/{voice['id']}").status_code == 204
        s3.dead = False
        assert [name for name in s3.objects if voice["id"] in name]  # until the sweep comes
    assert s3.refused == 0
