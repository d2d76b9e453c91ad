"""What the terminal shows: results on stdout, everything about them on stderr."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console
from rich.table import Table

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False)


def fail(message: str, *, fix: str | None = None) -> None:
    """Say what went wrong and what would mend it."""
    err.print(f"[bold red]error:[/] {message}", markup=True)
    if fix:
        err.print(f"[bold]fix:[/]   {fix}")


def emit_json(value: Any) -> None:
    """One JSON document on stdout, for programs."""
    out.out(json.dumps(value, indent=2, ensure_ascii=False))


def table(rows: list[dict[str, Any]], columns: dict[str, str]) -> None:
    """Rows of an API list; ``columns`` maps field to heading."""
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for heading in columns.values():
        grid.add_column(heading)
    for row in rows:
        grid.add_row(*(("" if row.get(field) is None else str(row[field])) for field in columns))
    out.print(grid)


def report_lines(report: dict[str, Any]) -> list[str]:
    """A gate report for people: the verdict, each reason with its fix, then the measured figures."""
    verdict = report["verdict"]
    colour = {"accepted": "green", "rejected": "red"}.get(verdict, "yellow")
    lines = [f"[bold {colour}]{verdict}[/]  (gate {report['gate_version']}, profile {report['profile']})"]
    for kind, mark in (("reasons", "[red]✗[/]"), ("warnings", "[yellow]![/]")):
        for reason in report[kind]:
            lines.append(f"  {mark} {reason['message']}")
            if reason.get("fix"):
                lines.append(f"      {reason['fix']}")
    for name, metric in report["metrics"].items():
        value = metric.get("value") if isinstance(metric, dict) else metric
        if value is None:
            continue
        shown = f"{value:g}" if isinstance(value, float) else str(value)
        unit = metric.get("unit") or "" if isinstance(metric, dict) else ""
        passed = metric.get("pass") if isinstance(metric, dict) else None
        mark = {True: "[green]✓[/]", False: "[red]✗[/]", None: " "}[passed]
        lines.append(f"  {mark} {name:<26} {shown} {unit}".rstrip())
    return lines
