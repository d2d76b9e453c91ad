"""The verdict: which measurements are held against which limits, and in what order they are told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from runtime.errors import EnrolmentError
from runtime.media.container import Recording
from tts.provenance.watermark import DEFAULT_KEY
from tts.voices.gate.channels import Channels, choose_channel
from tts.voices.gate.limits import GATE_VERSION, LIMITS, STRICT, UNDECODABLE_FIX, Limit, Profile
from tts.voices.gate.measurements import Measurements, measure
from tts.voices.gate.report import GateReport, Metric, Window
from tts.voices.gate.sound import Sound
from tts.voices.gate.window import candidate_windows, speech_window
from tts.voices.voice import Reason, Severity, Span

_LISTENED_SECONDS = 40.0
"""Of a recording that is far too long, only so much is measured: the verdict is known, and so is the cost."""


class Gate:
    """
    Judges recordings. Pure: the same bytes give the same report.

    Args:
        profile: ``strict`` holds one file to 6-15 s and full band; ``best_window`` takes several files of
            any length and chooses the best 6-15 s of one speaker in them.
        keys: Whose watermarks betray a recording that was synthesised here.
    """

    def __init__(self, profile: Profile = STRICT, *, keys: Sequence[bytes] = (DEFAULT_KEY,)) -> None:
        self.profile = profile
        self._keys = tuple(keys)

    def judge(self, *recordings: Recording) -> GateReport:
        """
        Measure, compare, and answer with everything that is wrong at once.

        Raises:
            ValueError: No recording, or more than one under ``strict``.
        """
        if not recordings or (self.profile == STRICT and len(recordings) > 1):
            raise ValueError(f"the {self.profile} profile cannot judge {len(recordings)} recordings")
        reports = [
            report for file, recording in enumerate(recordings) for report in self._reports(recording, file)
        ]
        return min(reports, key=_shortcoming)

    def refuse(self, error: EnrolmentError, *, sha256: str) -> GateReport:
        """The report on an upload that could not even be opened."""
        reason = Reason(code=error.code, message=error.message, fix=error.fix or UNDECODABLE_FIX)
        return GateReport(
            gate_version=GATE_VERSION,
            profile=self.profile,
            clip_sha256=sha256,
            verdict="rejected",
            reasons=(reason,),
            warnings=(),
        )

    def _reports(self, recording: Recording, file: int) -> Iterable[GateReport]:
        """One report for each part of the recording that might become the voice."""
        mono, channels = choose_channel(recording)
        sound = Sound(mono, recording.rate)
        if self.profile == STRICT:
            sound = Sound(mono[: round(_LISTENED_SECONDS * recording.rate)], recording.rate)
            found = measure(sound, recording, channels, whole=True, keys=self._keys)
            yield self._report(recording, file, channels, found, part=speech_window(sound), since=0.0)
            return
        for start, end in candidate_windows(sound):
            cut = Sound(mono[round(start * recording.rate) : round(end * recording.rate)], recording.rate)
            found = measure(cut, recording, channels, whole=False, keys=self._keys)
            yield self._report(recording, file, channels, found, part=(start, end), since=start)

    def _report(
        self,
        recording: Recording,
        file: int,
        channels: Channels,
        found: Measurements,
        *,
        part: Span,
        since: float,
    ) -> GateReport:
        reasons, warnings = self._compare(found, since)
        return GateReport(
            gate_version=GATE_VERSION,
            profile=self.profile,
            clip_sha256=recording.sha256,
            verdict="rejected" if reasons else "accepted",
            reasons=reasons,
            warnings=warnings,
            metrics=self._metrics(found.values),
            window=Window(file, round(part[0], 3), round(part[1], 3), channels.chosen),
            speech=_later(found.speech, since),
        )

    def _compare(self, found: Measurements, since: float) -> tuple[tuple[Reason, ...], tuple[Reason, ...]]:
        """Every limit that is broken, in the order of the table, each code once."""
        reasons: dict[str, Reason] = {}
        warnings: dict[str, Reason] = {}
        for limit in LIMITS:
            value = found.values.get(limit.metric)
            if not isinstance(value, (int, float)):
                continue
            if limit.breaks(value, rejects := limit.rejects_at(self.profile)):
                reasons.setdefault(limit.code, _reason(limit, value, rejects, found, since, severity="error"))
            elif limit.breaks(value, warns := limit.warns_at(self.profile)):
                code = limit.warn_code or limit.code
                warnings.setdefault(code, _reason(limit, value, warns, found, since, severity="warning"))
        if found.masked and reasons.keys() & {"too_noisy", "music_detected"}:
            # What the noise hides is not known to be missing: the noise is the reason.
            reasons.pop("insufficient_bandwidth", None)
        return tuple(reasons.values()), tuple(w for code, w in warnings.items() if code not in reasons)

    def _metrics(self, values: Mapping[str, float | int | str | None]) -> Mapping[str, Metric]:
        """All measurements, each beside the limits that decide."""
        metrics = {}
        for name, value in values.items():
            minimum = maximum = None
            passed = True
            for limit in LIMITS:
                rejects = limit.rejects_at(self.profile)
                if limit.metric != name or rejects is None:
                    continue
                if limit.side == "at_least":
                    minimum = rejects
                else:
                    maximum = rejects
                if isinstance(value, (int, float)):
                    passed = passed and not limit.breaks(value, rejects)
            metrics[name] = Metric(value, minimum=minimum, maximum=maximum, passed=passed)
        return metrics


def _shortcoming(report: GateReport) -> tuple[int, int, int, float]:
    """Least is best: accepted before rejected, then few reasons, few warnings, much speech."""
    spoken = report.metrics["speech_s"].value
    return (
        0 if report.accepted else 1,
        len(report.reasons),
        len(report.warnings),
        -float(spoken) if isinstance(spoken, (int, float)) else 0.0,
    )


def _reason(
    limit: Limit,
    value: float,
    allowed: float | None,
    found: Measurements,
    since: float,
    *,
    severity: Severity,
) -> Reason:
    said = limit.message if severity == "error" else limit.warn_message or limit.message
    message = said.format(value=value, limit=allowed, unit=limit.unit)
    if remark := found.remarks.get(limit.metric):
        message = f"{message}; {remark}"
    return Reason(
        code=limit.code if severity == "error" else limit.warn_code or limit.code,
        message=message,
        fix=limit.fix,
        metric=limit.metric,
        value=value,
        limit=allowed,
        unit=limit.unit or None,
        severity=severity,
        spans=_later(found.spans.get(limit.metric, ()), since),
    )


def _later(spans: tuple[Span, ...], seconds: float) -> tuple[Span, ...]:
    """Times within a window as times within its file."""
    return tuple((round(start + seconds, 3), round(end + seconds, 3)) for start, end in spans)
