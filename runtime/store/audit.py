"""
Who did what: per tenant, in order, each event bound to the one before.

An event's hash covers its content and the hash before it, so changing, removing or swapping events breaks
every hash from there on. What a chain cannot show is that its newest events were cut off: whoever needs
that keeps the hash of the last event somewhere else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from runtime.store.models import AuditRow, Json, TenantRow

GENESIS = "0" * 64
"""What the first event of a tenant is bound to."""


class Audit:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def append(
        self,
        tenant_id: str,
        *,
        verb: str,
        object: str,
        at: float,
        actor: str = "server",
        actor_type: str = "server",
        detail: Json | None = None,
    ) -> AuditRow:
        """Write down an event, in the transaction of what it tells about."""
        # Two writers must not take the same place in the chain. SQLite has one writer anyway. PostgreSQL
        # shares the tenant's key among those who have just added something of the tenant's: a lock that
        # asked for the key, too, would have two of them wait for each other.
        tenant = select(TenantRow.id).where(TenantRow.id == tenant_id)
        await self._session.execute(tenant.with_for_update(key_share=True))
        last = await self._session.scalar(
            select(AuditRow).where(AuditRow.tenant_id == tenant_id).order_by(AuditRow.seq.desc()).limit(1)
        )
        row = AuditRow(
            tenant_id=tenant_id,
            seq=1 if last is None else last.seq + 1,
            at=at,
            actor=actor,
            actor_type=actor_type,
            verb=verb,
            object=object,
            detail=detail or {},
            prev_hash=GENESIS if last is None else last.hash,
        )
        row.hash = event_hash(row)
        self._session.add(row)
        await self._session.flush()
        return row

    async def events(self, tenant_id: str, *, limit: int | None = None, after: int = 0) -> Sequence[AuditRow]:
        """Oldest first, from the one that follows number ``after``."""
        query = (
            select(AuditRow)
            .where(AuditRow.tenant_id == tenant_id, AuditRow.seq > after)
            .order_by(AuditRow.seq)
        )
        rows = await self._session.scalars(query if limit is None else query.limit(limit))
        return rows.all()


def event_hash(row: AuditRow) -> str:
    """SHA-256 over the event and the hash before it, hex."""
    content = {
        "tenant_id": row.tenant_id,
        "seq": row.seq,
        "at": row.at,
        "actor": row.actor,
        "actor_type": row.actor_type,
        "verb": row.verb,
        "object": row.object,
        "detail": row.detail,
        "prev_hash": row.prev_hash,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def first_break(events: Sequence[AuditRow]) -> int | None:
    """The number of the first event that is not what was written, or None if all are. From number 1 on."""
    before = GENESIS
    for expected, row in enumerate(events, 1):
        if row.seq != expected or row.prev_hash != before or row.hash != event_hash(row):
            return expected
        before = row.hash
    return None
