"""Rows of designed voices that were heard but not yet kept."""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from runtime.store.models import DesignRow


class Designs:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, tenant_id: str, row: DesignRow) -> None:
        row.tenant_id = tenant_id
        self._session.add(row)
        await self._session.flush()

    async def find(
        self, tenant_id: str, generation_id: str, *, agent_id: str | None, at: float
    ) -> DesignRow | None:
        """The sample, if it was made for this agent and has not expired."""
        return await self._session.scalar(
            select(DesignRow).where(
                DesignRow.tenant_id == tenant_id,
                DesignRow.id == generation_id,
                DesignRow.agent_id == agent_id,
                DesignRow.expires_at > at,
            )
        )

    async def kept(self, tenant_id: str, generation_id: str, *, voice_id: str) -> None:
        """Remember what it became."""
        await self._session.execute(
            update(DesignRow)
            .where(DesignRow.tenant_id == tenant_id, DesignRow.id == generation_id)
            .values(voice_id=voice_id)
        )
