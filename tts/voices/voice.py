"""What a voice is, and why a recording could not become one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Severity: TypeAlias = Literal["error", "warning"]
Span: TypeAlias = tuple[float, float]
"""Seconds ``[start, end)`` in the recording as uploaded."""


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
    value: float | None = None
    limit: float | None = None
    unit: str | None = None
    severity: Severity = "error"
    spans: tuple[Span, ...] = ()
    """Where in the recording, when it is not everywhere."""
