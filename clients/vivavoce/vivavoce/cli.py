"""``… voice clones create|get|list|delete|report`` and ``… speech``, for whichever client is run."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import httpx
import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from vivavoce.client import ApiError, Vivavoce
from vivavoce.voices import Voice

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
voice = typer.Typer(no_args_is_help=True, help="Voices.")
clones = typer.Typer(no_args_is_help=True, help="Your cloned voices.")
voice.add_typer(clones, name="clones")
app.add_typer(voice, name="voice")

Json = Annotated[bool, typer.Option("--json", help="Print the server's JSON.")]

err = Console(stderr=True, highlight=False)
"""Progress and reproaches; standard output is for results."""


@app.callback()
def connect(context: typer.Context) -> None:
    """Clone voices and speak in them."""
    context.obj = context.obj or Vivavoce


def client(context: typer.Context) -> Vivavoce:
    """The client the command was started as, connected."""
    kind: type[Vivavoce] = context.obj
    return kind()


@clones.command()
def create(
    context: typer.Context,
    name: Annotated[str, typer.Option()],
    file: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="6 to 15 s of one person.")],
    consent: Annotated[bool, typer.Option("--consent", help="The speaker gave explicit permission.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Return when it is ready or failed.")] = False,
    json: Json = False,
) -> None:
    """Clone a voice; prints its id and status."""
    with client(context) as api, progress() as bars:
        with bars.open(file, "rb", description=f"send {file.name}") as recording:
            made = api.voice.clones.create(name=name, file=recording, consent=consent)
        if wait:
            waiting = bars.add_task(made.id, total=None)
            made = api.voice.clones.wait(
                made.id, each=lambda seen: bars.update(waiting, description=f"{seen.id}: {seen.status}")
            )
    show(made, as_json=json)
    if made.status == "failed":
        raise typer.Exit(1)


@clones.command()
def get(context: typer.Context, id: str, json: Json = False) -> None:
    """One voice."""
    with client(context) as api:
        show(api.voice.clones.get(id), as_json=json)


@clones.command("list")
def list_(context: typer.Context, json: Json = False) -> None:
    """All voices, newest first; with --json one object a line."""
    with client(context) as api:
        for one in api.voice.clones.list():
            show(one, as_json=json, name=True)


@clones.command()
def report(context: typer.Context, id: str) -> None:
    """What the quality gate measured, as JSON."""
    with client(context) as api:
        typer.echo(json.dumps(api.voice.clones.report(id), indent=2, ensure_ascii=False))


@clones.command()
def delete(context: typer.Context, id: str) -> None:
    """Delete a voice with its recording."""
    with client(context) as api:
        api.voice.clones.delete(id)


@app.command()
def speech(
    context: typer.Context,
    input: Annotated[str, typer.Argument(help="What to say.")],
    voice: Annotated[str | None, typer.Option()] = None,
    output: Annotated[Path, typer.Option("--output", "-o")] = Path("speech.wav"),
    response_format: Annotated[str | None, typer.Option("--format")] = None,
) -> None:
    """Say something in a voice, into a file."""
    with client(context) as api, progress() as bars:
        bars.add_task(f"speak into {output}", total=None)
        suffix = output.suffix.lstrip(".").lower() or "wav"
        output.write_bytes(
            api.audio.speech(input=input, voice=voice, response_format=response_format or suffix)
        )


@contextmanager
def progress() -> Iterator[Progress]:
    """Bars on a terminal's standard error, and nothing where that is a file or a pipe."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(
        *columns, TimeElapsedColumn(), console=err, transient=True, disable=not err.is_terminal
    ) as bars:
        yield bars


def show(one: Voice, *, as_json: bool, name: bool = False) -> None:
    """``voice_… (pending)``, as the guide has it."""
    if as_json:
        typer.echo(json.dumps(dict(one.raw), ensure_ascii=False))
        return
    typer.echo(f"{one.id} ({one.status})" + (f"  {one.name}" if name else ""))
    if one.failure:
        typer.echo(f"{one.failure['message']}\n→ {one.failure['fix']}", err=True)


def run(kind: type[Vivavoce]) -> None:
    """Run the command as this client; what the server says becomes a sentence and an exit status."""
    try:
        app(obj=kind)
    except ApiError as error:
        _fail(f"{error} ({error.status} {error.code})" + (f"\n→ {error.fix}" if error.fix else ""))
    except (ValueError, TimeoutError) as error:
        _fail(str(error))
    except httpx.TransportError as error:
        _fail(f"no server answers: {error}\n→ set {kind.url_variable}")


def _fail(message: str) -> NoReturn:
    typer.echo(message, err=True)
    sys.exit(1)
