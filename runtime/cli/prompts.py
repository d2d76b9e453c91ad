"""``vivavoce prompts``: files for a telephone system, rendered from a sheet."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from runtime.cli.client import ApiError, Client
from runtime.cli.output import emit_json, err, fail, table
from runtime.cli.prompt_sheet import PromptSheet, SheetError, SheetPrompt, read_sheet
from runtime.cli.voices import Json, Key, Url
from runtime.media.prompt import PROMPT_FORMATS

DEFAULT_FORMAT = "ulaw8k"

MANIFEST = "manifest.json"
"""In the folder of the prompts: what each file is, and what it was made of."""

app = typer.Typer(help="Files for a telephone system.", no_args_is_help=True)


@app.callback()
def prompts() -> None:
    """Files for a telephone system."""


@app.command("render")
def render(
    sheet_file: Annotated[
        Path, typer.Argument(metavar="PROMPTS.YAML", help="Names and texts.", exists=True, dir_okay=False)
    ],
    voice: Annotated[str | None, typer.Option(help="A clone or a stock voice.")] = None,
    format: Annotated[str | None, typer.Option(help=f"{', '.join(PROMPT_FORMATS)}.")] = None,
    out: Annotated[Path, typer.Option(help="Where the files go.", file_okay=False)] = Path("prompts"),
    level: Annotated[float | None, typer.Option(help="Active speech level in dBov, ITU-T P.56.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Render also what has not changed.")] = False,
    url: Url = None,
    key: Key = None,
    json_output: Json = False,
) -> None:
    """Say every prompt of a sheet, into a file each. What has not changed since then is left alone."""
    try:
        sheet = read_sheet(sheet_file.read_text(encoding="utf-8"))
    except (SheetError, UnicodeDecodeError) as error:
        fail(f"{sheet_file} cannot be read:\n{error}")
        raise typer.Exit(2) from None
    orders = _orders(sheet, voice=voice, format=format, level=level)
    kept = {} if again else _manifest(out)
    client = Client(url, key)
    entries: list[dict[str, Any]] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task("prompts", total=len(orders))
        for order in orders:
            progress.update(task, description=order.prompt.name)
            entry = _unchanged(out, kept.get(order.prompt.name), order) or _rendered(client, out, order)
            entries.append(entry)
            progress.advance(task)
            _keep(out, entries)
    _report(entries, out, json_output=json_output)
    if any("error" in entry for entry in entries):
        raise typer.Exit(1)


@dataclass(frozen=True, slots=True)
class Order:
    """One prompt, with everything it is made of."""

    prompt: SheetPrompt
    body: dict[str, Any]

    @property
    def fingerprint(self) -> str:
        """Equal for what would sound alike."""
        return hashlib.sha256(json.dumps(self.body, sort_keys=True).encode()).hexdigest()


def _orders(sheet: PromptSheet, *, voice: str | None, format: str | None, level: float | None) -> list[Order]:
    orders = []
    for prompt in sheet.prompts:
        told = {
            "voice": prompt.voice or voice or sheet.voice,
            "speed": prompt.speed or sheet.speed,
            "level_dbov": level if level is not None else sheet.level_dbov,
        }
        body: dict[str, Any] = {name: value for name, value in told.items() if value is not None}
        body["format"] = format or sheet.format or DEFAULT_FORMAT
        body["prompts"] = [{"name": prompt.name, "text": prompt.text}]
        orders.append(Order(prompt, body))
    return orders


def _manifest(out: Path) -> dict[str, dict[str, Any]]:
    """What is there from the last time, by name; nothing where that cannot be known."""
    try:
        entries = json.loads((out / MANIFEST).read_text(encoding="utf-8"))["prompts"]
        return {entry["name"]: entry for entry in entries}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _unchanged(out: Path, entry: dict[str, Any] | None, order: Order) -> dict[str, Any] | None:
    if entry is None or entry.get("made_of") != order.fingerprint or "file" not in entry:
        return None
    file = out / entry["file"]
    if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != entry.get("sha256"):
        return None
    return {**entry, "status": "unchanged"}


def _rendered(client: Client, out: Path, order: Order) -> dict[str, Any]:
    name = order.prompt.name
    try:
        answer = client.request("POST", "/v1/prompts", json=order.body)
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            (entry,) = json.loads(archive.read(MANIFEST))["prompts"]
            if "error" not in entry:
                file = out / f"{name}{Path(entry['file']).suffix}"
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(archive.read(entry["file"]))
    except ApiError as error:
        if error.status in (401, 402, 403):
            raise
        entry = {"name": name, "error": {"message": str(error), "fix": error.fix}}
    status = "failed" if "error" in entry else "rendered"
    return {**entry, "line": order.prompt.line, "made_of": order.fingerprint, "status": status}


def _keep(out: Path, entries: list[dict[str, Any]]) -> None:
    """Written after every prompt: what is done stays done."""
    out.mkdir(parents=True, exist_ok=True)
    manifest = json.dumps({"prompts": entries}, indent=2, ensure_ascii=False)
    (out / MANIFEST).write_text(manifest + "\n", encoding="utf-8")


def _report(entries: list[dict[str, Any]], out: Path, *, json_output: bool) -> None:
    if json_output:
        emit_json({"prompts": entries})
    else:
        columns = {"status": "STATUS", "file": "FILE", "seconds": "SECONDS", "level_dbov": "DBOV"}
        table([entry for entry in entries if "error" not in entry], columns)
    for entry in entries:
        if "error" in entry:
            fail(
                f"line {entry['line']}, {entry['name']}: {entry['error']['message']}",
                fix=entry["error"]["fix"],
            )
    counted = {
        status: sum(entry["status"] == status for entry in entries) for status in ("rendered", "unchanged")
    }
    err.print(f"{out}: {counted['rendered']} rendered, {counted['unchanged']} unchanged", soft_wrap=True)
