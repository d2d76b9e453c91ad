from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import update

from runtime.store.audit import first_break
from runtime.store.database import Database
from runtime.store.models import AuditRow


async def write_events(database: Database, tenant_id: str, count: int) -> None:
    for number in range(count):
        async with database.write() as store:
            await store.audit.append(
                tenant_id, verb="voice.ready", object=f"voice_{number}", at=1.5 * number, detail={"n": number}
            )


async def broken_at(database: Database, tenant_id: str) -> int | None:
    async with database.read() as store:
        return first_break(await store.audit.events(tenant_id))


async def test_a_chain_that_nobody_touched_verifies(database: Database, tenants: tuple[str, str]) -> None:
    await write_events(database, tenants[0], 5)
    await write_events(database, tenants[1], 2)
    assert await broken_at(database, tenants[0]) is None
    async with database.read() as store:
        assert [row.seq for row in await store.audit.events(tenants[1])] == [1, 2]


@pytest.mark.parametrize(
    "change", [{"object": "voice_x"}, {"detail": {"n": 9}}, {"at": 9.0}, {"hash": "0" * 64}, {"actor": "me"}]
)
async def test_a_changed_event_is_found(
    database: Database, tenants: tuple[str, str], change: dict[str, object]
) -> None:
    await write_events(database, tenants[0], 5)
    async with database.write() as store:
        await store.session.execute(
            update(AuditRow).where(AuditRow.tenant_id == tenants[0], AuditRow.seq == 3).values(**change)
        )
    assert await broken_at(database, tenants[0]) == 3


async def test_a_removed_event_is_found(database: Database, tenants: tuple[str, str]) -> None:
    await write_events(database, tenants[0], 5)
    async with database.write() as store:
        row = (await store.audit.events(tenants[0]))[1]
        await store.session.delete(row)
    assert await broken_at(database, tenants[0]) == 2


async def test_writers_at_the_same_time_take_their_places_in_turn(
    database: Database, tenants: tuple[str, str]
) -> None:
    await asyncio.gather(*(write_events(database, tenants[0], 1) for _ in range(10)))
    assert await broken_at(database, tenants[0]) is None
