"""``pyai voice clones create|get|list|delete`` and ``pyai speech``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import httpx
import typer

from pyai.client import PyAI, PyAIError, Voice

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
voice = typer.Typer(no_args_is_help=True, help="Voices.")
clones = typer.Typer(no_args_is_help=True, help="Your cloned voices.")
voice.add_typer(clones, name="clones")
app.add_typer(voice, name="voice")

Json = Annotated[bool, typer.Option("--json", help="Print the server's JSON.")]


@clones.command()
def create(
    name: Annotated[str, typer.Option()],
    file: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="6 to 15 s of one person.")],
    wait: Annotated[bool, typer.Option("--wait", help="Return when it is ready or failed.")] = False,
    json: Json = False,
) -> None:
    """Clone a voice; prints its id and status."""
    with PyAI() as pyai, file.open("rb") as recording:
        made = pyai.voice.clones.create(name=name, file=recording)
        _show(pyai.voice.clones.wait(made.id) if wait else made, json=json)


@clones.command()
def get(id: str, json: Json = False) -> None:
    """One voice."""
    with PyAI() as pyai:
        _show(pyai.voice.clones.get(id), json=json)


@clones.command("list")
def list_(json: Json = False) -> None:
    """All voices, newest first."""
    with PyAI() as pyai:
        for one in pyai.voice.clones.list():
            _show(one, json=json, name=True)


@clones.command()
def delete(id: str) -> None:
    """Delete a voice with its recording."""
    with PyAI() as pyai:
        pyai.voice.clones.delete(id)


@app.command()
def speech(
    input: Annotated[str, typer.Argument(help="What to say.")],
    voice: Annotated[str | None, typer.Option()] = None,
    output: Annotated[Path, typer.Option("--output", "-o")] = Path("speech.wav"),
    response_format: Annotated[str | None, typer.Option("--format")] = None,
) -> None:
    """Say something in a voice, into a file."""
    with PyAI() as pyai:
        suffix = output.suffix.lstrip(".").lower() or "wav"
        output.write_bytes(
            pyai.audio.speech(input=input, voice=voice, response_format=response_format or suffix)
        )


def _show(one: Voice, *, json: bool, name: bool = False) -> None:
    if json:
        typer.echo(_dumped(one))
        return
    typer.echo(f"{one.id} ({one.status})" + (f"  {one.name}" if name else ""))
    if one.failure:
        typer.echo(f"{one.failure['message']}\n→ {one.failure['fix']}", err=True)


def _dumped(one: Voice) -> str:
    return json.dumps(dict(one.raw), ensure_ascii=False)


def main() -> None:
    """Run the command; what the server says becomes a sentence and an exit status."""
    try:
        app()
    except PyAIError as error:
        _fail(f"{error} ({error.status} {error.code})" + (f"\n→ {error.fix}" if error.fix else ""))
    except (ValueError, TimeoutError) as error:
        _fail(str(error))
    except httpx.TransportError as error:
        _fail(f"no server answers: {error}\n→ set PYAI_BASE_URL")


def _fail(message: str) -> NoReturn:
    typer.echo(message, err=True)
    sys.exit(1)
