from __future__ import annotations

import asyncio

import pytest
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response

from runtime.clock import ManualClock
from runtime.errors import Conflict, InvalidRequest
from runtime.server.once import OnceOnly, fingerprint
from runtime.store.database import Database


async def test_the_second_time_the_first_answer_comes_back(
    database: Database, tenants: tuple[str, str]
) -> None:
    once = OnceOnly(database, ManualClock())
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
    database: Database, tenants: tuple[str, str]
) -> None:
    once = OnceOnly(database, ManualClock())

    async def work(_record_id: str) -> Response:
        return JSONResponse({})

    await once.run(tenants[0], "k", "one", work)
    with pytest.raises(Conflict, match="another request"):
        await once.run(tenants[0], "k", "other", work)
    with pytest.raises(InvalidRequest):
        await once.run(tenants[0], "k" * 256, "one", work)


async def test_a_refusal_is_not_remembered(database: Database, tenants: tuple[str, str]) -> None:
    once = OnceOnly(database, ManualClock())
    statuses = iter([402, 201])

    async def work(_record_id: str) -> Response:
        return JSONResponse({}, next(statuses))

    assert (await once.run(tenants[0], "k", "same", work)).status_code == 402
    assert (await once.run(tenants[0], "k", "same", work)).status_code == 201


async def test_two_at_the_same_time_do_it_once(database: Database, tenants: tuple[str, str]) -> None:
    once = OnceOnly(database, ManualClock())
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
    database: Database, tenants: tuple[str, str]
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

    before = OnceOnly(database, ManualClock())
    hanging = asyncio.create_task(before.run(tenants[0], "k", "same", dies))
    await begun.wait()
    after = OnceOnly(database, ManualClock())  # another run of the server: the first never said goodbye
    assert (await after.run(tenants[0], "k", "same", works)).status_code == 200
    assert records[0] == records[1]
    hanging.cancel()


def test_a_forms_boundary_does_not_make_it_another_request() -> None:
    def form(boundary: str, text: str) -> str:
        headers = Headers({"content-type": f"multipart/form-data; boundary={boundary}"})
        body = f'--{boundary}\r\ncontent-disposition: form-data; name="a"\r\n\r\n{text}\r\n--{boundary}--\r\n'
        return fingerprint("POST", "/x", headers, body.encode())

    assert form("aaa111", "same") == form("bbb222", "same")
    assert form("aaa111", "same") != form("aaa111", "other")
    assert fingerprint("POST", "/x", Headers(), b"1") != fingerprint("POST", "/y", Headers(), b"1")
