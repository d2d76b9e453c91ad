"""PyAI: agents."""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, with_config
from starlette.responses import Response
from typing_extensions import TypedDict

from runtime.errors import InvalidRequest
from runtime.server.agents import Agent
from runtime.server.dialects.pyai import Cursor, Limit, Page, PyaiRoute, page
from runtime.server.dialects.route import Caller, Services, access
from sessions.agent import Disclosure

router = APIRouter(prefix="/v1", route_class=PyaiRoute, tags=["pyai"])


class AgentFields(BaseModel):
    """What an agent can be told; members we do not know are refused, so that a typing error shows."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str | None, Field(min_length=1, max_length=200)] = None
    voice_id: Annotated[str | None, Field(max_length=255)] = None
    voice_fallback: Annotated[str | None, Field(max_length=255)] = None
    persona_system_prompt: Annotated[str | None, Field(max_length=32_000)] = None
    greeting: Annotated[str | None, Field(max_length=1_000)] = None
    language: Annotated[str | None, Field(max_length=35)] = None
    brain: Annotated[str | None, Field(max_length=32)] = None
    brain_model: Annotated[str | None, Field(max_length=255)] = None
    temperature: Annotated[float | None, Field(ge=0, le=2)] = None
    speed: Annotated[float | None, Field(ge=0.25, le=4)] = None
    flow: dict[str, Any] | Annotated[str, Field(max_length=262_144)] | None = None
    tools: Annotated[list[dict[str, Any]] | None, Field(max_length=64)] = None
    barge_sensitivity: str | float | None = None
    voicemail: Annotated[
        str | None,
        Field(max_length=2_000, description="Left after the beep where a machine answers a call we placed."),
    ] = None
    ack_mode: Annotated[str | None, Field(max_length=32)] = None
    recordings_enabled: bool | None = None
    consent_line: Annotated[str | None, Field(max_length=500)] = None
    disclosure: Annotated[
        Disclosure | None,
        Field(description="How callers learn that an artificial voice speaks; ``off`` is audited."),
    ] = None
    metadata: Annotated[
        dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]] | None,
        Field(max_length=16),
    ] = None
    keyterms: Annotated[list[str] | None, Field(max_length=100)] = None
    goals: Annotated[list[str] | None, Field(max_length=20)] = None
    greeting_variants: list[str] | None = None
    persona_perspective: str | None = None
    idle_check_in: dict[str, Any] | bool | None = None
    extraction_schema: dict[str, Any] | None = None
    extraction_webhook_url: Annotated[str | None, Field(max_length=2_048)] = None

    def columns(self) -> dict[str, Any]:
        """The members that were sent: an absent one stays as it is, a null one is cleared."""
        sent = self.model_dump(exclude_unset=True)
        fields = {ours: sent.pop(theirs) for theirs, ours in OWN_COLUMNS.items() if theirs in sent}
        if sent:
            fields["attributes"] = sent
        return fields


OWN_COLUMNS = {
    "name": "name",
    "voice_id": "voice_id",
    "voice_fallback": "voice_fallback",
    "persona_system_prompt": "instructions",
    "greeting": "greeting",
    "language": "language",
    "brain": "brain",
}
"""PyAI's name of a member, and ours; the rest are attributes."""


class NewAgent(AgentFields):
    name: Annotated[str, Field(min_length=1, max_length=200)]


@with_config(ConfigDict(extra="allow"))
class AgentJson(TypedDict):
    """An agent; the members it was given beyond these come back as they were sent."""

    object: Literal["agent"]
    agent_id: str
    id: str
    name: str
    voice_id: str | None
    voice_fallback: str | None
    persona_system_prompt: str | None
    greeting: str | None
    language: str | None
    brain: str | None
    created_at: int
    updated_at: int


@router.post("/agents", status_code=201)
@access("omni:session", once=True)
async def create_agent(caller: Caller, services: Services, body: NewAgent) -> AgentJson:
    """Make an agent that speaks in ``voice_id``."""
    fields = body.columns()
    fields["attributes"] = {k: v for k, v in fields.get("attributes", {}).items() if v is not None}
    return agent_json(await services.agents.create(caller.tenant_id, fields))


@router.get("/agents")
@access()
async def list_agents(
    caller: Caller, services: Services, limit: Limit = 20, cursor: Cursor = None
) -> Page[AgentJson]:
    """Your agents, newest first."""
    agents, more = await services.agents.page(caller.tenant_id, limit=limit, after=cursor)
    return page([agent_json(agent) for agent in agents], more=more, last=agents[-1].id if agents else None)


@router.get("/agents/{id}")
@access()
async def get_agent(caller: Caller, services: Services, id: str) -> AgentJson:
    """One agent."""
    return agent_json(await services.agents.get(caller.tenant_id, id))


@router.patch("/agents/{id}")
@access("omni:session")
async def change_agent(caller: Caller, services: Services, id: str, body: AgentFields) -> AgentJson:
    """Change what is sent; the next call lives by it."""
    fields = body.columns()
    if "name" in fields and fields["name"] is None:
        raise InvalidRequest("name cannot be cleared.", param="name")
    return agent_json(await services.agents.change(caller.tenant_id, id, fields))


@router.delete("/agents/{id}", status_code=204)
@access("omni:session")
async def delete_agent(caller: Caller, services: Services, id: str) -> Response:
    """Delete an agent; its running calls go on to their end."""
    await services.agents.delete(caller.tenant_id, id)
    return Response(status_code=204)


def agent_json(agent: Agent) -> AgentJson:
    body = {
        **agent.attributes,
        "object": "agent",
        "agent_id": agent.id,
        "id": agent.id,
        "name": agent.name,
        "voice_id": agent.voice_id,
        "voice_fallback": agent.voice_fallback,
        "persona_system_prompt": agent.instructions,
        "greeting": agent.greeting,
        "language": agent.language,
        "brain": agent.brain,
        "created_at": int(agent.created_at.timestamp()),
        "updated_at": int(agent.updated_at.timestamp()),
    }
    return cast(AgentJson, body)
