from __future__ import annotations

import asyncio

from runtime.store.database import Database


async def test_the_balance_is_the_sum_of_the_entries_and_never_below_zero(
    database: Database, tenants: tuple[str, str]
) -> None:
    mine, theirs = tenants
    async with database.write() as store:
        assert await store.ledger.move(mine, 100, kind="grant", ref="start", at=1.0)
        assert await store.ledger.move(mine, -70, kind="clone", ref="a", at=2.0)
        assert not await store.ledger.move(mine, -70, kind="clone", ref="b", at=3.0)
        assert await store.ledger.balance(mine) == 30
        assert sum(row.amount for row in await store.ledger.entries(mine, limit=10)) == 30
        assert await store.ledger.balance(theirs) == 0
        assert await store.ledger.entries(theirs, limit=10) == []


async def test_a_charge_and_its_refund_happen_once(database: Database, tenants: tuple[str, str]) -> None:
    mine, _ = tenants
    for _ in range(3):
        async with database.write() as store:
            await store.ledger.move(mine, 100, kind="grant", ref="start", at=1.0)
            await store.ledger.move(mine, -40, kind="clone", ref="a", at=2.0)
    for _ in range(3):
        async with database.write() as store:
            await store.ledger.refund(mine, kind="clone", ref="a", at=3.0)
            await store.ledger.refund(mine, kind="clone", ref="never charged", at=3.0)
    async with database.read() as store:
        assert await store.ledger.balance(mine) == 100
        kinds = [row.kind for row in await store.ledger.entries(mine, limit=10)]
    assert kinds == ["clone_refund", "clone", "grant"]


async def test_charges_at_the_same_time_do_not_overdraw(database: Database, tenants: tuple[str, str]) -> None:
    mine, _ = tenants
    async with database.write() as store:
        await store.ledger.move(mine, 100, kind="grant", ref="start", at=1.0)

    async def charge(number: int) -> bool:
        async with database.write() as store:
            return await store.ledger.move(mine, -30, kind="clone", ref=str(number), at=2.0)

    assert sum(await asyncio.gather(*(charge(number) for number in range(10)))) == 3
    async with database.read() as store:
        assert await store.ledger.balance(mine) == 10
