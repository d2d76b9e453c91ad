"""``vivavoce agents`` and ``vivavoce keys``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from runtime.cli.client import Client
from runtime.cli.output import emit_json, err, out, table
from runtime.cli.voices import Json, Key, Url

agents = typer.Typer(help="Create, list, change and delete agents.", no_args_is_help=True)
keys = typer.Typer(help="API keys.", no_args_is_help=True)

ALL_SCOPES = ["voice:clone", "voice:synthesize", "omni:session", "omni:read"]


@agents.command("list")
def list_agents(url: Url = None, key: Key = None, json: Json = False) -> None:
    """Your agents."""
    answer = Client(url, key).json("GET", "/v1/agents")
    if json:
        emit_json(answer)
    else:
        table(answer["data"], {"agent_id": "ID", "name": "NAME", "voice_id": "VOICE"})


@agents.command("create")
def create_agent(
    name: str,
    voice: Annotated[str | None, typer.Option(help="The voice every session of it speaks in.")] = None,
    persona: Annotated[str | None, typer.Option(help="Instructions for the brain.")] = None,
    greeting: Annotated[str | None, typer.Option(help="What it says first.")] = None,
    url: Url = None,
    key: Key = None,
    json: Json = False,
) -> None:
    """Make an agent."""
    fields = {"name": name, "voice_id": voice, "persona_system_prompt": persona, "greeting": greeting}
    body = {field: value for field, value in fields.items() if value is not None}
    agent: dict[str, Any] = Client(url, key).json("POST", "/v1/agents", json=body)
    if json:
        emit_json(agent)
    else:
        out.out(agent["agent_id"])


@agents.command("voice")
def set_voice(agent_id: str, voice: str, url: Url = None, key: Key = None) -> None:
    """Give an agent another voice; its next session speaks in it."""
    Client(url, key).json("PATCH", f"/v1/agents/{agent_id}", json={"voice_id": voice})
    err.print(f"{agent_id} now speaks as {voice}")


@agents.command("delete")
def delete_agent(agent_id: str, url: Url = None, key: Key = None) -> None:
    """Delete an agent."""
    Client(url, key).request("DELETE", f"/v1/agents/{agent_id}")
    err.print(f"{agent_id} deleted")


@keys.command("sandbox")
def sandbox_key(
    label: Annotated[str, typer.Option(help="A name to know it by.")] = "cli",
    scope: Annotated[list[str] | None, typer.Option(help="Repeat for several; default: all of them.")] = None,
    url: Url = None,
    json: Json = False,
) -> None:
    """A key for a new, empty, isolated account (servers on loopback only)."""
    answer = Client(url).json(
        "POST", "/v1/sandbox/keys", json={"label": label, "scopes": scope or ALL_SCOPES}
    )
    if json:
        emit_json(answer)
    else:
        out.out(answer["api_key"])


@keys.command("show")
def show_key(url: Url = None, key: Key = None) -> None:
    """What the server knows about the key in use."""
    emit_json(Client(url, key).json("GET", "/v1/me"))
