"""Rows of calls that are over."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import and_, delete, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from runtime.store.models import CallRow


class Calls:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, tenant_id: str, row: CallRow) -> None:
        row.tenant_id = tenant_id
        self._session.add(row)
        await self._session.flush()

    async def find(self, tenant_id: str, call_id: str) -> CallRow | None:
        return await self._session.scalar(
            select(CallRow).where(CallRow.tenant_id == tenant_id, CallRow.id == call_id)
        )

    async def page(
        self, tenant_id: str, *, limit: int, after: str | None = None, agent_id: str | None = None
    ) -> Sequence[CallRow]:
        """Newest first; ``after`` is the id of the last call of the page before."""
        query = select(CallRow).where(CallRow.tenant_id == tenant_id)
        if agent_id is not None:
            query = query.where(CallRow.agent_id == agent_id)
        if after is not None:
            began = (
                select(CallRow.began_at)
                .where(CallRow.tenant_id == tenant_id, CallRow.id == after)
                .scalar_subquery()
            )
            query = query.where(
                or_(CallRow.began_at < began, and_(CallRow.began_at == began, CallRow.id < after))
            )
        rows = await self._session.scalars(
            query.order_by(CallRow.began_at.desc(), CallRow.id.desc()).limit(limit)
        )
        return rows.all()

    async def delete(self, tenant_id: str, call_id: str) -> bool:
        gone = await self._session.execute(
            delete(CallRow).where(CallRow.tenant_id == tenant_id, CallRow.id == call_id).returning(CallRow.id)
        )
        return gone.first() is not None
