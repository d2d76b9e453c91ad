"""What the quality gate says of a recording, as every dialect writes it."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, with_config
from typing_extensions import TypedDict


@with_config(ConfigDict(extra="allow"))
class ReasonJson(TypedDict):
    """Why a recording was refused, or is not at its best: :meth:`tts.voices.voice.Reason.to_json`."""

    code: str
    message: str
    fix: str | None
    metric: str | None
    value: float | None
    limit: float | None
    unit: str | None
    severity: str
    spans: list[list[float]]
    """Where in the recording, ``[begin, end]`` in seconds."""


class LikenessJson(TypedDict):
    """How much a voice sounds like its recording: :meth:`tts.voices.voice.Likeness.to_json`."""

    score: float
    limit: float
    cohort: int
    cohort_mean: float | None
    cohort_max: float | None
    weak: bool


@with_config(ConfigDict(extra="allow"))
class ReportJson(TypedDict):
    """:meth:`tts.voices.gate.GateReport.to_json`."""

    object: str
    gate_version: str
    profile: str
    clip_sha256: str
    verdict: str
    reasons: list[ReasonJson]
    warnings: list[ReasonJson]
    metrics: dict[str, dict[str, Any]]
    window: dict[str, Any] | None
    """The part that becomes the voice: ``file``, ``start_s``, ``end_s``."""
