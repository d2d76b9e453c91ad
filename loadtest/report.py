"""The table a person reads, the JSON a program reads, and the chart."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from loadtest.figures import Row
from loadtest.ramp import capacity

HEAD = (
    f"{'server':<14}{'transport':<17}{'calls':>6}{'up':>6}{'refused':>9}{'gap/min':>10}{'worst':>9}"
    f"{'late p50':>10}{'p99':>8}{'p99.9':>8}{'answer':>9}{'turn gap':>10}{'CPU':>7}{'ms/call-s':>11}"
    f"{'RSS MB':>8}{'caller':>8}"
)


def line(row: Row) -> str:
    """One row of the table; milliseconds where nothing else is said."""
    gap = f"{row.gap_p50_ms:.0f}" if row.gap_p50_ms is not None else "-"
    return (
        f"{row.server:<14}{row.transport:<17}{row.calls:>6}{row.up:>6}{row.refused:>9}{row.silence_ms_per_minute:>10.2f}{row.worst_gap_ms:>9.1f}"
        f"{row.late_p50_ms:>10.2f}{row.late_p99_ms:>8.1f}{row.late_p999_ms:>8.1f}{row.answer_p50_ms:>9.0f}"
        f"{gap:>10}{row.server_cpu_percent:>6.0f}%{row.cpu_ms_per_call_second:>11.2f}{row.rss_mb:>8.0f}"
        f"{row.caller_cpu_percent:>7.0f}%"
    )


def verdict(rows: Sequence[Row]) -> str:
    """How many calls this machine holds, and what ended it."""
    held = capacity(rows)
    last = rows[-1]
    if last.held:
        return f"{last.series}: {held} calls held without a gap; the ramp ended before anything broke"
    reason = f" ({last.refused_for})" if last.refused else ""
    limit = (
        f"{last.calls} did not: {last.up} up, {last.refused} refused{reason}, {last.dropped} dropped, "
        f"{last.silence_ms_per_minute:.1f} ms of silence a minute"
    )
    callers = "; the callers were the bottleneck" if last.caller_late_ms > 40 else ""
    return f"{last.series}: {held} calls held without a gap, {limit}{callers}"


def machine() -> dict[str, object]:
    """What the figures were measured on."""
    model = platform.processor()
    try:
        for entry in Path("/proc/cpuinfo").read_text().splitlines():
            if entry.startswith("model name"):
                model = entry.partition(":")[2].strip()
                break
    except OSError:
        pass
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "date": time.strftime("%Y-%m-%d"),
    }


def write_json(path: Path, rows: Sequence[Row], *, command: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {"machine": machine(), "command": command, "rows": [row.as_json() for row in rows]}
    path.write_text(json.dumps(document, indent=1) + "\n")


def write_table(path: Path, rows: Sequence[Row]) -> None:
    """The rows in Markdown, for a page that people read."""
    head = ("by", "calls", "up", "silence ms/min", "late p99 ms", "CPU ms per call-second", "callers' CPU")
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for row in rows:
        cells = (
            row.series,
            row.calls,
            row.up,
            f"{row.silence_ms_per_minute:.2f}",
            f"{row.late_p99_ms:.1f}",
            f"{row.cpu_ms_per_call_second:.2f}",
            f"{row.caller_cpu_percent:.0f} %",
        )
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    path.write_text("\n".join(lines) + "\n")


@dataclass(frozen=True, slots=True)
class Panel:
    """One drawing of the chart."""

    title: str
    lines: Mapping[str, Callable[[Row], float]]
    """What is drawn of a row, by what tells one line of a server from another; the main one first."""
    scale: str = "linear"


PANELS = (
    Panel("Inserted silence, ms per minute", {"": lambda row: row.silence_ms_per_minute}, "symlog"),
    Panel(
        "Lateness against the grid, ms",
        {
            "p99.9": lambda row: row.late_p999_ms,
            "p99": lambda row: row.late_p99_ms,
            "p50": lambda row: row.late_p50_ms,
        },
        "symlog",
    ),
    Panel(
        "Response gap p50, else first audio, ms",
        {"": lambda row: row.answer_p50_ms if row.gap_p50_ms is None else row.gap_p50_ms},
    ),
    Panel("Server CPU, % of a core", {"": lambda row: row.server_cpu_percent}),
    Panel("Server CPU per call, ms per second", {"": lambda row: row.cpu_ms_per_call_second}),
    Panel("Server memory, MB", {"": lambda row: row.rss_mb}),
)

STYLES = ("-", "--", ":")
COLOURS = tuple(f"C{n}" for n in range(10))


def write_chart(path: Path, rows: Sequence[Row]) -> None:
    """Calls across, quality and cost up, one line a server. Needs matplotlib."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(2, 3, figsize=(13, 7), layout="constrained")
    for axis, panel in zip(axes.flat, PANELS, strict=True):
        for series, colour in zip(dict.fromkeys(row.series for row in rows), cycle(COLOURS)):
            mine = [row for row in rows if row.series == series]
            for (share, value), style in zip(panel.lines.items(), STYLES, strict=False):
                label = " ".join(filter(None, (series, share)))
                values = [value(row) for row in mine]
                calls = [row.calls for row in mine]
                axis.plot(calls, values, marker="o", linestyle=style, color=colour, label=label)
        axis.set(title=panel.title, xlabel="concurrent calls", yscale=panel.scale)
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
    axes.flat[1].legend(fontsize="small")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)
