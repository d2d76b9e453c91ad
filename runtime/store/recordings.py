"""Rows of calls' recordings that are stored."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import BigInteger, ForeignKey, Index, delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from runtime.store.models import Row


class RecordingRow(Row):
    """The sound of a call that is over."""

    __tablename__ = "recordings"
    __table_args__ = (Index(None, "tenant_id"), Index(None, "created_at"))

    call_id: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"))
    blob: Mapped[str]
    seconds: Mapped[float]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[float]


class StoredRecordings:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def put(self, tenant_id: str, row: RecordingRow) -> None:
        """Add it, or put it in the place of one that an earlier attempt left."""
        row.tenant_id = tenant_id
        await self._session.merge(row)
        await self._session.flush()

    async def find(self, tenant_id: str, call_id: str) -> RecordingRow | None:
        return await self._session.scalar(
            select(RecordingRow).where(RecordingRow.tenant_id == tenant_id, RecordingRow.call_id == call_id)
        )

    async def of_calls(self, tenant_id: str, call_ids: Sequence[str]) -> dict[str, RecordingRow]:
        """Those of these calls that have one, by call."""
        rows = await self._session.scalars(
            select(RecordingRow).where(
                RecordingRow.tenant_id == tenant_id, RecordingRow.call_id.in_(call_ids)
            )
        )
        return {row.call_id: row for row in rows}

    async def delete(self, tenant_id: str, call_id: str) -> str | None:
        """Forget it; returns the name of its blob, or None where there is none."""
        gone = await self._session.execute(
            delete(RecordingRow)
            .where(RecordingRow.tenant_id == tenant_id, RecordingRow.call_id == call_id)
            .returning(RecordingRow.blob)
        )
        found = gone.first()
        return None if found is None else str(found[0])


class ExpiredRecordings:
    """What the operator keeps no longer, of all tenants."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def older_than(self, moment: float, *, limit: int = 100) -> Sequence[RecordingRow]:
        """Oldest first."""
        rows = await self._session.scalars(
            select(RecordingRow)
            .where(RecordingRow.created_at < moment)
            .order_by(RecordingRow.created_at)
            .limit(limit)
        )
        return rows.all()
