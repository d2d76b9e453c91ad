"""Credits: an append-only ledger, and a balance that always equals its sum."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from runtime.store.ids import new_id
from runtime.store.models import LedgerRow, TenantRow


class Ledger:
    """
    Every movement has a kind and what it was for, and a tenant has each such pair once.

    So a charge or a refund that is tried again, after a crash or by an impatient client, changes nothing.
    """

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def balance(self, tenant_id: str) -> int:
        return (
            await self._session.scalar(select(TenantRow.credit_balance).where(TenantRow.id == tenant_id)) or 0
        )

    async def move(self, tenant_id: str, amount: int, *, kind: str, ref: str, at: float) -> bool:
        """
        Add ``amount`` credits (negative: take) unless this was done before.

        The caller's transaction decides whether it stands: charge in the one that creates what is paid for.

        Returns:
            False when the balance does not suffice; nothing has happened then.
        """
        if await self.find(tenant_id, kind=kind, ref=ref) is not None:
            return True
        balance = await self._session.scalar(
            update(TenantRow)
            .where(TenantRow.id == tenant_id, TenantRow.credit_balance + amount >= 0)
            .values(credit_balance=TenantRow.credit_balance + amount)
            .returning(TenantRow.credit_balance)
        )
        if balance is None:
            return False
        self._session.add(
            LedgerRow(
                id=new_id("led", at=at),
                tenant_id=tenant_id,
                amount=amount,
                kind=kind,
                ref=ref,
                balance=balance,
                at=at,
            )
        )
        await self._session.flush()
        return True

    async def refund(self, tenant_id: str, *, kind: str, ref: str, at: float) -> None:
        """Give back what was charged as ``kind`` for ``ref``, if it was, once."""
        charged = await self.find(tenant_id, kind=kind, ref=ref)
        if charged is not None:
            await self.move(tenant_id, -charged.amount, kind=f"{kind}_refund", ref=ref, at=at)

    async def find(self, tenant_id: str, *, kind: str, ref: str) -> LedgerRow | None:
        return await self._session.scalar(
            select(LedgerRow).where(
                LedgerRow.tenant_id == tenant_id, LedgerRow.kind == kind, LedgerRow.ref == ref
            )
        )

    async def entries(self, tenant_id: str, *, limit: int) -> Sequence[LedgerRow]:
        """Newest first."""
        rows = await self._session.scalars(
            select(LedgerRow)
            .where(LedgerRow.tenant_id == tenant_id)
            .order_by(LedgerRow.at.desc(), LedgerRow.id.desc())
            .limit(limit)
        )
        return rows.all()
