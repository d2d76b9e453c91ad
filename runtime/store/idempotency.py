"""Requests that must happen once, and what they were answered."""

from __future__ import annotations

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from runtime.store.models import IdempotencyRow


class Idempotency:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def find(self, tenant_id: str, key: str) -> IdempotencyRow | None:
        return await self._session.scalar(
            select(IdempotencyRow).where(IdempotencyRow.tenant_id == tenant_id, IdempotencyRow.key == key)
        )

    async def begin(self, tenant_id: str, row: IdempotencyRow) -> None:
        """Remember that a request with this key is worked on."""
        row.tenant_id = tenant_id
        self._session.add(row)
        await self._session.flush()

    async def take_over(self, tenant_id: str, key: str, *, left_by: str, server: str) -> bool:
        """Work on what another server left unanswered. False when somebody else was faster."""
        taken = await self._session.execute(
            update(IdempotencyRow)
            .where(
                IdempotencyRow.tenant_id == tenant_id,
                IdempotencyRow.key == key,
                IdempotencyRow.server == left_by,
            )
            .values(server=server)
            .returning(IdempotencyRow.id)
        )
        return taken.first() is not None

    async def answer(
        self, tenant_id: str, key: str, *, status: int, media_type: str | None, body: str
    ) -> None:
        """Remember the answer: whoever asks again gets it again."""
        await self._session.execute(
            update(IdempotencyRow)
            .where(IdempotencyRow.tenant_id == tenant_id, IdempotencyRow.key == key)
            .values(status=status, media_type=media_type, body=body)
        )

    async def forget(self, tenant_id: str, key: str) -> None:
        """Nothing was done: the key may be used again."""
        await self._session.execute(
            delete(IdempotencyRow).where(IdempotencyRow.tenant_id == tenant_id, IdempotencyRow.key == key)
        )
