"""Opens the database, brings its tables up to date, and hands out transactions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, event, make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from runtime.store.accounts import Keys, Tenants
from runtime.store.agents import Agents
from runtime.store.audit import Audit
from runtime.store.calls import Calls
from runtime.store.client_secrets import ClientSecretRows
from runtime.store.consents import Consents
from runtime.store.designs import Designs
from runtime.store.idempotency import Idempotency
from runtime.store.integrations import Integrations
from runtime.store.jobs import Jobs, UnfinishedJobs
from runtime.store.ledger import Ledger
from runtime.store.recordings import ExpiredRecordings, StoredRecordings
from runtime.store.transcriptions import DueTranscriptions, Transcriptions
from runtime.store.voices import UnfinishedVoices, Voices
from runtime.store.webhooks import Deliveries, Outbox, Webhooks

MIGRATIONS = Path(__file__).parent / "migrations"


class Transaction:
    """All repositories over one transaction: everything written through them is kept, or nothing is."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.tenants = Tenants(session)
        self.keys = Keys(session)
        self.client_secrets = ClientSecretRows(session)
        self.voices = Voices(session)
        self.unfinished_voices = UnfinishedVoices(session)
        self.agents = Agents(session)
        self.calls = Calls(session)
        self.ledger = Ledger(session)
        self.audit = Audit(session)
        self.idempotency = Idempotency(session)
        self.consents = Consents(session)
        self.designs = Designs(session)
        self.jobs = Jobs(session)
        self.unfinished_jobs = UnfinishedJobs(session)
        self.integrations = Integrations(session)
        self.recordings = StoredRecordings(session)
        self.expired_recordings = ExpiredRecordings(session)
        self.webhooks = Webhooks(session)
        self.deliveries = Deliveries(session)
        self.outbox = Outbox(session)
        self.transcriptions = Transcriptions(session)
        self.due_transcriptions = DueTranscriptions(session)


class Database:
    """
    SQLite (WAL) or PostgreSQL behind the same repositories.

    SQLite has one writer: ``write`` takes the lock at once (``BEGIN IMMEDIATE``), so that a transaction which
    reads before it writes waits its turn instead of failing half-way. Commits are synced to disk, because an
    accepted upload or a charge must survive a power cut; no statement runs per frame or per word.
    """

    def __init__(self, url: str) -> None:
        """
        Args:
            url: SQLAlchemy URL, e.g. ``sqlite:///data/vivavoce.db`` or ``postgresql://host/name``; the
                asynchronous driver is chosen here where the URL names none.
        """
        self._url = url
        self._engine = _engine(url)

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self._engine.dialect.name

    async def migrate(self) -> None:
        """Bring the tables to this version. Safe when several servers start on one PostgreSQL at once."""
        # SQLite changes a column by copying its table, which no foreign key may watch.
        engine = _engine(self._url, foreign_keys=False)
        try:
            async with engine.execution_options(writes=True).begin() as connection:
                if self.dialect == "postgresql":
                    await connection.execute(text("SELECT pg_advisory_xact_lock(8665736)"))
                await connection.run_sync(_upgrade)
        finally:
            await engine.dispose()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Transaction]:
        """A snapshot to read from."""
        async with AsyncSession(self._engine, expire_on_commit=False) as session:
            yield Transaction(session)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Transaction]:
        """A transaction that commits when the block ends, and rolls back when it raises."""
        writable = self._engine.execution_options(writes=True)
        async with AsyncSession(writable, expire_on_commit=False) as session, session.begin():
            yield Transaction(session)

    async def ping(self) -> None:
        """Raises whatever the driver raises when the database does not answer."""
        async with self._engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        await self._engine.dispose()


def _engine(url: str, *, foreign_keys: bool = True) -> AsyncEngine:
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        if parsed.database and parsed.database != ":memory:":
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_async_engine(parsed.set(drivername="sqlite+aiosqlite"))
        event.listen(engine.sync_engine, "connect", partial(_configure_sqlite, foreign_keys=foreign_keys))
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
        return engine
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+asyncpg")
    return create_async_engine(parsed, pool_pre_ping=True)


def _configure_sqlite(connection: Any, _record: object, *, foreign_keys: bool) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves, see _begin_sqlite
    cursor = connection.cursor()
    keys = "ON" if foreign_keys else "OFF"
    for pragma in ("busy_timeout=10000", "journal_mode=WAL", "synchronous=FULL", f"foreign_keys={keys}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
