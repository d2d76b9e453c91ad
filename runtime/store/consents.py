"""Rows of consents: who said that a voice may be cloned."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import and_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from runtime.store.models import ConsentRow


class Consents:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, tenant_id: str, row: ConsentRow) -> None:
        row.tenant_id = tenant_id
        self._session.add(row)
        await self._session.flush()

    async def find(self, tenant_id: str, consent_id: str) -> ConsentRow | None:
        return await self._session.scalar(
            select(ConsentRow).where(
                ConsentRow.tenant_id == tenant_id,
                ConsentRow.id == consent_id,
                ConsentRow.deleted_at.is_(None),
            )
        )

    async def page(self, tenant_id: str, *, limit: int, after: str | None = None) -> Sequence[ConsentRow]:
        """Recorded ones, newest first; ``after`` is the id of the last of the page before."""
        query = select(ConsentRow).where(
            ConsentRow.tenant_id == tenant_id,
            ConsentRow.kind == "recorded",
            ConsentRow.deleted_at.is_(None),
        )
        if after is not None:
            born = (
                select(ConsentRow.created_at)
                .where(ConsentRow.tenant_id == tenant_id, ConsentRow.id == after)
                .scalar_subquery()
            )
            query = query.where(
                or_(
                    ConsentRow.created_at < born,
                    and_(ConsentRow.created_at == born, ConsentRow.id < after),
                )
            )
        rows = await self._session.scalars(
            query.order_by(ConsentRow.created_at.desc(), ConsentRow.id.desc()).limit(limit)
        )
        return rows.all()

    async def rename(self, tenant_id: str, consent_id: str, name: str) -> bool:
        return await self._change(tenant_id, consent_id, name=name)

    async def delete(self, tenant_id: str, consent_id: str, *, at: float) -> bool:
        """False if there was none. Its recording is the caller's to remove."""
        return await self._change(tenant_id, consent_id, deleted_at=at, recording=None)

    async def _change(self, tenant_id: str, consent_id: str, **columns: object) -> bool:
        changed = await self._session.execute(
            update(ConsentRow)
            .where(
                ConsentRow.tenant_id == tenant_id,
                ConsentRow.id == consent_id,
                ConsentRow.deleted_at.is_(None),
            )
            .values(**columns)
            .returning(ConsentRow.id)
        )
        return changed.first() is not None
