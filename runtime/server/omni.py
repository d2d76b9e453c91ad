"""PyAI's Omni: tokens for browsers, and the WebSocket of a call."""

from __future__ import annotations

import asyncio
import re
from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket
from typing_extensions import TypedDict

from runtime.errors import InvalidRequest, MalformedMessage, RateLimited, VivavoceError
from runtime.server.auth import SOCKET_SCHEMES, accepted_subprotocol, find_key
from runtime.server.client_secrets import PREFIX
from runtime.server.dialects.pyai import PyaiRoute, error_json, public_url
from runtime.server.dialects.route import Caller, Services, access
from runtime.server.fetch import require_public
from runtime.server.services import Services as Built
from runtime.wire.omni import RATES, Configured, Framing, OmniProtocol
from sessions.agent import AgentProfile
from sessions.peers.omni import OmniPeer, configured_profile

CONFIGURE_SECONDS = 0.5
"""How long a call waits for the client's ``configure`` before the agent speaks as it is."""

MAX_LABEL_CHARACTERS = 256
_LABEL = re.compile(r"[\x21-\x7e]*")

SERVER = "vivavoce"

router = APIRouter(prefix="/v1/omni", route_class=PyaiRoute, tags=["pyai"])


class SessionRequest(BaseModel):
    allowed_origins: Annotated[list[str], Field(max_length=20)] = []
    ttl_seconds: Annotated[int, Field(ge=1, le=600)] = 60
    session_label: Annotated[str | None, Field(max_length=MAX_LABEL_CHARACTERS)] = None


class OmniSession(TypedDict):
    object: Literal["omni.session"]
    token: str
    expires_at: int
    url: str
    session_label: str | None


@router.post("/sessions", status_code=201)
@access("omni:session")
async def create_session(
    request: Request, caller: Caller, services: Services, body: SessionRequest
) -> OmniSession:
    """A token that a page may hold: opens one call at a time, soon expires, and can be bound to origins."""
    secret = await services.client_secrets.issue(
        caller,
        session={"model": body.session_label} if body.session_label else None,
        seconds=body.ttl_seconds,
        origins=body.allowed_origins,
        shortest=1,
    )
    return {
        "object": "omni.session",
        "token": secret.value,
        "expires_at": int(secret.expires_at * 1000),
        "url": public_url(request).replace("http", "ws", 1) + "/v1/omni",
        "session_label": body.session_label,
    }


class OneAtATime:
    """Which tokens have a call now."""

    def __init__(self) -> None:
        self._busy: set[str] = set()

    def take(self, token: str) -> None:
        """Raises RateLimited while a call with this token is up."""
        if token in self._busy:
            raise RateLimited(
                "A call with this token is up.", retry_after=1.0, code="concurrency_limit_exceeded"
            )
        self._busy.add(token)

    def give_back(self, token: str) -> None:
        self._busy.discard(token)


tokens = OneAtATime()


async def omni(socket: WebSocket) -> None:
    """``/v1/omni?format=pcm16&rate=24000&session_label=agent_…``: a call in Omni's protocol 2."""
    services: Built = socket.app.state.services
    token = find_key(socket, SOCKET_SCHEMES) or ""
    try:
        caller = await services.client_secrets.caller(socket, SOCKET_SCHEMES)
        await services.concurrency.enter(socket.scope, caller.principal.key_id)
        rate, framing = _audio(socket)
        label = _label(socket) or (caller.session or {}).get("model")
        profile = await services.agents.profile(caller.principal.tenant_id, label)
        if voice := socket.headers.get("x-pyai-voice"):
            profile = configured_profile(profile, {"voice_id": voice})
        if token.startswith(PREFIX):
            tokens.take(token)
    except VivavoceError as error:
        await socket.send_denial_response(JSONResponse({"error": error_json(error)}, error.status))
        return
    try:
        await socket.accept(subprotocol=accepted_subprotocol(socket))
        await _talk(
            socket, services, profile, OmniProtocol(framing=framing, rate=rate), rate=rate, label=label
        )
    finally:
        tokens.give_back(token)


async def _talk(
    socket: WebSocket,
    services: Built,
    profile: AgentProfile,
    protocol: OmniProtocol,
    *,
    rate: int,
    label: str | None,
) -> None:
    await _send(socket, protocol.hello(SERVER))
    started: dict[str, Any] = {
        "event": "session_started",
        "agent_id": label,
        "audio_in": "pcm16",
        "audio_out": "pcm16",
    }
    if profile.disclosure != "off":
        started["disclosure"] = {"synthetic_speech": True, "spoken": profile.disclosure == "spoken"}
    await _send(socket, protocol.control(started))
    configured, first = await _first_configure(socket, protocol)
    if configured is not None:
        configured = await _without_what_cannot_be(configured, profile, protocol, services)
        profile = configured_profile(profile, configured.fields)
    try:
        opening = await services.calls.open(profile)
    except VivavoceError as error:
        refusal = {"event": "error", "code": error.code, "message": error.message}
        await _send(socket, protocol.control(refusal))
        await socket.close(error.close_code, error.code)
        return
    if opening.voice.fallback is not None:
        fallback = opening.voice.fallback
        event = {"event": "voice_fallback", "from": fallback.requested, "to": fallback.used}
        await _send(socket, protocol.control(event | {"reason": fallback.reason}))
    if configured is not None:
        acknowledged = {
            "event": "config_ack",
            "voice_id": opening.voice.ref,
            "honored": sorted(configured.fields),
            "ignored": list(configured.ignored),
        }
        await _send(socket, protocol.control(acknowledged))
    for warning in protocol.warnings():
        await _send(socket, warning)
    peer = OmniPeer(
        _Replayed(socket, first),
        protocol,
        profile,
        rate=rate,
        clock=services.clock,
        lead=services.settings.realtime_lead_ms / 1000,
    )
    await services.calls.serve(opening, peer)


async def _without_what_cannot_be(
    configured: Configured, profile: AgentProfile, protocol: OmniProtocol, services: Built
) -> Configured:
    """The client's settings without a knowledge base that nobody would ask; a warning tells why."""
    url = configured.fields.get("kb_endpoint")
    why = None
    if url and profile.brain != "openai":
        why = f"an agent with the brain {profile.brain!r} asks no knowledge base"
    elif url:
        try:
            await require_public(url, {host.lower() for host in services.settings.fetch_allow_hosts})
        except InvalidRequest as error:
            why = error.message.partition(": ")[2].rstrip(".")
    if why is None:
        return configured
    protocol.warn("kb_endpoint_unused", f"kb_endpoint was ignored: {why}.")
    gone = {"kb_endpoint", "kb_token"}
    fields = {name: value for name, value in configured.fields.items() if name not in gone}
    return Configured(fields, sorted({*configured.ignored, *(gone & set(configured.fields))}))


async def _first_configure(socket: WebSocket, protocol: OmniProtocol) -> tuple[Configured | None, list[Any]]:
    """The client's settings if they come at once, and the messages that came before or instead of them."""
    kept: list[Any] = []
    try:
        async with asyncio.timeout(CONFIGURE_SECONDS):
            while True:
                message = await socket.receive()
                if message["type"] != "websocket.receive":
                    kept.append(message)
                    return None, kept
                frame = message.get("text") or message.get("bytes") or b""
                if isinstance(frame, str) or frame[:2] == b"\x03{":
                    try:
                        action = protocol.receive(frame)
                    except MalformedMessage:
                        action = None
                    if isinstance(action, Configured):
                        if kept:
                            protocol.audio_came_early()
                        return action, kept
                    kept.append(message)
                    return None, kept
                kept.append(message)
    except TimeoutError:
        return None, kept


class _Replayed:
    """The socket, with messages that were read too early given back first."""

    def __init__(self, socket: WebSocket, early: list[Any]) -> None:
        self._socket = socket
        self._early = early

    async def receive(self) -> Any:
        return self._early.pop(0) if self._early else await self._socket.receive()

    async def send(self, message: Any) -> None:
        await self._socket.send(message)


def _audio(socket: WebSocket) -> tuple[int, Framing]:
    query = socket.query_params
    if query.get("format", "pcm16") != "pcm16":
        raise InvalidRequest("format is not pcm16.", code="unsupported_format", param="format")
    if (rate := query.get("rate", "24000")) not in {str(rate) for rate in RATES}:
        raise InvalidRequest(
            f"rate is not one of {', '.join(map(str, RATES))}.", code="unsupported_format", param="rate"
        )
    if (framing := query.get("framing", "tagged")) not in ("tagged", "raw"):
        raise InvalidRequest("framing is not tagged or raw.", param="framing")
    return int(rate), cast(Framing, framing)


def _label(socket: WebSocket) -> str | None:
    query = socket.query_params
    label = query.get("session_label") or query.get("agent_id") or query.get("agent")
    if label is not None and (len(label) > MAX_LABEL_CHARACTERS or not _LABEL.fullmatch(label)):
        raise InvalidRequest(
            "session_label is longer than 256 characters or not printable ASCII.",
            code="invalid_agent_id",
            param="session_label",
        )
    return label


async def _send(socket: WebSocket, frame: str | bytes) -> None:
    if isinstance(frame, str):
        await socket.send_text(frame)
    else:
        await socket.send_bytes(frame)


routes = [WebSocketRoute("/v1/omni", omni), WebSocketRoute("/v2/omni/chat", omni)]
