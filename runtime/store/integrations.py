"""Rows of agents' keys at other services, encrypted."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from runtime.store.models import IntegrationRow


class Integrations:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def find(self, tenant_id: str, agent_id: str, provider: str) -> IntegrationRow | None:
        return await self._session.get(IntegrationRow, (tenant_id, agent_id, provider))

    async def of_provider(self, tenant_id: str, provider: str) -> Sequence[IntegrationRow]:
        """Of all the tenant's agents, oldest first."""
        rows = await self._session.scalars(
            select(IntegrationRow)
            .where(IntegrationRow.tenant_id == tenant_id, IntegrationRow.provider == provider)
            .order_by(IntegrationRow.created_at)
        )
        return rows.all()

    async def put(self, tenant_id: str, row: IntegrationRow) -> None:
        """In place of an earlier one."""
        row.tenant_id = tenant_id
        await self._session.merge(row)
        await self._session.flush()

    async def delete(self, tenant_id: str, agent_id: str, provider: str) -> None:
        await self._session.execute(
            delete(IntegrationRow).where(
                IntegrationRow.tenant_id == tenant_id,
                IntegrationRow.agent_id == agent_id,
                IntegrationRow.provider == provider,
            )
        )
