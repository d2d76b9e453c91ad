"""
The Realtime API's other doors: WebRTC calls, and the secrets that browsers open them with.

``POST /v1/realtime/calls`` takes an offer and gives the answer, as WHIP (RFC 9725) does; the client hangs up
with ``DELETE`` on the address in ``Location``. Pages of any origin may call: what lets them in is the key in
their header, never a cookie.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from runtime.errors import AtCapacity, InvalidRequest, NotFound, TransportClosed, VivavoceError
from runtime.server.auth import Scheme
from runtime.server.client_secrets import USUAL
from runtime.server.realtime import OpenedSession, open_session, refusal
from runtime.server.services import Services
from runtime.transport.webrtc import WebRtcConnection
from runtime.wire.conversation import new_id
from runtime.wire.realtime.config import SessionConfig
from runtime.wire.realtime.update import updated
from runtime.wire.signaling import read_offer
from sessions.manager import SessionManager
from sessions.peers.audio_path import MediaAudio
from sessions.peers.realtime import RealtimePeer

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 512 * 2**10
"""An offer, and a session with its tools."""

MOST_CONNECTING = 64
"""Peers that have their answer and have not connected yet."""

CORS = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "POST, DELETE, OPTIONS",
    "access-control-allow-headers": "authorization, content-type, x-openai-agents-sdk",
    "access-control-expose-headers": "location",
    "access-control-max-age": "86400",
}

KEYS = Scheme.BEARER | Scheme.API_KEY


@dataclass(frozen=True, slots=True)
class LiveCall:
    tenant_id: str
    connection: WebRtcConnection
    peer: RealtimePeer


class WebRtcCalls:
    """The WebRTC calls that are up, or connecting."""

    def __init__(self, calls: SessionManager) -> None:
        self._calls = calls
        self._live: dict[str, LiveCall] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._connecting = 0

    def take(self, tenant_id: str, session: OpenedSession, connection: WebRtcConnection) -> str:
        """Run a call once its peer has connected. Returns its id."""
        call_id = new_id("rtc")
        audio = MediaAudio(session.protocol, connection)
        peer = RealtimePeer(connection, session.protocol, audio, fallback=session.opening.voice.fallback)
        self._live[call_id] = LiveCall(tenant_id, connection, peer)
        task = asyncio.create_task(self._run(call_id, session), name=f"webrtc {call_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return call_id

    def require_room(self) -> None:
        """Raises AtCapacity while too many peers are connecting."""
        if self._connecting >= MOST_CONNECTING:
            raise AtCapacity("Too many WebRTC peers are connecting at once.")

    def find(self, tenant_id: str, call_id: str) -> LiveCall:
        """Raises NotFound for a call that is over or another tenant's."""
        call = self._live.get(call_id)
        if call is None or call.tenant_id != tenant_id:
            raise NotFound("There is no such call, or no longer.", param="call_id")
        return call

    async def close(self) -> None:
        """Hang up all calls."""
        for call in list(self._live.values()):
            await call.connection.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, call_id: str, session: OpenedSession) -> None:
        call = self._live[call_id]
        try:
            self._connecting += 1
            try:
                await call.connection.opened()
            finally:
                self._connecting -= 1
            await self._calls.serve(session.opening, call.peer, session_id=session.protocol.session_id)
        except TransportClosed as error:
            log.info("%s: %s", call_id, error)
        finally:
            del self._live[call_id]
            await call.connection.close()


def answered(endpoint: Callable[[Request, Services], Awaitable[Response]]) -> Callable[..., Any]:
    """An endpoint whose errors are told in OpenAI's shape, and which pages of any origin may read."""

    async def answer(request: Request) -> Response:
        try:
            response = await endpoint(request, request.app.state.services)
        except VivavoceError as error:
            response = refusal(error)
        response.headers.update(CORS)
        return response

    return answer


async def preflight(request: Request) -> Response:
    """``OPTIONS``: what a page asks before it sends its key."""
    return Response(status_code=204, headers=CORS)


@answered
async def create_secret(request: Request, services: Services) -> Response:
    """
    ``POST /v1/realtime/client_secrets``: a key for a page.

    ``allowed_origins``, beyond OpenAI's members, names the origins it works from.
    """
    principal = await services.authenticator.connection(request, KEYS)
    body = _json_object(await _body(request), "body")
    session = body.get("session")
    shown = SessionConfig()
    if session is not None:
        session = {"type": "realtime"} | _object(session, "session")
        shown = updated(shown, session).model_copy(update={"model": str(session.get("model", ""))})
    expires = _object(body.get("expires_after") or {}, "expires_after")
    seconds = expires.get("seconds", USUAL)
    if not isinstance(seconds, int) or isinstance(seconds, bool):
        raise InvalidRequest("expires_after.seconds is a whole number.", param="expires_after.seconds")
    origins = body.get("allowed_origins") or []
    if not isinstance(origins, list) or not all(isinstance(origin, str) for origin in origins):
        raise InvalidRequest("allowed_origins is a list of origins.", param="allowed_origins")
    secret = services.client_secrets.issue(principal, session=session, seconds=seconds, origins=origins)
    expires_at = int(secret.expires_at)
    return JSONResponse(
        {
            "value": secret.value,
            "expires_at": expires_at,
            "session": shown.to_json(session_id=new_id("sess"), expires_at=expires_at),
        }
    )


@answered
async def create_call(request: Request, services: Services) -> Response:
    """``POST /v1/realtime/calls``: an offer as it is, or in a form with the first session state."""
    caller = await services.client_secrets.caller(request, KEYS)
    offer, session = await _offer(request)
    offer = read_offer(offer)
    services.webrtc.require_room()
    opened = await open_session(
        services,
        caller,
        model=request.query_params.get("model"),
        intent=request.query_params.get("intent"),
        session=session,
        playback="server",
    )
    connection = WebRtcConnection(clock=services.clock, ice_servers=services.settings.ice_servers)
    answer = await connection.answer(offer)
    call_id = services.webrtc.take(caller.principal.tenant_id, opened, connection)
    return Response(
        answer,
        status_code=201,
        media_type="application/sdp",
        headers={"location": f"/v1/realtime/calls/{call_id}"},
    )


@answered
async def hang_up(request: Request, services: Services) -> Response:
    """``DELETE`` on a call, or ``POST …/hangup``."""
    caller = await services.client_secrets.caller(request, KEYS)
    call = services.webrtc.find(caller.principal.tenant_id, request.path_params["call_id"])
    await call.connection.close()
    return Response(status_code=200 if request.method == "POST" else 204)


async def _offer(request: Request) -> tuple[str, Mapping[str, Any] | None]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        return (await _body(request)).decode(errors="replace"), None
    bounded = Request(request.scope, _replay(await _body(request)))
    async with bounded.form(max_files=2, max_fields=2, max_part_size=MAX_BODY_BYTES) as form:
        parts = {name: await _text(value) for name, value in form.items()}
    if "sdp" not in parts:
        raise InvalidRequest("The form has no part 'sdp'.", param="sdp")
    session = parts.get("session")
    if not session:
        return parts["sdp"], None
    return parts["sdp"], {"type": "realtime"} | _json_object(session.encode(), "session")


async def _text(value: str | UploadFile) -> str:
    return value if isinstance(value, str) else (await value.read()).decode(errors="replace")


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise InvalidRequest(f"The body is larger than {MAX_BODY_BYTES} bytes.")
    return body


def _replay(body: bytes) -> Callable[[], Awaitable[dict[str, Any]]]:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def _json_object(body: bytes, param: str) -> dict[str, Any]:
    try:
        return _object(json.loads(body or b"{}"), param)
    except (ValueError, RecursionError):
        raise InvalidRequest(f"'{param}' is not valid JSON.", param=param) from None


def _object(value: object, param: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidRequest(f"'{param}' is an object.", param=param)
    return value


routes = [
    Route("/v1/realtime/client_secrets", preflight, methods=["OPTIONS"]),
    Route("/v1/realtime/client_secrets", create_secret, methods=["POST"]),
    Route("/v1/realtime/calls", preflight, methods=["OPTIONS"]),
    Route("/v1/realtime/calls", create_call, methods=["POST"]),
    Route("/v1/realtime/calls/{call_id}", preflight, methods=["OPTIONS"]),
    Route("/v1/realtime/calls/{call_id}", hang_up, methods=["DELETE"]),
    Route("/v1/realtime/calls/{call_id}/hangup", hang_up, methods=["POST"]),
]
