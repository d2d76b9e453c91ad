"""Rows of agents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import and_, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from runtime.store.models import AgentRow


class Agents:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, tenant_id: str, row: AgentRow) -> None:
        row.tenant_id = tenant_id
        self._session.add(row)
        await self._session.flush()

    async def find(self, tenant_id: str, agent_id: str, *, lock: bool = False) -> AgentRow | None:
        """``lock`` keeps others from changing it until the transaction ends: for reading before writing."""
        query = select(AgentRow).where(AgentRow.tenant_id == tenant_id, AgentRow.id == agent_id)
        return await self._session.scalar(query.with_for_update(key_share=True) if lock else query)

    async def owner(self, agent_id: str) -> str | None:
        """
        The tenant whose agent is called.

        Not told a tenant, as it finds one out: a carrier that dials an agent has no key of the tenant's.
        """
        return await self._session.scalar(select(AgentRow.tenant_id).where(AgentRow.id == agent_id))

    async def page(self, tenant_id: str, *, limit: int, after: str | None = None) -> Sequence[AgentRow]:
        """Newest first; ``after`` is the id of the last agent of the page before."""
        query = select(AgentRow).where(AgentRow.tenant_id == tenant_id)
        if after is not None:
            born = (
                select(AgentRow.created_at)
                .where(AgentRow.tenant_id == tenant_id, AgentRow.id == after)
                .scalar_subquery()
            )
            query = query.where(
                or_(AgentRow.created_at < born, and_(AgentRow.created_at == born, AgentRow.id < after))
            )
        rows = await self._session.scalars(
            query.order_by(AgentRow.created_at.desc(), AgentRow.id.desc()).limit(limit)
        )
        return rows.all()

    async def change(self, tenant_id: str, agent_id: str, *, at: float, **columns: Any) -> AgentRow | None:
        """Set these columns and give back the row, or None if there is no such agent."""
        changed = await self._session.execute(
            update(AgentRow)
            .where(AgentRow.tenant_id == tenant_id, AgentRow.id == agent_id)
            .values(updated_at=at, **columns)
            .returning(AgentRow.id)
        )
        if changed.first() is None:
            return None
        self._session.expire_all()
        return await self.find(tenant_id, agent_id)

    async def delete(self, tenant_id: str, agent_id: str) -> bool:
        gone = await self._session.execute(
            delete(AgentRow)
            .where(AgentRow.tenant_id == tenant_id, AgentRow.id == agent_id)
            .returning(AgentRow.id)
        )
        return gone.first() is not None
