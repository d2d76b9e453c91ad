"""Rows of recordings that are to be transcribed, or were."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    and_,
    delete,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from runtime.store.models import Json, Row


class TranscriptionRow(Row):
    """One recording and what it was asked for."""

    __tablename__ = "transcription_jobs"
    __table_args__ = (
        UniqueConstraint("tenant_id", "once"),
        Index(None, "tenant_id", "created_at"),
        Index(None, "state", "due_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"))
    state: Mapped[str] = mapped_column(String(16))
    """``queued``, ``processing``, ``completed`` or ``failed``."""
    order: Mapped[Json]
    """Language, formats, channels."""
    source: Mapped[str | None]
    """Blob of the recording, once it is here."""
    audio_url: Mapped[str | None] = mapped_column(Text)
    """Where it is loaded from."""
    webhook_url: Mapped[str | None] = mapped_column(Text)
    secret: Mapped[str | None] = mapped_column(Text)
    """Signs what is sent there; encrypted."""
    result: Mapped[str | None]
    """Blob of the segments."""
    seconds: Mapped[float | None]
    error: Mapped[Json | None]
    attempts: Mapped[int]
    due_at: Mapped[float]
    """When it is begun; while it is worked on, when its server is taken to have died."""
    once: Mapped[str | None]
    """The idempotency record it was made under: made again, it is the same job."""
    created_at: Mapped[float]
    updated_at: Mapped[float]


class Transcriptions:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, tenant_id: str, row: TranscriptionRow) -> None:
        row.tenant_id = tenant_id
        self._session.add(row)
        await self._session.flush()

    async def find(self, tenant_id: str, job_id: str) -> TranscriptionRow | None:
        return await self._session.scalar(
            select(TranscriptionRow).where(
                TranscriptionRow.tenant_id == tenant_id, TranscriptionRow.id == job_id
            )
        )

    async def made_once(self, tenant_id: str, once: str) -> TranscriptionRow | None:
        """The job an earlier attempt of the same request made."""
        return await self._session.scalar(
            select(TranscriptionRow).where(
                TranscriptionRow.tenant_id == tenant_id, TranscriptionRow.once == once
            )
        )

    async def unfinished(self, tenant_id: str) -> int:
        """How many wait or are worked on."""
        return (
            await self._session.scalar(
                select(func.count())
                .select_from(TranscriptionRow)
                .where(
                    TranscriptionRow.tenant_id == tenant_id,
                    TranscriptionRow.state.in_(("queued", "processing")),
                )
            )
            or 0
        )

    async def page(
        self, tenant_id: str, *, limit: int, after: str | None = None
    ) -> Sequence[TranscriptionRow]:
        """Newest first; ``after`` is the id of the last one of the page before."""
        query = select(TranscriptionRow).where(TranscriptionRow.tenant_id == tenant_id)
        if after is not None:
            made = (
                select(TranscriptionRow.created_at)
                .where(TranscriptionRow.tenant_id == tenant_id, TranscriptionRow.id == after)
                .scalar_subquery()
            )
            query = query.where(
                or_(
                    TranscriptionRow.created_at < made,
                    and_(TranscriptionRow.created_at == made, TranscriptionRow.id < after),
                )
            )
        rows = await self._session.scalars(
            query.order_by(TranscriptionRow.created_at.desc(), TranscriptionRow.id.desc()).limit(limit)
        )
        return rows.all()

    async def change(
        self, tenant_id: str, job_id: str, *, at: float, come_from: Sequence[str], **columns: Any
    ) -> bool:
        """Set columns, if the job still is in one of these states; False where it is not, or is gone."""
        moved = await self._session.execute(
            update(TranscriptionRow)
            .where(
                TranscriptionRow.tenant_id == tenant_id,
                TranscriptionRow.id == job_id,
                TranscriptionRow.state.in_(come_from),
            )
            .values(updated_at=at, **columns)
            .returning(TranscriptionRow.id)
        )
        return moved.first() is not None

    async def delete(self, tenant_id: str, job_id: str) -> bool:
        gone = await self._session.execute(
            delete(TranscriptionRow)
            .where(TranscriptionRow.tenant_id == tenant_id, TranscriptionRow.id == job_id)
            .returning(TranscriptionRow.id)
        )
        return gone.first() is not None


class DueTranscriptions:
    """What is to be worked on, of all tenants: for the server that does it, and nobody else."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def any(self, *, now: float) -> bool:
        """Whether :meth:`claim` would find one: asked often, and takes no lock."""
        found = await self._session.scalar(
            select(TranscriptionRow.id)
            .where(TranscriptionRow.state.in_(("queued", "processing")), TranscriptionRow.due_at <= now)
            .limit(1)
        )
        return found is not None

    async def claim(self, *, now: float, until: float) -> TranscriptionRow | None:
        """The job that has waited longest, put off ``until`` then for everybody else; its attempts count."""
        row = await self._session.scalar(
            select(TranscriptionRow)
            .where(TranscriptionRow.state.in_(("queued", "processing")), TranscriptionRow.due_at <= now)
            .order_by(TranscriptionRow.created_at)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        if row is not None:
            row.attempts += 1
            row.state = "processing"
            row.due_at = until
            row.updated_at = now
            await self._session.flush()
        return row
