"""
The Realtime API's other doors: WebRTC calls, and the secrets that browsers open them with.

``POST /v1/realtime/calls`` takes an offer and gives the answer, as WHIP (RFC 9725) does; at the address in
``Location`` the client restarts ICE with ``PATCH`` and hangs up with ``DELETE``. Pages of any origin may
call: what lets them in is the key in their header, never a cookie.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from runtime.errors import InvalidRequest, PreconditionFailed, UnsupportedMediaType, VivavoceError
from runtime.server.auth import Scheme
from runtime.server.client_secrets import USUAL
from runtime.server.realtime import open_session, refusal
from runtime.server.services import Services
from runtime.transport.webrtc import WebRtcConnection
from runtime.wire.conversation import new_id
from runtime.wire.realtime.config import SessionConfig
from runtime.wire.realtime.update import updated
from runtime.wire.signaling import read_offer

MAX_BODY_BYTES = 512 * 2**10
"""An offer, and a session with its tools."""

CORS = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "POST, PATCH, DELETE, OPTIONS",
    "access-control-allow-headers": "authorization, content-type, if-match, x-openai-agents-sdk",
    "access-control-expose-headers": "location, etag, accept-patch",
    "access-control-max-age": "86400",
}

SDP, FRAGMENT = "application/sdp", "application/trickle-ice-sdpfrag"
"""A whole offer or answer; the ICE side of one (RFC 8840 §9)."""

KEYS = Scheme.BEARER | Scheme.API_KEY


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
    secret = await services.client_secrets.issue(principal, session=session, seconds=seconds, origins=origins)
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
    """
    ``POST /v1/realtime/calls``: an offer as it is, or in a form with the first session state.

    ``resumable=true`` keeps the call for a while when its connection is lost; ``resume=TOKEN`` goes on with
    it on the connection that is offered now.
    """
    caller = await services.client_secrets.caller(request, KEYS)
    tenant_id = caller.principal.tenant_id
    query = request.query_params
    offer, session = await _offer(request)
    offer = read_offer(offer)
    services.webrtc.require_room()
    token = query.get("resume")
    if token is None:
        opened = await open_session(
            services,
            caller,
            model=query.get("model"),
            intent=query.get("intent"),
            session=session,
            playback="server",
        )
        connection = _connection(services)
        answer = await connection.answer(offer)
        resumable = query.get("resumable") == "true"
        call_id = services.webrtc.take(tenant_id, opened, connection, resumable=resumable)
    else:
        connection = _connection(services)
        answer = await connection.answer(offer)
        try:
            call_id = services.webrtc.resume(tenant_id, token, connection)
        except VivavoceError:
            await connection.close()
            raise
    headers = {"location": f"/v1/realtime/calls/{call_id}", "etag": connection.etag, "accept-patch": FRAGMENT}
    headers["x-ai-generated"] = "true"
    return Response(answer, status_code=201, media_type=SDP, headers=headers)


@answered
async def restart_ice(request: Request, services: Services) -> Response:
    """
    ``PATCH`` on a call: the peer's network has changed, or it has found more addresses (RFC 9725 §4.3).

    The body is a fragment, as WHIP has it, or a whole offer made after ``restartIce()``; the answer is of the
    same kind. 204 where it only brought candidates.
    """
    caller = await services.client_secrets.caller(request, KEYS)
    connection = services.webrtc.find(caller.principal.tenant_id, request.path_params["call_id"]).connection
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in (SDP, FRAGMENT):
        raise UnsupportedMediaType(f"The body is {kind or 'of no type'}; send {FRAGMENT} or {SDP}.")
    if request.headers.get("if-match", "*") not in ("*", connection.etag):
        raise PreconditionFailed(
            "If-Match names an ICE session that is no longer in use; take the newest ETag, or *."
        )
    body = (await _body(request)).decode(errors="replace")
    answer = await connection.restart(body) if kind == SDP else await connection.patch(body)
    headers = {"etag": connection.etag}
    if answer is None:
        return Response(status_code=204, headers=headers)
    return Response(answer, media_type=kind, headers=headers)


@answered
async def hang_up(request: Request, services: Services) -> Response:
    """``DELETE`` on a call, or ``POST …/hangup``."""
    caller = await services.client_secrets.caller(request, KEYS)
    call = services.webrtc.find(caller.principal.tenant_id, request.path_params["call_id"])
    await call.hang_up()
    return Response(status_code=200 if request.method == "POST" else 204)


def _connection(services: Services) -> WebRtcConnection:
    return WebRtcConnection(clock=services.clock, ice_servers=services.settings.ice_servers)


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
    Route("/v1/realtime/calls/{call_id}", restart_ice, methods=["PATCH"]),
    Route("/v1/realtime/calls/{call_id}", hang_up, methods=["DELETE"]),
    Route("/v1/realtime/calls/{call_id}/hangup", hang_up, methods=["POST"]),
]
