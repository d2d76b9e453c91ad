"""``vivavoce voice clones …``: the commands of PyAI's guide, under our own name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from runtime.cli.client import Client
from runtime.cli.output import emit_json, err, out
from runtime.cli.voices import Json, Key, Url, make

app = typer.Typer(
    help="The commands of PyAI's guide: voice clones create, get, list, delete.", no_args_is_help=True
)
clones = typer.Typer(help="Your cloned voices.", no_args_is_help=True)
app.add_typer(clones, name="clones")


@clones.command()
def create(
    name: Annotated[str, typer.Option()],
    file: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="6 to 15 s of one person.")],
    wait: Annotated[bool, typer.Option("--wait", help="Return when it is ready or failed.")] = False,
    url: Url = None,
    key: Key = None,
    json: Json = False,
) -> None:
    """Clone a voice; prints its id and status."""
    voice = make(Client(url, key), name, file, wait=wait)
    _show(voice, as_json=json)
    if voice["status"] == "failed":
        raise typer.Exit(1)


@clones.command()
def get(id: str, url: Url = None, key: Key = None, json: Json = False) -> None:
    """One voice."""
    _show(Client(url, key).json("GET", f"/v1/voice/clones/{id}"), as_json=json)


@clones.command("list")
def list_(url: Url = None, key: Key = None, json: Json = False) -> None:
    """Voices, newest first."""
    page = Client(url, key).json("GET", "/v1/voice/clones", params={"limit": 100})
    if json:
        emit_json(page)
        return
    for voice in page["data"]:
        out.out(f"{voice['id']} ({voice['status']})  {voice['name']}")


@clones.command()
def delete(id: str, url: Url = None, key: Key = None) -> None:
    """Delete a voice with its recording."""
    Client(url, key).request("DELETE", f"/v1/voice/clones/{id}")


def _show(voice: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        emit_json(voice)
        return
    out.out(f"{voice['id']} ({voice['status']})")
    if failure := voice.get("failure"):
        err.print(f"{failure['message']}\n→ {failure['fix']}")
