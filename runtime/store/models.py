"""
The tables.

Times are seconds since the Unix epoch, UTC, as doubles (microseconds survive until the year 2112). Every
table that belongs to somebody has ``tenant_id``; the repositories never look a row up without it.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Double, ForeignKey, Index, MetaData, String, Text, UniqueConstraint
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
    __table_args__ = (UniqueConstraint("number"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    number: Mapped[int]
    """How dialects whose tenants are integers name it. Random: a count would tell how many there are."""
    provider_id: Mapped[int | None]
    """Whose customer it is, where the server is resold."""
    credit_balance: Mapped[int]
    """Sum of its ledger entries, kept in the same transaction."""
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
    __table_args__ = (
        UniqueConstraint("tenant_id", "once"),
        Index(None, "tenant_id", "created_at"),
        Index(None, "state"),
    )

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
    likeness: Mapped[Json | None]
    """How much it sounds like the recording, by our own ear; see :mod:`tts.voices.likeness`."""
    once: Mapped[str | None]
    """The idempotency record it was made under: made again, it is the same voice."""
    consent_id: Mapped[str | None]
    consent_revoked_at: Mapped[float | None]
    """From then on it speaks nowhere."""
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


class LedgerRow(Row):
    """One movement of credits. Never changed: a refund is another row."""

    __tablename__ = "ledger"
    __table_args__ = (UniqueConstraint("tenant_id", "kind", "ref"), Index(None, "tenant_id", "at"))

    id: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"))
    amount: Mapped[int]
    """Credits; negative is a charge."""
    kind: Mapped[str] = mapped_column(String(32))
    """``grant``, ``clone``, ``clone_refund``, ``preview``, …: with ``ref``, it happens once."""
    ref: Mapped[str]
    """What it was for: a voice, a job."""
    balance: Mapped[int]
    """After this movement."""
    at: Mapped[float]


class AuditRow(Row):
    """One event of a tenant, chained to the one before by its hash."""

    __tablename__ = "audit"

    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """From 1, without gaps."""
    at: Mapped[float]
    actor: Mapped[str]
    """The key, or ``server``."""
    actor_type: Mapped[str] = mapped_column(String(32))
    verb: Mapped[str] = mapped_column(String(64))
    object: Mapped[str]
    detail: Mapped[Json]
    prev_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


class IdempotencyRow(Row):
    """A request that must happen once, and what it was answered."""

    __tablename__ = "idempotency"

    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str]
    """What the request's effects are marked with (``once``)."""
    fingerprint: Mapped[str] = mapped_column(String(64))
    """SHA-256 of the method, the address and the body."""
    server: Mapped[str] = mapped_column(String(64))
    """The run of the server that works on it; another run may take it over."""
    status: Mapped[int | None]
    """None while it is worked on."""
    media_type: Mapped[str | None]
    body: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[float]


class ConsentRow(Row):
    """Somebody's word, or recording, that a voice may be cloned."""

    __tablename__ = "consents"
    __table_args__ = (Index(None, "tenant_id", "created_at"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"))
    name: Mapped[str] = mapped_column(Text)
    language: Mapped[str | None] = mapped_column(String(35))
    kind: Mapped[str] = mapped_column(String(16))
    """``attested`` (somebody said so) or ``recorded`` (the speaker did)."""
    attested_by: Mapped[str]
    """The key that brought it."""
    recording: Mapped[str | None]
    """Blob of what was spoken."""
    sha256: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[float]
    deleted_at: Mapped[float | None]


class DesignRow(Row):
    """A voice that was designed and heard, and may be kept."""

    __tablename__ = "design_samples"

    id: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"))
    agent_id: Mapped[str | None]
    recipe: Mapped[Json]
    voice_id: Mapped[str | None]
    """What it was kept as."""
    expires_at: Mapped[float]


class JobRow(Row):
    """Work that a caller polls. Numbers are random, so that none can be guessed from another."""

    __tablename__ = "jobs"
    __table_args__ = (Index(None, "state"),)

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"))
    agent_id: Mapped[str | None]
    kind: Mapped[str] = mapped_column(String(32))
    state: Mapped[str] = mapped_column(String(16))
    """``pending``, ``processing``, ``completed`` or ``failed``."""
    order: Mapped[Json]
    outputs: Mapped[list[Json]]
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[float]
    updated_at: Mapped[float]


class IntegrationRow(Row):
    """An agent's key at somebody else's service, encrypted."""

    __tablename__ = "integrations"

    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    agent_id: Mapped[str] = mapped_column(primary_key=True)
    provider: Mapped[str] = mapped_column(String(32), primary_key=True)
    secret: Mapped[str] = mapped_column(Text)
    """Encrypted; see :mod:`runtime.server.secrets`."""
    hint: Mapped[str] = mapped_column(String(16))
    detail: Mapped[Json]
    created_at: Mapped[float]


class ClientSecretRow(Row):
    """A short-lived key that opens sessions; the secret itself is never stored, as with a :class:`KeyRow`."""

    __tablename__ = "client_secrets"
    __table_args__ = (Index(None, "expires_at"),)

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"))
    key_id: Mapped[str] = mapped_column(ForeignKey("api_keys.id"))
    """The key that made it, and that it ends with."""
    session: Mapped[Json | None]
    origins: Mapped[list[str]]
    expires_at: Mapped[float]


class CallRow(Row):
    """A call that is over, and what was said in it, as far as it was heard."""

    __tablename__ = "calls"
    __table_args__ = (Index(None, "tenant_id", "began_at"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"))
    agent_id: Mapped[str]
    transport: Mapped[str] = mapped_column(String(32))
    voice: Mapped[str]
    """The name under which the call's voice was found."""
    began_at: Mapped[float]
    seconds: Mapped[float]
    turns: Mapped[list[Json]]
    """In order: ``role``, ``text``, ``complete``."""
