"""The report as one picture that a person understands at a glance."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from runtime.media.container import Recording
from tts.voices.gate.channels import choose_channel
from tts.voices.gate.report import GateReport
from tts.voices.gate.sound import HOP_SECONDS, Sound
from tts.voices.voice import Likeness, Reason, Span

_WIDTH = 1_200
_MARGIN = 24
_PLOT = (84, 146, _WIDTH - _MARGIN, 466)
"""Left, top, right, bottom of the spectrogram, in pixels."""
_LANE = 16
"""Height of each lane under the spectrogram."""
_GAP = 6
_DYNAMIC_DB = 75.0
"""From white down to black."""

_PAPER, _INK, _FAINT = (250, 250, 248), (28, 30, 34), (120, 124, 132)
_GREEN, _SLATE, _AMBER, _RED, _MAGENTA, _CYAN = (
    (34, 139, 84),
    (150, 160, 176),
    (204, 132, 20),
    (196, 48, 43),
    (196, 52, 168),
    (64, 224, 255),
)
_HEAT = np.array(
    [(6, 6, 20), (52, 16, 98), (142, 36, 110), (224, 88, 58), (252, 176, 60), (255, 250, 214)], np.float64
)
"""Silence to loud; dark enough below that the dashed lines stand out."""

_LANES = (
    ("speech", _GREEN, frozenset({"speech"})),
    ("silence", _SLATE, frozenset({"rest"})),
    ("too long", _AMBER, frozenset({"longest_silence_s", "longest_pause_s", "speech_ratio"})),
    ("2nd voice", _MAGENTA, frozenset({"second_speaker_s", "overlap_s"})),
    ("damage", _RED, frozenset({"clipping_ratio", "lost_s"})),
)
"""What is marked in time: label, colour, and the metrics whose spans belong there."""


def draw_report(report: GateReport, recording: Recording | None, likeness: Likeness | None = None) -> bytes:
    """
    A PNG, 1200 pixels wide and as high as its words need.

    Args:
        report: What the gate said.
        recording: The recording it is about; None where it could not be opened.
        likeness: Of the voice that was made of it, once there is one.
    """
    lines = [*_words(report), *_likeness(likeness)]
    below = _PLOT[3] + 40 + len(_LANES) * (_LANE + _GAP) + 18 if recording is not None else 124
    image = Image.new("RGB", (_WIDTH, below + 26 * len(lines) + _MARGIN), _PAPER)
    canvas = ImageDraw.Draw(image)
    _heading(canvas, report)
    if recording is not None:
        _plot(image, canvas, report, recording)
    for row, (text, colour, size) in enumerate(lines):
        canvas.text((_MARGIN, below + 26 * row), text, colour, font=_font(size))
    out = io.BytesIO()
    image.save(out, "PNG", optimize=False)
    return out.getvalue()


def _heading(canvas: ImageDraw.ImageDraw, report: GateReport) -> None:
    good = report.accepted
    colour = _RED if not good else _AMBER if report.warnings else _GREEN
    canvas.rectangle((0, 0, _WIDTH, 72), fill=colour)
    verdict = "ACCEPTED" if good else "REJECTED"
    if named := [reason.code.replace("_", " ") for reason in report.reasons[:2]]:
        verdict += ": " + ", ".join(named)
    count = len(report.warnings)
    if good and count:
        verdict += f" with {count} warning{'s' if count > 1 else ''}"
    canvas.text((_MARGIN, 18), verdict, "white", font=_font(32))
    about = f"{report.profile} profile, gate {report.gate_version}, clip {report.clip_sha256[:12]}"
    canvas.text((_WIDTH - _MARGIN, 28), about, "white", font=_font(16), anchor="ra")
    canvas.text((_MARGIN, 86), _figures(report), _FAINT, font=_font(17))


def _figures(report: GateReport) -> str:
    """The handful of numbers a person asks for first."""
    parts = []
    for name, text in (
        ("duration_s", "{:.1f} s"),
        ("speech_s", "{:.1f} s of speech"),
        ("sample_rate_hz", "{:.0f} Hz file"),
        ("effective_bandwidth_hz", "voice up to {:.0f} Hz"),
        ("snr_db", "{:.0f} dB above noise"),
        ("integrated_loudness_lufs", "{:.0f} LUFS"),
        ("f0_median_hz", "pitch {:.0f} Hz"),
    ):
        metric = report.metrics.get(name)
        if metric is not None and isinstance(metric.value, (int, float)):
            parts.append(text.format(metric.value))
    return "   ·   ".join(parts)


def _words(report: GateReport) -> Iterator[tuple[str, tuple[int, int, int], int]]:
    """Each reason and warning with what to do about it, wrapped, as (text, colour, size)."""
    for word, colour, group in (("rejected", _RED, report.reasons), ("warning", _AMBER, report.warnings)):
        for reason in group:
            head = f"{word}: {reason.message}{_when(reason)}"
            for line in textwrap.wrap(head, 108):
                yield line, colour, 19
            for line in textwrap.wrap(f"What to do: {reason.fix}.", 120):
                yield f"      {line}", _INK, 17
    if report.accepted and not report.warnings:
        yield "Nothing to complain about: one voice, full band, clean and even.", _GREEN, 19


def _likeness(likeness: Likeness | None) -> Iterator[tuple[str, tuple[int, int, int], int]]:
    if likeness is None:
        return
    said = f"Likeness of the new voice: {likeness.score:.2f} (1 is the same)"
    if likeness.cohort_mean is not None:
        said += f"; stock voices {likeness.cohort_mean:.2f} on average, {likeness.cohort_max:.2f} at most"
    weak = likeness.warning
    yield said, _GREEN if weak is None else _AMBER, 19
    if weak is not None:
        yield f"      What to do: {weak.fix}.", _INK, 17


def _when(reason: Reason) -> str:
    if not reason.spans:
        return ""
    digits = 1 if all(end - start >= 0.3 for start, end in reason.spans) else 2
    shown = ", ".join(f"{start:.{digits}f}-{end:.{digits}f} s" for start, end in reason.spans[:4])
    return f" ({shown}{' …' if len(reason.spans) > 4 else ''})"


def _plot(image: Image.Image, canvas: ImageDraw.ImageDraw, report: GateReport, recording: Recording) -> None:
    left, top, right, bottom = _PLOT
    mono, _ = choose_channel(recording)
    sound = Sound(mono, recording.rate)
    image.paste(_heat(sound, right - left, bottom - top), (left, top))
    canvas.rectangle((left, top, right, bottom), outline=_INK)
    _frequency_axis(canvas, recording.rate / 2)
    _time_axis(canvas, sound.seconds)
    _cut_off(canvas, report, recording.rate / 2)
    if report.window is not None:
        label = f"the part that {'becomes' if report.accepted else 'would become'} the voice"
        _bracket(canvas, (report.window.start, report.window.end), sound.seconds, label)
    marked = {
        metric: reason.spans for reason in (*report.reasons, *report.warnings) if (metric := reason.metric)
    }
    marked["speech"], marked["rest"] = report.speech, _rests(report.speech, sound.seconds)
    for lane, (label, colour, metrics) in enumerate(_LANES):
        y = bottom + 34 + lane * (_LANE + _GAP)
        canvas.text((left - 8, y + _LANE // 2), label, _FAINT, font=_font(14), anchor="rm")
        canvas.rectangle((left, y, right, y + _LANE), fill=(232, 232, 228))
        for metric in metrics & marked.keys():
            for start, end in marked[metric]:
                x0, x1 = _x(start, sound.seconds), _x(end, sound.seconds)
                canvas.rectangle((x0, y, max(x1, x0 + 2), y + _LANE), fill=colour)


def _rests(speech: tuple[Span, ...], seconds: float) -> tuple[Span, ...]:
    """What lies between the stretches of speech."""
    edges = [0.0, *(edge for stretch in speech for edge in stretch), seconds]
    return tuple((start, end) for start, end in zip(edges[::2], edges[1::2], strict=True) if end > start)


def _heat(sound: Sound, width: int, height: int) -> Image.Image:
    """The spectrogram as pixels: the loudest cell under each, over 75 dB."""
    power = sound.spectrogram
    columns = np.linspace(0, len(power), width + 1).astype(int)[:-1]
    pooled = np.maximum.reduceat(power, np.minimum(columns, len(power) - 1), axis=0)
    bins = pooled.shape[1]
    rows = np.clip((np.arange(height) + 0.5) / height * bins, 0, bins - 1).astype(int)
    level = 10 * np.log10(pooled[:, rows[::-1]].T + 1e-16)
    shade = np.clip((level - level.max()) / _DYNAMIC_DB + 1, 0, 1)
    return Image.fromarray(_coloured(shade), "RGB")


def _coloured(shade: NDArray[np.float64]) -> NDArray[np.uint8]:
    place = np.asarray(shade, np.float64) * (len(_HEAT) - 1)
    step = np.minimum(place.astype(int), len(_HEAT) - 2)
    mix = (place - step)[..., None]
    return np.asarray(_HEAT[step] * (1 - mix) + _HEAT[step + 1] * mix, np.uint8)


def _frequency_axis(canvas: ImageDraw.ImageDraw, nyquist: float) -> None:
    left, top, _, bottom = _PLOT
    step = 4_000 if nyquist > 9_000 else 1_000
    for hz in range(0, int(nyquist) + 1, step):
        y = bottom - (bottom - top) * hz / nyquist
        canvas.line((left - 5, y, left, y), fill=_INK)
        canvas.text((left - 9, y), f"{hz // 1000} kHz", _INK, font=_font(14), anchor="rm")


def _time_axis(canvas: ImageDraw.ImageDraw, seconds: float) -> None:
    _, _, _, bottom = _PLOT
    step = next(step for step in (0.5, 1, 2, 5, 10, 30, 60, 600) if seconds / step <= 16)
    for tick in np.arange(0, seconds + HOP_SECONDS, step):
        x = _x(float(tick), seconds)
        canvas.line((x, bottom, x, bottom + 5), fill=_INK)
        canvas.text((x, bottom + 8), f"{tick:g} s", _INK, font=_font(14), anchor="ma")


def _cut_off(canvas: ImageDraw.ImageDraw, report: GateReport, nyquist: float) -> None:
    """Where the voice ends, and where it would have to end at the least."""
    metric = report.metrics.get("effective_bandwidth_hz")
    if metric is None or not isinstance(metric.value, (int, float)):
        return
    _level_line(
        canvas, float(metric.value), nyquist, _CYAN, f"the voice ends at {metric.value / 1000:.1f} kHz", "ra"
    )
    if metric.minimum is not None and metric.minimum < nyquist and not metric.passed:
        needed = f"needed: {metric.minimum / 1000:.1f} kHz"
        _level_line(canvas, metric.minimum, nyquist, (255, 255, 255), needed, "la")


def _level_line(
    canvas: ImageDraw.ImageDraw,
    hz: float,
    nyquist: float,
    colour: tuple[int, int, int],
    label: str,
    anchor: str,
) -> None:
    left, top, right, bottom = _PLOT
    y = max(top + 1, bottom - (bottom - top) * hz / nyquist)
    for x in range(left, right, 14):
        canvas.line((x, y, min(x + 8, right), y), fill=colour, width=2)
    x = right - 8 if anchor == "ra" else left + 8
    # The voice's own label goes under its line, the limit's over it: the two lines are often close.
    below = y - 24 if (anchor == "la" and y > top + 24) or y > bottom - 24 else y + 5
    box = canvas.textbbox((x, below), label, font=_font(15), anchor=anchor)
    canvas.rectangle((box[0] - 4, box[1] - 2, box[2] + 4, box[3] + 2), fill=(0, 0, 0))
    canvas.text((x, below), label, colour, font=_font(15), anchor=anchor)


def _bracket(canvas: ImageDraw.ImageDraw, part: Span, seconds: float, label: str) -> None:
    """A stretch of time named above the plot."""
    _, top, _, _ = _PLOT
    x0, x1 = _x(part[0], seconds), _x(part[1], seconds)
    canvas.line((x0, top - 8, x1, top - 8), fill=_INK, width=2)
    canvas.text(((x0 + x1) / 2, top - 12), label, _FAINT, font=_font(13), anchor="mb")
    for x in (x0, x1):
        canvas.line((x, top - 12, x, top - 3), fill=_INK, width=2)


def _x(second: float, seconds: float) -> float:
    left, _, right, _ = _PLOT
    return left + (right - left) * min(1.0, second / max(seconds, HOP_SECONDS))


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
