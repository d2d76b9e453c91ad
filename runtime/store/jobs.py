"""Rows of work that callers poll."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from runtime.store.models import JobRow, Json


class Jobs:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, tenant_id: str, row: JobRow) -> None:
        row.tenant_id = tenant_id
        self._session.add(row)
        await self._session.flush()

    async def find(self, tenant_id: str, job_id: int) -> JobRow | None:
        return await self._session.scalar(
            select(JobRow).where(JobRow.tenant_id == tenant_id, JobRow.id == job_id)
        )

    async def move(
        self,
        tenant_id: str,
        job_id: int,
        *,
        to: str,
        at: float,
        outputs: list[Json] | None = None,
        error: str | None = None,
    ) -> None:
        await self._session.execute(
            update(JobRow)
            .where(JobRow.tenant_id == tenant_id, JobRow.id == job_id)
            .values(state=to, updated_at=at, outputs=outputs or [], error=error)
        )


class UnfinishedJobs:
    """What stopped servers left half-done, for all tenants: for the server itself, and nobody else."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def all(self, *, untouched_since: float) -> Sequence[JobRow]:
        """Oldest first."""
        rows = await self._session.scalars(
            select(JobRow)
            .where(JobRow.state.in_(("pending", "processing")), JobRow.updated_at <= untouched_since)
            .order_by(JobRow.created_at)
        )
        return rows.all()
