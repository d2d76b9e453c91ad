"""Where calls come in: the door of the Realtime WebSocket."""

from __future__ import annotations

from starlette.responses import JSONResponse
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from runtime.errors import AtCapacity, RequestError, Unauthorized, VivavoceError
from runtime.server.auth import SOCKET_SCHEMES, offered_subprotocols
from runtime.server.services import Services
from runtime.wire.realtime.config import SessionConfig
from runtime.wire.realtime.protocol import RealtimeProtocol
from sessions.agent import AgentProfile
from sessions.peers.audio_path import EventAudio
from sessions.peers.realtime import SESSION_SECONDS, RealtimePeer
from sessions.voice import SessionVoice

KEEP_AUDIO_BYTES = 256 * 2**10
"""A few seconds each way, for clients that retrieve an item they just heard of; they read its words."""

SUBPROTOCOL = "realtime"
"""The one a client that offers any must get back, or browsers and Node drop the socket."""


async def realtime(socket: WebSocket) -> None:
    """
    ``GET /v1/realtime?model=…``: a call in the dialect of the OpenAI Realtime API.

    ``model`` is an agent's id, or any other name for a plain agent. ``intent=transcription`` makes a session
    that only writes down what it hears. Whatever stands against the call is said before the upgrade, in HTTP.
    """
    services: Services = socket.app.state.services
    query = socket.query_params
    try:
        principal = await services.authenticator.connection(socket, SOCKET_SCHEMES)
        principal.require("omni:session")
        model = query.get("model")
        profile = await services.agents.profile(principal.tenant_id, model)
        opening = await services.calls.open(profile)
    except VivavoceError as error:
        await socket.send_denial_response(refusal(error))
        return
    offered = SUBPROTOCOL in offered_subprotocols(socket)
    await socket.accept(subprotocol=SUBPROTOCOL if offered else None)
    voice = opening.voice
    config = session_config(profile, voice, model=model or profile.id, intent=query.get("intent"))
    protocol = RealtimeProtocol(
        config,
        expires_at=int(services.clock.wall() + SESSION_SECONDS),
        agent_voice=voice.ref if profile.id == model else None,
        keep_audio_bytes=KEEP_AUDIO_BYTES,
    )
    audio = EventAudio(protocol, lead=services.settings.realtime_lead_ms / 1000)
    peer = RealtimePeer(socket, protocol, audio, fallback=voice.fallback)
    await services.calls.serve(opening, peer, session_id=protocol.session_id)


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


routes = [WebSocketRoute("/v1/realtime", realtime)]
