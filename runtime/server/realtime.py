"""What every door of the Realtime API does with a caller: the agent, its voice, the session's first state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from starlette.responses import JSONResponse

from runtime.errors import AtCapacity, RequestError, Unauthorized, VivavoceError
from runtime.server.client_secrets import RealtimeCaller
from runtime.server.services import Services
from runtime.wire.realtime.config import BUILT_IN_VOICES, SessionConfig
from runtime.wire.realtime.protocol import RealtimeProtocol
from runtime.wire.realtime.update import updated
from sessions.agent import AgentProfile
from sessions.manager import Opening
from sessions.peers.realtime import SESSION_SECONDS
from sessions.voice import SessionVoice

KEEP_AUDIO_BYTES = 256 * 2**10
"""A few seconds each way, for clients that retrieve an item they just heard of; they read its words."""


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """A session that was let in, and has no peer yet."""

    opening: Opening
    protocol: RealtimeProtocol


async def open_session(
    services: Services,
    caller: RealtimeCaller,
    *,
    model: str | None,
    intent: str | None = None,
    session: Mapping[str, Any] | None = None,
    playback: Literal["client", "server"] = "client",
) -> OpenedSession:
    """
    Let a caller in, or say why not while it can still be said in HTTP.

    Args:
        model: An agent's id, or any other name for a plain agent.
        intent: ``transcription`` makes a session that only writes down what it hears.
        session: What the caller wants it to begin with, as for ``session.update``; goes over what its secret
            says.

    Raises:
        VivavoceError: Whatever stands against the call.
    """
    wanted = [patch for patch in (caller.session, session) if patch]
    for patch in wanted:
        model = model or patch.get("model")
    profile = await services.agents.profile(caller.principal.tenant_id, model)
    opening = await services.calls.open(profile)
    voice = opening.voice
    pinned = voice.ref if profile.id == model else None
    config = session_config(profile, voice, model=model or profile.id, intent=intent)
    for patch in wanted:
        config = updated(config, patch)
    if pinned and config.voice in BUILT_IN_VOICES:
        config = config.model_copy(update={"voice": pinned})
    await voice.resolve(config.voice)
    protocol = RealtimeProtocol(
        config,
        expires_at=int(services.clock.wall() + SESSION_SECONDS),
        playback=playback,
        agent_voice=pinned,
        keep_audio_bytes=KEEP_AUDIO_BYTES,
    )
    return OpenedSession(opening, protocol)


def session_config(
    profile: AgentProfile, voice: SessionVoice, *, model: str, intent: str | None
) -> SessionConfig:
    """What a session begins with: its agent's own settings."""
    return SessionConfig(
        type="transcription" if intent == "transcription" else "realtime",
        model=model,
        instructions=profile.instructions,
        voice=voice.ref,
        speed=min(max(profile.speed, 0.25), 1.5),
        tools=tuple(profile.tools),
    )


def refusal(error: VivavoceError) -> JSONResponse:
    """An error in the shape OpenAI's clients read, with the status and headers of its kind."""
    headers = {}
    if isinstance(error, AtCapacity):
        headers["retry-after"] = str(max(1, round(error.retry_after)))
    code = "invalid_api_key" if isinstance(error, Unauthorized) else error.code
    body = {
        "message": error.message if error.fix is None else f"{error.message}. {error.fix}",
        "type": "invalid_request_error" if isinstance(error, RequestError) else "server_error",
        "code": code,
        "param": error.param if isinstance(error, RequestError) else None,
    }
    return JSONResponse({"error": body}, status_code=error.status, headers=headers)
