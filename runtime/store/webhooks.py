"""Rows of webhooks, and of what is to be sent to them: an outbox that outlives the server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from runtime.store.models import Row


class WebhookRow(Row):
    """Where a tenant wants to be told of events."""

    __tablename__ = "webhooks"
    __table_args__ = (Index(None, "tenant_id", "created_at"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"))
    url: Mapped[str] = mapped_column(Text)
    events: Mapped[list[str]]
    """Kinds of events; empty is all."""
    description: Mapped[str | None] = mapped_column(Text)
    secret: Mapped[str] = mapped_column(Text)
    """Encrypted; see :mod:`runtime.server.secrets`."""
    hint: Mapped[str] = mapped_column(String(16))
    """The secret's last four characters."""
    enabled: Mapped[bool]
    created_at: Mapped[float]
    updated_at: Mapped[float]


class DeliveryRow(Row):
    """One event for one address: kept until it was taken, or given up."""

    __tablename__ = "deliveries"
    __table_args__ = (
        Index(None, "state", "next_at"),
        Index(None, "tenant_id", "webhook_id", "created_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"))
    webhook_id: Mapped[str | None]
    """None for an address that came with a single job."""
    event_id: Mapped[str]
    kind: Mapped[str] = mapped_column(String(64))
    url: Mapped[str] = mapped_column(Text)
    secret: Mapped[str] = mapped_column(Text)
    """Encrypted."""
    body: Mapped[str] = mapped_column(Text)
    """As it is sent, every time the same bytes."""
    state: Mapped[str] = mapped_column(String(16))
    """``pending``, ``delivered`` or ``failed``."""
    attempts: Mapped[int]
    next_at: Mapped[float]
    """When it is tried next; while a server tries it, when that is taken to have died."""
    status: Mapped[int | None]
    """HTTP status of the last answer."""
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[float]
    delivered_at: Mapped[float | None]


class Webhooks:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, tenant_id: str, row: WebhookRow) -> None:
        row.tenant_id = tenant_id
        self._session.add(row)
        await self._session.flush()

    async def find(self, tenant_id: str, webhook_id: str) -> WebhookRow | None:
        return await self._session.scalar(
            select(WebhookRow).where(WebhookRow.tenant_id == tenant_id, WebhookRow.id == webhook_id)
        )

    async def all(self, tenant_id: str) -> Sequence[WebhookRow]:
        """Oldest first."""
        rows = await self._session.scalars(
            select(WebhookRow)
            .where(WebhookRow.tenant_id == tenant_id)
            .order_by(WebhookRow.created_at, WebhookRow.id)
        )
        return rows.all()

    async def change(self, tenant_id: str, webhook_id: str, *, at: float, **columns: Any) -> None:
        await self._session.execute(
            update(WebhookRow)
            .where(WebhookRow.tenant_id == tenant_id, WebhookRow.id == webhook_id)
            .values(updated_at=at, **columns)
        )

    async def delete(self, tenant_id: str, webhook_id: str) -> bool:
        """With what was still to be sent to it."""
        await self._session.execute(
            delete(DeliveryRow).where(
                DeliveryRow.tenant_id == tenant_id, DeliveryRow.webhook_id == webhook_id
            )
        )
        gone = await self._session.execute(
            delete(WebhookRow)
            .where(WebhookRow.tenant_id == tenant_id, WebhookRow.id == webhook_id)
            .returning(WebhookRow.id)
        )
        return gone.first() is not None


class Deliveries:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, tenant_id: str, row: DeliveryRow) -> None:
        row.tenant_id = tenant_id
        self._session.add(row)
        await self._session.flush()

    async def page(self, tenant_id: str, webhook_id: str, *, limit: int) -> Sequence[DeliveryRow]:
        """Newest first."""
        rows = await self._session.scalars(
            select(DeliveryRow)
            .where(DeliveryRow.tenant_id == tenant_id, DeliveryRow.webhook_id == webhook_id)
            .order_by(DeliveryRow.created_at.desc(), DeliveryRow.id.desc())
            .limit(limit)
        )
        return rows.all()

    async def change(self, tenant_id: str, delivery_id: str, **columns: Any) -> None:
        await self._session.execute(
            update(DeliveryRow)
            .where(DeliveryRow.tenant_id == tenant_id, DeliveryRow.id == delivery_id)
            .values(**columns)
        )


class Outbox:
    """What is due, of all tenants: for the server that sends it, and nobody else."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def claim(self, *, now: float, until: float, limit: int) -> Sequence[DeliveryRow]:
        """Deliveries that are due, oldest first, put off ``until`` then for everybody else."""
        due = (
            select(DeliveryRow)
            .where(DeliveryRow.state == "pending", DeliveryRow.next_at <= now)
            .order_by(DeliveryRow.next_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        rows = (await self._session.scalars(due)).all()
        if rows:
            await self._session.execute(
                update(DeliveryRow)
                .where(DeliveryRow.id.in_([row.id for row in rows]))
                .values(next_at=until)
                .execution_options(synchronize_session=False)
            )
        return rows

    async def next_due(self) -> float | None:
        """When the first pending delivery is due."""
        return await self._session.scalar(
            select(func.min(DeliveryRow.next_at)).where(DeliveryRow.state == "pending")
        )

    async def forget(self, *, before: float) -> None:
        """Drop what was delivered or given up before then."""
        await self._session.execute(
            delete(DeliveryRow).where(
                or_(DeliveryRow.state == "delivered", DeliveryRow.state == "failed"),
                DeliveryRow.created_at < before,
            )
        )
