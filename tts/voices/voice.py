"""What a voice is, which states it goes through, and why it may never become one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from runtime.errors import Conflict
from tts.engine import Conditioning

Severity: TypeAlias = Literal["error", "warning"]
Span: TypeAlias = tuple[float, float]
"""Seconds ``[begin, end)`` in the recording as uploaded."""


class VoiceState(StrEnum):
    """Where a voice stands between the upload and the last call."""

    QUEUED = "queued"
    """Accepted, stored, not looked at yet."""
    ANALYSING = "analysing"
    """The gate is judging the recording."""
    ENROLLING = "enrolling"
    """The engine is making a voice of it."""
    READY = "ready"
    """It speaks."""
    REJECTED = "rejected"
    """The gate said no; :attr:`Voice.reason` says why. Another recording is another voice."""
    ERROR = "error"
    """The recording was good and we failed."""
    DELETED = "deleted"

    @property
    def pending(self) -> bool:
        """Still on its way; a restart of the process begins these again."""
        return self in PENDING

    def becomes(self, state: VoiceState) -> VoiceState:
        """
        The step to ``state``.

        Raises:
            Conflict: No such step in :data:`TRANSITIONS`.
        """
        if state not in TRANSITIONS[self]:
            raise Conflict(f"a voice that is {self} cannot become {state}", code="illegal_transition")
        return state


TRANSITIONS: Mapping[VoiceState, frozenset[VoiceState]] = MappingProxyType(
    {
        VoiceState.QUEUED: frozenset({VoiceState.ANALYSING, VoiceState.ERROR, VoiceState.DELETED}),
        VoiceState.ANALYSING: frozenset(
            {
                VoiceState.ENROLLING,
                VoiceState.REJECTED,
                VoiceState.ERROR,
                VoiceState.QUEUED,
                VoiceState.DELETED,
            }
        ),
        VoiceState.ENROLLING: frozenset(
            {VoiceState.READY, VoiceState.ERROR, VoiceState.QUEUED, VoiceState.DELETED}
        ),
        VoiceState.READY: frozenset({VoiceState.DELETED}),
        VoiceState.REJECTED: frozenset({VoiceState.DELETED}),
        VoiceState.ERROR: frozenset({VoiceState.DELETED}),
        VoiceState.DELETED: frozenset(),
    }
)
"""Every legal step. Back to QUEUED is what a restart does to work it finds half done."""

PENDING = frozenset({VoiceState.QUEUED, VoiceState.ANALYSING, VoiceState.ENROLLING})


class VoiceOrigin(StrEnum):
    """Where a voice came from."""

    STOCK = "stock"
    """Ships with the engine; every tenant may use it."""
    CLONED = "cloned"
    DESIGNED = "designed"
    EXTERNAL = "external"
    """Lives at a remote engine and is only named here."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing wrong with a recording: what was measured, what was allowed, and what to change."""

    code: str
    """Stable word, such as ``insufficient_bandwidth``."""
    message: str
    """One sentence for a person; begins with the words of the code."""
    fix: str
    """What to do so that the next recording passes."""
    metric: str | None = None
    """Name of the measured quantity in the report."""
    value: float | None = None
    limit: float | None = None
    unit: str | None = None
    """Of ``value`` and ``limit``."""
    severity: Severity = "error"
    spans: tuple[Span, ...] = ()
    """Where in the recording, when it is not everywhere."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; spans as ``[begin, end]`` pairs."""
        return {
            "code": self.code,
            "message": self.message,
            "fix": self.fix,
            "metric": self.metric,
            "value": self.value,
            "limit": self.limit,
            "unit": self.unit,
            "severity": self.severity,
            "spans": [list(span) for span in self.spans],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Reason:
        """The inverse of :meth:`to_json`. Unknown members are ignored, so older rows stay readable."""
        return cls(
            code=value["code"],
            message=value["message"],
            fix=value["fix"],
            metric=value.get("metric"),
            value=value.get("value"),
            limit=value.get("limit"),
            unit=value.get("unit"),
            severity=value.get("severity", "error"),
            spans=tuple((float(begin), float(end)) for begin, end in value.get("spans", ())),
        )


WEAK_LIKENESS = 0.55
"""
Score under which a voice is told to be a weak likeness. Halves of 25 people, measured with constants from
the other half (``python -m tests.bench.likeness``): no second recording of the same person was below it,
85 in 100 recordings of somebody else were.
"""


@dataclass(frozen=True, slots=True)
class Likeness:
    """How much a new voice sounds like the recording it was made of, by our own ear."""

    score: float
    """Cosine between the timbre of a line that the voice spoke and that of the recording, -1 to 1."""
    cohort: int
    """Stock voices that spoke the same line."""
    cohort_mean: float | None
    """Their scores against the same recording; None without a cohort."""
    cohort_max: float | None

    @property
    def warning(self) -> Reason | None:
        """What to say of a weak likeness: below the limit, or no nearer to the person than a stranger."""
        limit = max(WEAK_LIKENESS, self.cohort_max if self.cohort_max is not None else -1.0)
        if self.score >= limit:
            return None
        return Reason(
            code="weak_likeness",
            message=f"weak likeness: a line spoken in the new voice scores {self.score:.2f} against the "
            f"recording, {limit:.2f} are needed",
            fix="record 10-15 s of lively, continuous speech close to the microphone, and enrol that",
            metric="likeness",
            value=self.score,
            limit=limit,
            severity="warning",
        )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, and the limit the score is held against."""
        return {
            "score": self.score,
            "limit": WEAK_LIKENESS,
            "cohort": self.cohort,
            "cohort_mean": self.cohort_mean,
            "cohort_max": self.cohort_max,
            "weak": self.warning is not None,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Likeness:
        """The inverse of :meth:`to_json`."""
        return cls(value["score"], value["cohort"], value["cohort_mean"], value["cohort_max"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """One voice of one tenant, as every dialect renders it."""

    id: str
    """Public and stable: ``voice_…``."""
    tenant_id: str
    name: str
    origin: VoiceOrigin
    state: VoiceState
    language: str
    """BCP-47."""
    engine: str
    """Name of the engine that speaks it."""
    engine_version: str
    """Version of the engine that enrolled it; empty until enrolled."""
    created_at: datetime
    """UTC."""
    updated_at: datetime | None = None
    gender: str | None = None
    description: str | None = None
    accent: str | None = None
    tags: tuple[str, ...] = ()
    provider: str | None = None
    """Whom the caller asked for, echoed by dialects that must; never who speaks."""
    agent_id: str | None = None
    """The one agent it belongs to, where a dialect scopes voices by agent."""
    reason: Reason | None = None
    """Why it is REJECTED or ERROR."""
    likeness: Likeness | None = None
    """None until it is READY, where its engine speaks elsewhere, and where too little was voiced to tell."""
    report_id: str | None = None
    consent_id: str | None = None

    def moved(self, state: VoiceState, *, at: datetime, reason: Reason | None = None) -> Voice:
        """
        This voice in its next state.

        Raises:
            Conflict: The step is not in :data:`TRANSITIONS`.
        """
        return replace(self, state=self.state.becomes(state), updated_at=at, reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class StockVoice:
    """A voice that ships with an engine."""

    voice_id: str
    """Short and plain, e.g. ``ada``; the same in every tenant."""
    name: str
    gender: str
    language: str
    """BCP-47."""
    description: str
    conditioning: Conditioning
