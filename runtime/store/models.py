"""
The tables.

Times are seconds since the Unix epoch, UTC, as doubles (microseconds survive until the year 2112). Every
table that belongs to somebody has ``tenant_id``; the repositories never look a row up without it.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, Double, ForeignKey, Index, MetaData, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

Json = dict[str, Any]


class Row(DeclarativeBase):
    """A row of any table. Constraints are named, so that migrations can drop them on every database."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {
        float: Double(),
        Json: JSON(none_as_null=True),
        list[str]: JSON(),
        list[Json]: JSON(),
        str: String(255),
    }


class TenantRow(Row):
    """Who owns voices, agents and keys; nothing crosses from one tenant to another."""

    __tablename__ = "tenants"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    created_at: Mapped[float]
    suspended_at: Mapped[float | None]


class KeyRow(Row):
    """An API key. The key itself is never stored: only its SHA-256, which 256 random bits make enough."""

    __tablename__ = "api_keys"
    __table_args__ = (UniqueConstraint("digest"), Index(None, "tenant_id"))

    id: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"))
    label: Mapped[str]
    digest: Mapped[str] = mapped_column(String(64))
    hint: Mapped[str] = mapped_column(String(16))
    """The last four characters, by which a person knows it again."""
    environment: Mapped[str] = mapped_column(String(8))
    """``live`` or ``test``."""
    scopes: Mapped[list[str]]
    roles: Mapped[list[str]]
    created_at: Mapped[float]
    expires_at: Mapped[float | None]
    revoked_at: Mapped[float | None]


class VoiceRow(Row):
    """A voice of a tenant: cloned, designed, or a reference to somebody else's. Stock voices have no row."""

    __tablename__ = "voices"
    __table_args__ = (Index(None, "tenant_id", "created_at"), Index(None, "state"))

    id: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"))
    workspace_id: Mapped[int | None]
    agent_id: Mapped[str | None]
    name: Mapped[str] = mapped_column(Text)
    origin: Mapped[str] = mapped_column(String(32))
    state: Mapped[str] = mapped_column(String(16))
    """One of :class:`tts.voices.voice.VoiceState`."""
    language: Mapped[str | None] = mapped_column(String(35))
    gender: Mapped[str | None] = mapped_column(String(32))
    accent: Mapped[str | None]
    description: Mapped[str | None] = mapped_column(Text)
    tags: Mapped[list[str]]
    provider: Mapped[str | None]
    """What the caller asked for, echoed; never a claim about which engine speaks."""
    attributes: Mapped[Json]
    """What a dialect keeps with a voice and nobody else reads."""
    profile: Mapped[str] = mapped_column(String(32))
    """How strictly the gate judged it."""
    sources: Mapped[list[Json]]
    """The recordings, in the order they were sent: blob, filename, declared MIME type."""
    reason: Mapped[Json | None]
    """Why it was rejected or broke, and what to change."""
    engine: Mapped[str | None]
    engine_version: Mapped[str | None]
    conditioning: Mapped[str | None]
    """Blob of the conditioning; set before the state is ``ready``."""
    conditioning_digest: Mapped[str | None] = mapped_column(String(64))
    attempts: Mapped[int]
    """How often enrolment was begun: a recording that kills the worker is not tried for ever."""
    created_at: Mapped[float]
    updated_at: Mapped[float]
    deleted_at: Mapped[float | None]
    purged_at: Mapped[float | None]
    """When the last blob of a deleted voice was gone."""


class ReportRow(Row):
    """What the gate said about a voice's recording."""

    __tablename__ = "gate_reports"
    __table_args__ = (UniqueConstraint("tenant_id", "voice_id"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"))
    voice_id: Mapped[str] = mapped_column(ForeignKey("voices.id"))
    verdict: Mapped[str] = mapped_column(String(16))
    body: Mapped[Json]
    created_at: Mapped[float]


class AgentRow(Row):
    """A configured agent; read when a session opens, so an edit is live on the next call."""

    __tablename__ = "agents"
    __table_args__ = (Index(None, "tenant_id", "created_at"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"))
    name: Mapped[str] = mapped_column(Text)
    voice_id: Mapped[str | None]
    voice_fallback: Mapped[str | None]
    """A stock voice that may stand in, told to the caller, when the configured one is gone."""
    instructions: Mapped[str | None] = mapped_column(Text)
    greeting: Mapped[str | None] = mapped_column(Text)
    language: Mapped[str | None] = mapped_column(String(35))
    brain: Mapped[str | None]
    attributes: Mapped[Json]
    """Members a dialect stores and gives back, and which no session reads."""
    created_at: Mapped[float]
    updated_at: Mapped[float]
