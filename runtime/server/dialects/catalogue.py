"""Every dialect the server speaks: its addresses, its errors, its key."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fastapi import APIRouter

from runtime.server import omni
from runtime.server.dialects import (
    agentcore,
    agentcore_agents,
    elevenlabs,
    openai,
    openai_transcriptions,
    openai_voices,
    prompts,
    provenance,
    pyai,
    pyai_accounts,
    pyai_agents,
    pyai_calls,
    pyai_design,
    pyai_files,
    pyai_transcriptions,
    pyai_voices,
    pyai_webhooks,
    truedy,
    uponai,
)
from runtime.server.dialects.route import Refusal, RenderError


@dataclass(frozen=True, slots=True)
class Dialect:
    """One product's API."""

    name: str
    """In addresses: ``/openapi/pyai.json``, ``/docs/pyai``, ``/d/pyai/…``."""
    title: str
    routers: Sequence[APIRouter]
    addresses: re.Pattern[str]
    """What belongs to it also where no route answers."""
    render: RenderError
    refusal: Callable[[int], Refusal]
    """What its refusals of a status look like, for its OpenAPI document."""
    key_header: str
    """Where its clients put their key."""

    def owns(self, path: str) -> bool:
        """Whether a refusal of ``path`` is told in this dialect."""
        return self.addresses.match(path) is not None


DIALECTS = (
    Dialect(
        "elevenlabs",
        "ElevenLabs: speech and voices",
        (elevenlabs.router, elevenlabs.shared),
        re.compile(r"(/d/elevenlabs|/v1/(text-to-speech|user)(/|$))"),
        elevenlabs.render_error,
        elevenlabs.refusal,
        "xi-api-key",
    ),
    Dialect(
        "agentcore",
        "Agent Core voice",
        (agentcore.router, agentcore_agents.router, agentcore_agents.shared),
        re.compile(r"(/d/agentcore|/v1/agents/[^/]+/(voice|core)(/|$))"),
        agentcore.render_error,
        agentcore.refusal,
        "X-API-Key",
    ),
    Dialect(
        "truedy",
        "Truedy voices",
        (truedy.router,),
        re.compile(rf"(/d/truedy|{truedy.PREFIX}(/|$))"),
        truedy.render_error,
        truedy.refusal,
        "Authorization",
    ),
    Dialect(
        "uponai",
        "UponAI voices",
        (uponai.router,),
        re.compile(r"(/d/uponai|/api(/|$))"),
        uponai.render_error,
        uponai.refusal,
        "Authorization",
    ),
    Dialect(
        "pyai",
        "PyAI and OpenAI",
        (
            pyai_voices.router,
            pyai_agents.router,
            pyai_accounts.router,
            pyai_design.router,
            pyai_calls.router,
            pyai_webhooks.router,
            pyai_transcriptions.router,
            pyai_files.router,
            omni.router,
            openai.router,
            openai_voices.router,
            openai_transcriptions.router,
            prompts.router,
            provenance.router,
        ),
        re.compile(r"/"),
        pyai.render_error,
        pyai.refusal,
        "Authorization",
    ),
)
"""The first that owns an address wins; PyAI has what nobody else has."""


def dialect_of(path: str) -> Dialect:
    """Whose address this is."""
    return next(dialect for dialect in DIALECTS if dialect.owns(path))
