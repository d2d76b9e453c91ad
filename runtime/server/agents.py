"""A tenant's agents: their voice, their words, and the snapshot a session takes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from runtime.clock import Clock
from runtime.errors import InvalidRequest, NotFound, VoiceNotFound
from runtime.store.database import Database, Transaction
from runtime.store.ids import new_id
from runtime.store.models import AgentRow
from runtime.turn.barge_in import BargeInSettings
from sessions.agent import AgentProfile, Disclosure, notice
from sessions.brains.flow import read_flow
from sessions.brains.tools import read_tools
from tts.voices.resolve import VoiceResolver

BRAINS = ("echo", "flow", "openai")

DEFAULT_CHAT_MODEL = "gpt-4o-mini"
"""Asked of the chat endpoint where an agent names no model."""

STEADY_AGENTS = {"agent_tone": False, "agent_tone_listening": True}
"""
Answer on servers that run the tone engine, one tone from pick-up to hang-up, for load tests; and whether they
listen. The deaf one measures the media alone.
"""

FIELDS = frozenset(
    {"name", "voice_id", "voice_fallback", "instructions", "greeting", "language", "brain", "attributes"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """One configured agent, as every dialect renders it."""

    id: str
    tenant_id: str
    name: str
    voice_id: str | None
    voice_fallback: str | None
    instructions: str | None
    greeting: str | None
    language: str | None
    brain: str | None
    attributes: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime


RECORDING_NOTICE = "This call is recorded."
"""Said first on recorded calls of agents that have no ``consent_line`` of their own."""

FILLERS = ("One moment.", "Let me see.", "Just a second.")
"""Said in turn when a brain that thinks elsewhere is slow to begin."""


class AgentService:
    """
    Args:
        default_voice: Spoken by agents that name none.
        default_brain: Thinks for agents that name none.
        steady: Whether :data:`STEADY_AGENTS` answer.
    """

    def __init__(
        self,
        *,
        database: Database,
        resolver: VoiceResolver,
        clock: Clock,
        default_voice: str,
        default_brain: str = "echo",
        steady: bool = False,
    ) -> None:
        self._database = database
        self._resolver = resolver
        self._clock = clock
        self._default_voice = default_voice
        self._default_brain = default_brain
        self._steady = steady

    async def create(self, tenant_id: str, fields: Mapping[str, Any]) -> Agent:
        """
        Args:
            fields: Members of :data:`FIELDS`; ``name`` is needed.

        Raises:
            InvalidRequest: A field has a value it cannot have; the voice is unknown or failed.
        """
        await self._check(tenant_id, fields)
        now = self._clock.wall()
        row = AgentRow(
            id=new_id("agent", at=now), **{"attributes": {}, **fields}, created_at=now, updated_at=now
        )
        async with self._database.write() as store:
            await store.agents.add(tenant_id, row)
            await self._note_silence(store, tenant_id, row, before=None)
        return _agent(row)

    async def get(self, tenant_id: str, agent_id: str) -> Agent:
        """Raises NotFound."""
        async with self._database.read() as store:
            row = await store.agents.find(tenant_id, agent_id)
        if row is None:
            raise no_such_agent()
        return _agent(row)

    async def page(
        self, tenant_id: str, *, limit: int, after: str | None = None
    ) -> tuple[Sequence[Agent], bool]:
        """Newest first, and whether there are more after these."""
        async with self._database.read() as store:
            rows = await store.agents.page(tenant_id, limit=limit + 1, after=after)
        return [_agent(row) for row in rows[:limit]], len(rows) > limit

    async def change(self, tenant_id: str, agent_id: str, fields: Mapping[str, Any]) -> Agent:
        """
        Set these fields, and merge ``attributes``: a None in there removes the member.

        The next call lives by it; running calls keep what they began with.

        Raises:
            NotFound: No such agent; looked up before the fields are checked against the tenant's voices.
            InvalidRequest: As for :meth:`create`.
        """
        await self.get(tenant_id, agent_id)
        await self._check(tenant_id, fields)
        async with self._database.write() as store:
            row = await store.agents.find(tenant_id, agent_id, lock=True)
            if row is None:
                raise no_such_agent()
            changed, before = dict(fields), row.attributes.get("disclosure")
            if "attributes" in changed:
                merged = {**row.attributes, **changed["attributes"]}
                changed["attributes"] = {key: value for key, value in merged.items() if value is not None}
            row = await store.agents.change(tenant_id, agent_id, at=self._clock.wall(), **changed)
            if row is not None:
                await self._note_silence(store, tenant_id, row, before=before)
        if row is None:
            raise no_such_agent()
        return _agent(row)

    async def _note_silence(
        self, store: Transaction, tenant_id: str, row: AgentRow, *, before: str | None
    ) -> None:
        """Whoever turns disclosure off is to be found."""
        if row.attributes.get("disclosure") == "off" != before:
            await store.audit.append(
                tenant_id, verb="agent.disclosure_off", object=row.id, at=self._clock.wall()
            )

    async def delete(self, tenant_id: str, agent_id: str) -> None:
        """Raises NotFound."""
        async with self._database.write() as store:
            if not await store.agents.delete(tenant_id, agent_id):
                raise no_such_agent()

    async def profile(self, tenant_id: str, agent_id: str | None) -> AgentProfile:
        """
        The snapshot a session lives by.

        Args:
            agent_id: None, or a name that is not an agent's (``gpt-realtime``), is a plain agent that speaks
                in the default voice.

        Raises:
            NotFound: It looks like an agent's id, and the tenant has none such.
        """
        if agent_id is None or not agent_id.startswith("agent_"):
            return AgentProfile(
                id="agent_default",
                tenant_id=tenant_id,
                name="Default agent",
                voice_ref=self._default_voice,
                brain=self._default_brain,
            )
        if self._steady and agent_id in STEADY_AGENTS:
            return self._steady_profile(agent_id, tenant_id)
        return self._profile(await self.get(tenant_id, agent_id))

    async def answering(self, agent_id: str) -> AgentProfile:
        """
        The agent that a telephone number leads to: a carrier has no key, so its id alone must do.

        Raises:
            NotFound: There is none such.
        """
        if self._steady and agent_id in STEADY_AGENTS:
            return self._steady_profile(agent_id, "")
        async with self._database.read() as store:
            tenant_id = await store.agents.owner(agent_id)
        if tenant_id is None:
            raise no_such_agent()
        return self._profile(await self.get(tenant_id, agent_id))

    def _steady_profile(self, agent_id: str, tenant_id: str) -> AgentProfile:
        return AgentProfile(
            id=agent_id,
            tenant_id=tenant_id,
            name="Steady tone",
            voice_ref=self._default_voice,
            brain="steady",
            listens=STEADY_AGENTS[agent_id],
            interruptible=False,
        )

    def _profile(self, agent: Agent) -> AgentProfile:
        attributes = agent.attributes
        options = {
            key: attributes[key]
            for key in ("brain_model", "temperature", "flow", "brain_base_url")
            if key in attributes
        }
        tools = attributes.get("tools", ())
        options["server_tools"] = [tool for tool in tools if "url" in tool]
        if "brain_model" in options:
            options["model"] = options.pop("brain_model")
        brain = agent.brain or self._default_brain
        recorded = bool(attributes.get("recordings_enabled", False))
        disclosure: Disclosure = attributes.get("disclosure", "event")
        return AgentProfile(
            id=agent.id,
            tenant_id=agent.tenant_id,
            name=agent.name,
            voice_ref=agent.voice_id or self._default_voice,
            voice_fallback=agent.voice_fallback,
            instructions=agent.instructions or "",
            greeting=agent.greeting or None,
            disclosure=disclosure,
            notice=notice(
                disclosure, (attributes.get("consent_line") or RECORDING_NOTICE) if recorded else None
            ),
            recorded=recorded,
            brain=brain,
            brain_options=MappingProxyType(options),
            tools=tuple(tool for tool in tools if "url" not in tool),
            language=agent.language or "en",
            speed=float(attributes.get("speed", 1.0)),
            fillers=FILLERS if brain == "openai" or attributes.get("ack_mode") == "auto" else (),
            barge_in=_barge_in(attributes.get("barge_sensitivity")),
            idle_timeout=read_flow(attributes["flow"]).silence
            if brain == "flow" and "flow" in attributes
            else None,
            voicemail=attributes.get("voicemail") or None,
        )

    async def _check(self, tenant_id: str, fields: Mapping[str, Any]) -> None:
        if unknown := set(fields) - FIELDS:
            raise ValueError(f"not fields of an agent: {sorted(unknown)}")
        if (brain := fields.get("brain")) is not None and brain not in BRAINS:
            raise InvalidRequest(
                f"there is no brain called {brain!r}", param="brain", fix=f"use one of {', '.join(BRAINS)}"
            )
        if (flow := (fields.get("attributes") or {}).get("flow")) is not None:
            read_flow(flow)
        _barge_in((fields.get("attributes") or {}).get("barge_sensitivity"))
        read_tools((fields.get("attributes") or {}).get("tools") or ())
        if (voice := fields.get("voice_id")) is not None:
            try:
                await self._resolver.resolve(tenant_id, voice)
            except VoiceNotFound as error:
                raise InvalidRequest(
                    f"voice_id: no voice is called {voice!r}",
                    param="voice_id",
                    code="voice_not_found",
                    fix=error.fix,
                ) from error
        fallback = fields.get("voice_fallback")
        if fallback is not None and self._resolver.stock_voice(fallback) is None:
            raise InvalidRequest(
                f"voice_fallback: {fallback!r} is not a stock voice",
                param="voice_fallback",
                fix="name a stock voice from GET /v1/voices",
            )


def _barge_in(sensitivity: str | float | None) -> BargeInSettings:
    try:
        return BargeInSettings() if sensitivity is None else BargeInSettings.for_sensitivity(sensitivity)
    except ValueError as error:
        raise InvalidRequest(f"barge_sensitivity: {error}", param="barge_sensitivity") from error


def no_such_agent() -> NotFound:
    """One answer for ids that are wrong, deleted, or somebody else's."""
    return NotFound("No such agent.", param="id")


def _agent(row: AgentRow) -> Agent:
    return Agent(
        id=row.id,
        tenant_id=row.tenant_id,
        name=row.name,
        voice_id=row.voice_id,
        voice_fallback=row.voice_fallback,
        instructions=row.instructions,
        greeting=row.greeting,
        language=row.language,
        brain=row.brain,
        attributes=MappingProxyType(row.attributes),
        created_at=datetime.fromtimestamp(row.created_at, UTC),
        updated_at=datetime.fromtimestamp(row.updated_at, UTC),
    )
