"""``vivavoce voices`` and ``vivavoce speech``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from runtime.cli.client import Client
from runtime.cli.output import emit_json, err, fail, out, report_lines, table

Url = Annotated[str | None, typer.Option("--url", help="Server address (VIVAVOCE_URL).")]
Key = Annotated[str | None, typer.Option("--key", help="API key (VIVAVOCE_API_KEY).")]
Json = Annotated[bool, typer.Option("--json", help="Print the server's JSON.")]

app = typer.Typer(help="Clone, list, inspect and delete voices.", no_args_is_help=True)


@app.command("list")
def list_voices(url: Url = None, key: Key = None, json: Json = False) -> None:
    """Your clones, then the stock voices."""
    client = Client(url, key)
    clones = client.json("GET", "/v1/voice/clones")
    stock = client.json("GET", "/v1/voices")
    if json:
        emit_json({"clones": clones, "voices": stock})
        return
    rows = [{**voice, "kind": "clone"} for voice in clones["data"]]
    known = {row["id"] for row in rows}
    rows += [
        {**voice, "id": voice["voice_id"], "kind": "stock", "status": "ready"}
        for voice in stock["data"]
        if voice["voice_id"] not in known
    ]
    table(rows, {"id": "ID", "kind": "KIND", "name": "NAME", "status": "STATUS", "language": "LANGUAGE"})


@app.command("clone")
def clone_voice(
    file: Annotated[
        Path, typer.Argument(help="A 6-15 s recording of one person.", exists=True, dir_okay=False)
    ],
    name: Annotated[str, typer.Option(help="What the voice is called.")],
    wait: Annotated[bool, typer.Option(help="Wait until it is ready, and show the gate's report.")] = True,
    url: Url = None,
    key: Key = None,
    json: Json = False,
) -> None:
    """Make a voice of a recording."""
    client = Client(url, key)
    voice = make(client, name, file, wait=wait)
    if json:
        emit_json(voice)
    else:
        out.out(f"{voice['id']} ({voice['status']})")
    if wait and not json:
        for line in report_lines(client.json("GET", f"/v1/voice/clones/{voice['id']}/report")):
            err.print(line)
    if voice["status"] == "failed":
        raise typer.Exit(1)


@app.command("get")
def get_voice(voice_id: str, url: Url = None, key: Key = None) -> None:
    """One clone, as the server sees it."""
    emit_json(Client(url, key).json("GET", f"/v1/voice/clones/{voice_id}"))


@app.command("report")
def show_report(
    voice_id: str,
    picture: Annotated[Path | None, typer.Option(help="Also save the report's picture here (PNG).")] = None,
    url: Url = None,
    key: Key = None,
    json: Json = False,
) -> None:
    """What the quality gate measured in a clone's recording."""
    client = Client(url, key)
    report: dict[str, Any] = client.json("GET", f"/v1/voice/clones/{voice_id}/report")
    if json:
        emit_json(report)
    else:
        for line in report_lines(report):
            out.print(line)
    if picture:
        picture.write_bytes(client.request("GET", f"/v1/voice/clones/{voice_id}/report.png").content)
        err.print(f"picture: {picture}")


@app.command("check")
def check_recording(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    url: Url = None,
    key: Key = None,
    json: Json = False,
) -> None:
    """Judge a recording without storing it."""
    client = Client(url, key)
    with file.open("rb") as recording:
        report = client.json("POST", "/v1/voice/clones/check", files={"file": (file.name, recording)})
    if json:
        emit_json(report)
    else:
        for line in report_lines(report):
            out.print(line)
    if report["verdict"] == "rejected":
        raise typer.Exit(1)


@app.command("delete")
def delete_voice(voice_id: str, url: Url = None, key: Key = None) -> None:
    """Delete a clone. Calls that speak in it now keep it to their end."""
    Client(url, key).request("DELETE", f"/v1/voice/clones/{voice_id}")
    err.print(f"{voice_id} deleted")


def speech(
    text: Annotated[str, typer.Argument(help="What to say; - reads standard input.")],
    voice: Annotated[str | None, typer.Option(help="A clone or a stock voice.")] = None,
    file: Annotated[
        Path | None, typer.Option("--out", help="Where to write it; its suffix picks the format.")
    ] = None,
    response_format: Annotated[
        str | None, typer.Option("--format", help="wav, mp3, opus, flac, aac, pcm, g711_ulaw, g711_alaw.")
    ] = None,
    speed: Annotated[float, typer.Option(help="Pace, 0.25 to 4.")] = 1.0,
    url: Url = None,
    key: Key = None,
) -> None:
    """Say something in a voice, written as it is made."""
    if file is None and sys.stdout.isatty():
        fail("audio would go to the terminal", fix="name a file with --out, or pipe the output")
        raise typer.Exit(2)
    suffix = file.suffix.lstrip(".").lower() if file else ""
    body: dict[str, Any] = {
        "input": sys.stdin.read() if text == "-" else text,
        "response_format": response_format
        or {"ogg": "opus", "ulaw": "g711_ulaw", "": "wav"}.get(suffix, suffix),
        "speed": speed,
    }
    if voice:
        body["voice"] = voice
    chunks = Client(url, key).stream("/v1/audio/speech", body)
    first = next(chunks, b"")
    with file.open("wb") if file else sys.stdout.buffer as sink:
        sink.write(first)
        for chunk in chunks:
            sink.write(chunk)
    if file:
        err.print(f"{file} ({file.stat().st_size} bytes)")


def make(client: Client, name: str, file: Path, *, wait: bool) -> dict[str, Any]:
    """Upload a recording and, if asked, wait for the voice; bars on a terminal's standard error meanwhile."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        with progress.open(file, "rb", description=f"send {file.name}") as recording:
            voice = client.enrol(name, recording, filename=file.name)
        if wait:
            task = progress.add_task(f"{voice['id']}: {voice['status']}", total=None)
            voice = client.wait_for_voice(
                voice["id"],
                each=lambda seen: progress.update(task, description=f"{voice['id']}: {seen['status']}"),
            )
    return voice
