from __future__ import annotations

import asyncio
import inspect
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from runtime.store.database import Database, Transaction
from runtime.store.models import Row, TenantRow, VoiceRow


def voice(voice_id: str, *, created_at: float = 1.0, state: str = "queued") -> VoiceRow:
    return VoiceRow(
        id=voice_id,
        name="Ava — brand voice",
        origin="cloned",
        state=state,
        tags=[],
        attributes={},
        profile="strict",
        sources=[],
        attempts=0,
        created_at=created_at,
        updated_at=created_at,
    )


async def test_migrations_make_the_tables_that_the_models_describe(database: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), Row.metadata))

    async with database._engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_migrating_twice_changes_nothing(database: Database) -> None:
    await database.migrate()


async def test_sqlite_keeps_a_write_ahead_log(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/deeper/store.db")
    await database.migrate()
    async with database._engine.connect() as connection:
        assert (await connection.execute(text("PRAGMA journal_mode"))).scalar() == "wal"
        assert (await connection.execute(text("PRAGMA foreign_keys"))).scalar() == 1
    await database.close()


async def test_a_transaction_that_raises_keeps_nothing(database: Database) -> None:
    async def add_and_fail() -> None:
        async with database.write() as store:
            await store.tenants.add(
                TenantRow(id="org_x", name="x", number=9, credit_balance=0, created_at=1.0)
            )
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await add_and_fail()
    async with database.read() as store:
        assert await store.tenants.find("org_x") is None


async def test_writers_that_read_first_wait_for_each_other(
    database: Database, tenants: tuple[str, str]
) -> None:
    async with database.write() as store:
        await store.voices.add(tenants[0], voice("voice_a"))

    async def count_up() -> None:
        async with database.write() as store:
            row = await store.voices.find(tenants[0], "voice_a", lock=True)
            assert row is not None
            await asyncio.sleep(0)
            await store.voices.advance(
                tenants[0], "voice_a", come_from=["queued"], to="queued", at=2.0, attempts=row.attempts + 1
            )

    await asyncio.gather(*(count_up() for _ in range(20)))
    async with database.read() as store:
        row = await store.voices.find(tenants[0], "voice_a")
        assert row is not None
        assert row.attempts == 20


def test_no_repository_has_a_look_up_without_a_tenant() -> None:
    told_whose = {"tenant_id"}
    exceptions = {
        "Tenants": {"add", "find", "by_number"},  # the tenant itself
        "Keys": {"identify"},  # finds out who is calling
        "ClientSecretRows": {"identify", "forget_expired", "alive"},  # the same; and the server itself
        "UnfinishedVoices": {"requeue", "unpurged", "queued"},  # the server itself, at start
        "UnfinishedJobs": {"all"},
        "ExpiredRecordings": {"older_than"},  # the server itself, all the time
        "Outbox": {"claim", "next_due", "forget"},
        "DueTranscriptions": {"any", "claim"},
        "Agents": {"owner"},  # finds out who is called, by an agent's unguessable id
    }
    transaction = Transaction(None)  # type: ignore[arg-type]
    checked = 0
    for repository in vars(transaction).values():
        kind = type(repository)
        for name, method in inspect.getmembers(kind, inspect.isfunction):
            if name.startswith("_") or name in exceptions.get(kind.__name__, set()):
                continue
            assert told_whose <= set(inspect.signature(method).parameters), f"{kind.__name__}.{name}"
            checked += 1
    assert checked > 10
