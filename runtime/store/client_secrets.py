"""Short-lived keys that open sessions, known to every process of a server."""

from __future__ import annotations

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from runtime.store.models import ClientSecretRow, KeyRow, TenantRow


class ClientSecretRows:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def identify(self, digest: str) -> tuple[ClientSecretRow, KeyRow, TenantRow] | None:
        """
        The secret with this SHA-256, the key that made it, and their owner.

        Not told a tenant, as it finds out who is calling.
        """
        found = await self._session.execute(
            select(ClientSecretRow, KeyRow, TenantRow)
            .join(KeyRow, KeyRow.id == ClientSecretRow.key_id)
            .join(TenantRow, TenantRow.id == ClientSecretRow.tenant_id)
            .where(ClientSecretRow.digest == digest)
        )
        row = found.first()
        return (row[0], row[1], row[2]) if row else None

    async def add(self, tenant_id: str, row: ClientSecretRow) -> None:
        row.tenant_id = tenant_id
        self._session.add(row)
        await self._session.flush()

    async def alive(self) -> int:
        """How many there are, of all tenants; those that are over count until they are forgotten."""
        return await self._session.scalar(select(func.count()).select_from(ClientSecretRow)) or 0

    async def forget_expired(self, *, at: float) -> None:
        """Drop those that are over at ``at``, seconds since the Unix epoch."""
        await self._session.execute(delete(ClientSecretRow).where(ClientSecretRow.expires_at <= at))
