"""
Agent Core voice: the agents themselves.

``/v1/agents`` is PyAI's address too. A request whose only key is ``X-API-Key`` is answered here, one with a
bearer token there; ``/d/agentcore/v1/agents`` leaves no doubt.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Scope
from typing_extensions import TypedDict

from runtime.errors import InvalidRequest, RequestError
from runtime.server.agents import Agent
from runtime.server.dialects.agentcore import REMOTE_PREFIX, AgentCoreRoute
from runtime.server.dialects.route import Caller, Services, access


class SharedRoute(AgentCoreRoute):
    """An address that is PyAI's unless the request carries ``X-API-Key`` and no bearer token."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] == "http" and not scope["path"].startswith("/d/"):
            headers = Headers(scope=scope)
            if "x-api-key" not in headers or headers.get("authorization", "").lower().startswith("bearer "):
                return Match.NONE, {}
        return super().matches(scope)


shared = APIRouter(prefix="/v1/agents", route_class=SharedRoute, tags=["agentcore"])


class Core(TypedDict):
    agent_id: str
    name: str
    description: str | None
    personality: str | None
    greeting: str | None
    language: str | None
    voice_id: str | None
    default_user_voice: str | None


class CoreBody(BaseModel):
    """Present members are set, null ones cleared, absent ones left alone."""

    name: Annotated[str | None, Field(min_length=1, max_length=200)] = None
    description: str | None = None
    personality: str | None = None
    greeting: Annotated[str | None, Field(max_length=1_000)] = None
    language: Annotated[str | None, Field(max_length=35)] = None
    voice_id: Annotated[str | None, Field(max_length=255)] = None
    voice: Annotated[str | None, Field(max_length=255)] = None
    default_user_voice: Annotated[str | None, Field(max_length=255)] = None

    def columns(self) -> dict[str, Any]:
        sent = self.model_dump(exclude_unset=True)
        for name, limit in (("description", 500), ("personality", 20_000)):
            if len(sent.get(name) or "") > limit:
                too_long = RequestError(f"{name} is longer than {limit} characters.", param=name)
                too_long.status, too_long.code = 422, "validation_error"
                raise too_long
        fields: dict[str, Any] = {key: sent[key] for key in ("name", "greeting", "language") if key in sent}
        if "personality" in sent:
            fields["instructions"] = sent["personality"]
        if "description" in sent:
            fields["attributes"] = {"description": sent["description"]}
        for alias in ("default_user_voice", "voice", "voice_id"):  # the last one that was sent wins
            if alias in sent:
                fields["voice_id"] = sent[alias]
        return fields


class NewCore(CoreBody):
    name: Annotated[str, Field(min_length=1, max_length=200)]


class Agents(TypedDict):
    agents: list[Core]
    total: int
    """Of this page."""
    has_more: bool


@shared.get("")
@access()
async def list_agents(
    caller: Caller,
    services: Services,
    limit: Annotated[int, Query(ge=1, le=100)] = 100,
    after: Annotated[str | None, Query(max_length=64, description="Id of the last agent before.")] = None,
) -> Agents:
    """Your agents, newest first."""
    agents, more = await services.agents.page(caller.tenant_id, limit=limit, after=after)
    return {"agents": [core_json(agent) for agent in agents], "total": len(agents), "has_more": more}


@shared.post("", status_code=201)
@access("omni:session", once=True, refuses=(422,))
async def create_agent(caller: Caller, services: Services, body: NewCore) -> Core:
    """Make an agent."""
    return core_json(await services.agents.create(caller.tenant_id, speakable(body.columns())))


@shared.get("/{agent_id}")
@access()
async def get_agent(caller: Caller, services: Services, agent_id: str) -> Core:
    """One agent, as ``/core`` has it."""
    return core_json(await services.agents.get(caller.tenant_id, agent_id))


@shared.patch("/{agent_id}")
@access("omni:session", refuses=(422,))
async def change_agent(caller: Caller, services: Services, agent_id: str, body: CoreBody) -> Core:
    """As ``PATCH …/core``."""
    return core_json(await services.agents.change(caller.tenant_id, agent_id, speakable(body.columns())))


@shared.delete("/{agent_id}", status_code=204)
@access("omni:session")
async def delete_agent(caller: Caller, services: Services, agent_id: str) -> Response:
    """Delete an agent; its running calls go on to their end."""
    await services.agents.delete(caller.tenant_id, agent_id)
    return Response(status_code=204)


router = APIRouter(prefix="/v1/agents/{agent_id}", route_class=AgentCoreRoute, tags=["agentcore"])


@router.get("/core")
@access()
async def get_core(caller: Caller, services: Services, agent_id: str) -> Core:
    """The agent, flat."""
    return core_json(await services.agents.get(caller.tenant_id, agent_id))


@router.patch("/core")
@access("omni:session", refuses=(422,))
async def change_core(caller: Caller, services: Services, agent_id: str, body: CoreBody) -> Core:
    """Give the agent another voice, or other words. The next call lives by it."""
    return core_json(await services.agents.change(caller.tenant_id, agent_id, speakable(body.columns())))


def speakable(fields: dict[str, Any]) -> dict[str, Any]:
    """
    The fields, if an agent can have them.

    Raises:
        InvalidRequest: The name is cleared, or the voice is one at ElevenLabs.
    """
    if "name" in fields and fields["name"] is None:
        raise InvalidRequest("name cannot be cleared.", param="name")
    if str(fields.get("voice_id") or "").startswith(REMOTE_PREFIX):
        raise InvalidRequest(
            "An ElevenLabs voice can be previewed here, but agents do not speak live in it.",
            code="voice_not_supported",
            param="voice_id",
            fix="give the agent a public, designed or trained voice",
        )
    return fields


def core_json(agent: Agent) -> Core:
    return {
        "agent_id": agent.id,
        "name": agent.name,
        "description": agent.attributes.get("description"),
        "personality": agent.instructions,
        "greeting": agent.greeting,
        "language": agent.language,
        "voice_id": agent.voice_id,
        "default_user_voice": agent.voice_id,
    }
