from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response

from runtime.clock import ManualClock
from runtime.errors import Conflict, InvalidRequest
from runtime.server.once import LEASE_SECONDS, OnceOnly, fingerprint
from runtime.server.presence import Presence
from runtime.server.secrets import Secrets
from runtime.store.database import Database

VAULT = Secrets(b"of the tests")


async def test_the_second_time_the_first_answer_comes_back(
    database: Database, tenants: tuple[str, str], tmp_path: Path
) -> None:
    once = OnceOnly(database, ManualClock(), VAULT, Presence(tmp_path))
    made: list[str] = []

    async def work(record_id: str) -> Response:
        made.append(record_id)
        return JSONResponse({"n": len(made)}, 201)

    first = await once.run(tenants[0], "k", "same", work)
    second = await once.run(tenants[0], "k", "same", work)
    assert (first.status_code, first.body) == (second.status_code, second.body)
    assert len(made) == 1
    await once.run(tenants[1], "k", "same", work)
    assert len(made) == 2


async def test_another_request_under_the_same_key_is_a_conflict(
    database: Database, tenants: tuple[str, str], tmp_path: Path
) -> None:
    once = OnceOnly(database, ManualClock(), VAULT, Presence(tmp_path))

    async def work(_record_id: str) -> Response:
        return JSONResponse({})

    await once.run(tenants[0], "k", "one", work)
    with pytest.raises(Conflict, match="another request"):
        await once.run(tenants[0], "k", "other", work)
    with pytest.raises(InvalidRequest):
        await once.run(tenants[0], "k" * 256, "one", work)


async def test_a_refusal_is_not_remembered(
    database: Database, tenants: tuple[str, str], tmp_path: Path
) -> None:
    once = OnceOnly(database, ManualClock(), VAULT, Presence(tmp_path))
    statuses = iter([402, 201])

    async def work(_record_id: str) -> Response:
        return JSONResponse({}, next(statuses))

    assert (await once.run(tenants[0], "k", "same", work)).status_code == 402
    assert (await once.run(tenants[0], "k", "same", work)).status_code == 201


async def test_two_at_the_same_time_do_it_once(
    database: Database, tenants: tuple[str, str], tmp_path: Path
) -> None:
    once = OnceOnly(database, ManualClock(), VAULT, Presence(tmp_path))
    begun, go = asyncio.Event(), asyncio.Event()

    async def work(_record_id: str) -> Response:
        begun.set()
        await go.wait()
        return JSONResponse({})

    first = asyncio.create_task(once.run(tenants[0], "k", "same", work))
    await begun.wait()
    with pytest.raises(Conflict) as caught:
        await once.run(tenants[0], "k", "same", work)
    assert caught.value.code == "idempotency_in_progress"
    go.set()
    assert (await first).status_code == 200


async def test_what_a_dead_server_began_is_taken_over_under_the_same_record(
    database: Database, tenants: tuple[str, str], tmp_path: Path
) -> None:
    records: list[str] = []
    begun = asyncio.Event()

    async def dies(record_id: str) -> Response:
        records.append(record_id)
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    async def works(record_id: str) -> Response:
        records.append(record_id)
        return JSONResponse({})

    first_run, other_run = Presence(tmp_path), Presence(tmp_path)
    before = OnceOnly(database, ManualClock(), VAULT, first_run)
    hanging = asyncio.create_task(before.run(tenants[0], "k", "same", dies))
    await begun.wait()
    after = OnceOnly(database, ManualClock(), VAULT, other_run)
    with pytest.raises(Conflict):  # as from another process of a fleet: it is worked on
        await after.run(tenants[0], "k", "same", works)
    first_run.leave()  # as when it is killed
    assert (await after.run(tenants[0], "k", "same", works)).status_code == 200
    assert records[0] == records[1]
    hanging.cancel()


async def test_a_server_elsewhere_is_waited_for_until_it_must_be_dead(
    database: Database, tenants: tuple[str, str], tmp_path: Path
) -> None:
    begun = asyncio.Event()

    async def dies(_record_id: str) -> Response:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    async def works(_record_id: str) -> Response:
        return JSONResponse({})

    clock = ManualClock()
    elsewhere = OnceOnly(database, clock, VAULT, Presence(tmp_path / "one machine"))
    here = OnceOnly(database, clock, VAULT, Presence(tmp_path / "another"))
    hanging = asyncio.create_task(elsewhere.run(tenants[0], "k", "same", dies))
    await begun.wait()
    with pytest.raises(Conflict):
        await here.run(tenants[0], "k", "same", works)
    clock.advance(LEASE_SECONDS + 1)
    assert (await here.run(tenants[0], "k", "same", works)).status_code == 200
    hanging.cancel()


def test_a_forms_boundary_does_not_make_it_another_request() -> None:
    def form(boundary: str, text: str) -> str:
        headers = Headers({"content-type": f"multipart/form-data; boundary={boundary}"})
        body = f'--{boundary}\r\ncontent-disposition: form-data; name="a"\r\n\r\n{text}\r\n--{boundary}--\r\n'
        return fingerprint("POST", "/x", headers, body.encode())

    assert form("aaa111", "same") == form("bbb222", "same")
    assert form("aaa111", "same") != form("aaa111", "other")
    assert fingerprint("POST", "/x", Headers(), b"1") != fingerprint("POST", "/y", Headers(), b"1")


async def test_what_is_remembered_cannot_be_read_in_the_store(
    database: Database, tenants: tuple[str, str], tmp_path: Path
) -> None:
    once = OnceOnly(database, ManualClock(), VAULT, Presence(tmp_path))

    async def work(_record_id: str) -> Response:
        return JSONResponse({"secret": "whsec_once"}, 201)

    await once.run(tenants[0], "k", "same", work)
    async with database.read() as store:
        row = await store.idempotency.find(tenants[0], "k")
    assert row is not None
    assert row.body is not None
    assert "whsec_once" not in row.body
    assert b"whsec_once" in (await once.run(tenants[0], "k", "same", work)).body
