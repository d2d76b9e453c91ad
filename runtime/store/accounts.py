"""Rows of tenants and their keys."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from runtime.store.models import KeyRow, TenantRow


class Tenants:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, row: TenantRow) -> None:
        self._session.add(row)
        await self._session.flush()

    async def find(self, tenant_id: str) -> TenantRow | None:
        return await self._session.get(TenantRow, tenant_id)

    async def by_number(self, number: int) -> TenantRow | None:
        return await self._session.scalar(select(TenantRow).where(TenantRow.number == number))


class Keys:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def identify(self, digest: str) -> tuple[KeyRow, TenantRow] | None:
        """
        The key with this SHA-256, and its owner.

        The one look-up that is not told a tenant: it is the look-up that *finds out* who is calling.
        """
        found = await self._session.execute(
            select(KeyRow, TenantRow)
            .join(TenantRow, TenantRow.id == KeyRow.tenant_id)
            .where(KeyRow.digest == digest)
        )
        row = found.first()
        return (row[0], row[1]) if row else None

    async def add(self, tenant_id: str, row: KeyRow) -> None:
        row.tenant_id = tenant_id
        self._session.add(row)
        await self._session.flush()

    async def find(self, tenant_id: str, key_id: str) -> KeyRow | None:
        return await self._session.scalar(
            select(KeyRow).where(KeyRow.tenant_id == tenant_id, KeyRow.id == key_id)
        )

    async def all(self, tenant_id: str) -> Sequence[KeyRow]:
        """Oldest first, revoked ones included."""
        rows = await self._session.scalars(
            select(KeyRow).where(KeyRow.tenant_id == tenant_id).order_by(KeyRow.created_at, KeyRow.id)
        )
        return rows.all()

    async def revoke(self, tenant_id: str, key_id: str, *, at: float) -> bool:
        """True if there was such a key and it was not revoked before."""
        changed = await self._session.execute(
            update(KeyRow)
            .where(KeyRow.tenant_id == tenant_id, KeyRow.id == key_id, KeyRow.revoked_at.is_(None))
            .values(revoked_at=at)
            .returning(KeyRow.id)
        )
        return changed.first() is not None
