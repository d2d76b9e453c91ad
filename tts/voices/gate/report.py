"""What the gate says: one value, the same for the same bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from tts.voices.voice import Reason, Span

Verdict: TypeAlias = Literal["accepted", "rejected"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One measurement beside what it was held against."""

    value: float | int | str | None
    """None where the recording gives nothing to measure it on."""
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    passed: bool = True

    def to_json(self) -> dict[str, Any]:
        body: dict[str, Any] = {"value": self.value}
        if self.unit:
            body["unit"] = self.unit
        if self.minimum is not None:
            body["min"] = self.minimum
        if self.maximum is not None:
            body["max"] = self.maximum
        body["pass"] = self.passed
        return body


@dataclass(frozen=True, slots=True)
class Window:
    """The part of the upload that becomes the voice."""

    file: int
    """Index among the files given."""
    start: float
    """Seconds into that file."""
    end: float
    channel: int | None = None
    """The one channel that carries the voice, or None for the mean of all."""


@dataclass(frozen=True, slots=True)
class GateReport:
    """
    The verdict on one upload.

    The same bytes under the same :attr:`gate_version` give an equal report.
    """

    gate_version: str
    profile: str
    clip_sha256: str
    """Of the file that was judged: the chosen one, where several were given."""
    verdict: Verdict
    reasons: tuple[Reason, ...]
    """Why it was rejected, most decisive first; empty when accepted."""
    warnings: tuple[Reason, ...]
    """What will be heard in the clone, though it is allowed."""
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    window: Window | None = None
    """None when nothing in the upload can be used."""
    speech: tuple[Span, ...] = ()
    """Seconds in the chosen file where somebody speaks."""

    @property
    def accepted(self) -> bool:
        return self.verdict == "accepted"

    def warned(self, *warnings: Reason) -> GateReport:
        """The same report with what is known beside the recording."""
        return replace(self, warnings=(*self.warnings, *warnings))

    def at_place(self, places: Sequence[int]) -> GateReport:
        """The same report when its recordings were files ``places`` of the upload, the others unreadable."""
        if self.window is None:
            return self
        return replace(self, window=replace(self.window, file=places[self.window.file]))

    def to_json(self) -> dict[str, Any]:
        """The machine-readable report, less what only the server knows (ids, times, plot address)."""
        return {
            "object": "voice.gate_report",
            "gate_version": self.gate_version,
            "profile": self.profile,
            "clip_sha256": self.clip_sha256,
            "verdict": self.verdict,
            "reasons": [reason.to_json() for reason in self.reasons],
            "warnings": [reason.to_json() for reason in self.warnings],
            "metrics": {name: metric.to_json() for name, metric in self.metrics.items()},
            "window": None
            if self.window is None
            else {"file": self.window.file, "start_s": self.window.start, "end_s": self.window.end},
        }
