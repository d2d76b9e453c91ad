"""Rows of voices and of the gate's reports on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import and_, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from runtime.store.models import ReportRow, VoiceRow

UNFINISHED = ("queued", "analysing", "enrolling")
"""States that somebody waits on; the states themselves are told in :mod:`tts.voices.voice`."""


class Voices:
    """Deleted voices are not here: to everybody but the sweep they never were."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, tenant_id: str, row: VoiceRow) -> None:
        row.tenant_id = tenant_id
        self._session.add(row)
        await self._session.flush()

    async def find(self, tenant_id: str, voice_id: str, *, lock: bool = False) -> VoiceRow | None:
        """``lock`` keeps others from changing it until the transaction ends: for reading before writing."""
        query = select(VoiceRow).where(
            VoiceRow.tenant_id == tenant_id, VoiceRow.id == voice_id, VoiceRow.deleted_at.is_(None)
        )
        return await self._session.scalar(query.with_for_update(key_share=True) if lock else query)

    async def made_once(self, tenant_id: str, once: str) -> VoiceRow | None:
        """The voice that was made under this idempotency record, deleted or not."""
        return await self._session.scalar(
            select(VoiceRow).where(VoiceRow.tenant_id == tenant_id, VoiceRow.once == once)
        )

    async def revoke_consent(self, tenant_id: str, voice_id: str, *, at: float) -> bool:
        """The voice speaks nowhere from now on. False if there is no such voice."""
        changed = await self._session.execute(
            update(VoiceRow)
            .where(VoiceRow.tenant_id == tenant_id, VoiceRow.id == voice_id, VoiceRow.deleted_at.is_(None))
            .values(consent_revoked_at=func.coalesce(VoiceRow.consent_revoked_at, at), updated_at=at)
            .returning(VoiceRow.id)
        )
        return changed.first() is not None

    async def page(
        self,
        tenant_id: str,
        *,
        limit: int,
        after: str | None = None,
        origins: Sequence[str] | None = None,
        agent_id: str | None = None,
        workspace_id: int | None = None,
    ) -> Sequence[VoiceRow]:
        """
        Newest first.

        Args:
            limit: Most rows to give back.
            after: Id of the last voice of the page before; an id that is not this tenant's gives no rows.
            origins: Only these; None is all.
            agent_id: Only this agent's; None is all.
            workspace_id: Only this workspace's; None is all.
        """
        query = select(VoiceRow).where(VoiceRow.tenant_id == tenant_id, VoiceRow.deleted_at.is_(None))
        if origins is not None:
            query = query.where(VoiceRow.origin.in_(origins))
        if agent_id is not None:
            query = query.where(VoiceRow.agent_id == agent_id)
        if workspace_id is not None:
            query = query.where(VoiceRow.workspace_id == workspace_id)
        if after is not None:
            born = (
                select(VoiceRow.created_at)
                .where(VoiceRow.tenant_id == tenant_id, VoiceRow.id == after)
                .scalar_subquery()
            )
            query = query.where(
                or_(VoiceRow.created_at < born, and_(VoiceRow.created_at == born, VoiceRow.id < after))
            )
        rows = await self._session.scalars(
            query.order_by(VoiceRow.created_at.desc(), VoiceRow.id.desc()).limit(limit)
        )
        return rows.all()

    async def ids(self, tenant_id: str, *, limit: int = 100_000) -> Sequence[str]:
        """Of every voice the tenant ever had, newest first. What deleted ones have said is still about."""
        rows = await self._session.scalars(
            select(VoiceRow.id)
            .where(VoiceRow.tenant_id == tenant_id)
            .order_by(VoiceRow.created_at.desc())
            .limit(limit)
        )
        return rows.all()

    async def unfinished_count(self, tenant_id: str) -> int:
        count = await self._session.scalar(
            select(func.count())
            .select_from(VoiceRow)
            .where(
                VoiceRow.tenant_id == tenant_id,
                VoiceRow.state.in_(UNFINISHED),
                VoiceRow.deleted_at.is_(None),
            )
        )
        return count or 0

    async def advance(
        self, tenant_id: str, voice_id: str, *, come_from: Sequence[str], to: str, at: float, **columns: Any
    ) -> bool:
        """
        Move a voice to another state, in one statement.

        Args:
            come_from: States it may be in; in any other, nothing happens.
            to: The new state.
            at: Seconds since the Unix epoch.
            columns: What changes with it.

        Returns:
            False when the voice is gone or in another state: whoever deleted it has won.
        """
        changed = await self._session.execute(
            update(VoiceRow)
            .where(
                VoiceRow.tenant_id == tenant_id,
                VoiceRow.id == voice_id,
                VoiceRow.state.in_(come_from),
                VoiceRow.deleted_at.is_(None),
            )
            .values(state=to, updated_at=at, **columns)
            .returning(VoiceRow.id)
        )
        return changed.first() is not None

    async def delete(self, tenant_id: str, voice_id: str, *, at: float) -> bool:
        """Nobody finds it from the commit on. The caller removes its blobs, then says :meth:`purged`."""
        changed = await self._session.execute(
            update(VoiceRow)
            .where(VoiceRow.tenant_id == tenant_id, VoiceRow.id == voice_id, VoiceRow.deleted_at.is_(None))
            .values(state="deleted", deleted_at=at, updated_at=at, conditioning=None, sources=[])
            .returning(VoiceRow.id)
        )
        if changed.first() is None:
            return False
        await self._session.execute(
            delete(ReportRow).where(ReportRow.tenant_id == tenant_id, ReportRow.voice_id == voice_id)
        )
        return True

    async def purged(self, tenant_id: str, voice_id: str, *, at: float) -> None:
        """Remember that nothing of a deleted voice is left."""
        await self._session.execute(
            update(VoiceRow)
            .where(VoiceRow.tenant_id == tenant_id, VoiceRow.id == voice_id, VoiceRow.deleted_at.is_not(None))
            .values(purged_at=at)
        )

    async def put_report(self, tenant_id: str, row: ReportRow) -> None:
        """Store the report of a voice, in place of an earlier one."""
        await self._session.execute(
            delete(ReportRow).where(ReportRow.tenant_id == tenant_id, ReportRow.voice_id == row.voice_id)
        )
        row.tenant_id = tenant_id
        self._session.add(row)
        await self._session.flush()

    async def report(self, tenant_id: str, voice_id: str) -> ReportRow | None:
        return await self._session.scalar(
            select(ReportRow).where(ReportRow.tenant_id == tenant_id, ReportRow.voice_id == voice_id)
        )


class UnfinishedVoices:
    """
    What a stopped server left half-done, for all tenants.

    Read once, at start, by the server itself and for nobody: the rows name their tenant, and every further
    step goes through :class:`Voices` with it.
    """

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def requeue(self, *, at: float) -> Sequence[VoiceRow]:
        """Put every interrupted enrolment back in the queue, oldest first."""
        await self._session.execute(
            update(VoiceRow)
            .where(VoiceRow.state.in_(UNFINISHED), VoiceRow.deleted_at.is_(None))
            .values(state="queued", updated_at=at)
        )
        return await self.queued()

    async def queued(self) -> Sequence[VoiceRow]:
        """Every enrolment that nobody has begun, oldest first."""
        rows = await self._session.scalars(
            select(VoiceRow)
            .where(VoiceRow.state == "queued", VoiceRow.deleted_at.is_(None))
            .order_by(VoiceRow.created_at, VoiceRow.id)
        )
        return rows.all()

    async def unpurged(self) -> Sequence[VoiceRow]:
        """Deleted voices whose blobs may still be there."""
        rows = await self._session.scalars(
            select(VoiceRow).where(VoiceRow.deleted_at.is_not(None), VoiceRow.purged_at.is_(None))
        )
        return rows.all()
