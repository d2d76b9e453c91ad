"""Where telephone calls come in: the document a carrier fetches, and the socket it then dials."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from urllib.parse import urlencode

from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from runtime.errors import AtCapacity, Conflict, Forbidden, InvalidRequest, NotFound, VivavoceError
from runtime.server import carriers
from runtime.server.accounts import listens_on_loopback
from runtime.server.audiosocket import EXPECTED_SECONDS
from runtime.server.auth import Scheme, offered_subprotocols
from runtime.server.call_control import CarrierDesk, call_control
from runtime.server.carriers import Asked, Carrier
from runtime.server.services import Services
from runtime.transport.line import open_line
from runtime.wire.call_control import Destination, destination
from sessions.peers.telephone import OUTGOING, TelephonePeer

log = logging.getLogger(__name__)


async def voice(request: Request) -> Response:
    """``POST /telephony/{carrier}/{agent_id}/voice``: the document that connects a call to this agent."""
    services: Services = request.app.state.services
    body = await request.body()
    form = {name: str(value) for name, value in (await request.form()).multi_items()}
    try:
        carrier = carriers.carrier(request.path_params["carrier"])
        if carrier.answer is None:
            raise NotFound(f"{carrier.name} fetches no document: let it dial the stream itself.")
        require_admission(carrier, request, services, form=form, body=body)
        profile = await services.agents.answering(request.path_params["agent_id"])
    except VivavoceError as error:
        return refusal(error)
    stream_url = called_url(request, services, scheme="ws").removesuffix("/voice")
    if carrier.queries:
        stream_url += f"?ticket={stream_ticket(carrier, profile.id, services)}"
    told = carriers.told_by(form or dict(request.query_params), body)
    return carrier.answer(stream_url, {**told, "agent": profile.id})


async def media_stream(socket: WebSocket) -> None:
    """
    ``WS /telephony/{carrier}/{agent_id}``: a carrier's media stream.

    Whatever stands against the call is said before the upgrade, in HTTP: 403, 404, or 503 with Retry-After.
    """
    services: Services = socket.app.state.services
    try:
        carrier = carriers.carrier(socket.path_params["carrier"])
        require_admission(carrier, socket, services)
        stream = carrier.stream(socket.query_params)
        profile = await services.agents.answering(socket.path_params["agent_id"])
        opening = await services.calls.open(profile)
    except VivavoceError as error:
        await socket.send_denial_response(refusal(error))
        return
    offered = carrier.subprotocol in offered_subprotocols(socket)
    await socket.accept(subprotocol=carrier.subprotocol if offered else None)
    peer = TelephonePeer(
        open_line(socket),
        stream,
        profile,
        clock=services.clock,
        lead=services.settings.telephony_lead_ms / 1000,
        desk=carrier_desk(carrier, socket, profile.id, services),
        outgoing=socket.query_params.get("direction") == OUTGOING,
        keys_in_band=socket.query_params.get("keys") == "inband",
    )
    await services.calls.serve(opening, peer)


async def transfer(request: Request) -> Response:
    """``POST /telephony/{carrier}/{agent_id}/transfer``: the document that dials whom our ticket names."""
    services: Services = request.app.state.services
    try:
        carrier = carriers.carrier(request.path_params["carrier"])
        ticket = request.query_params.get("ticket", "")
        content = services.secrets.opened(ticket, now=services.clock.wall())
        to = content.pop("to", None)
        if to is None or content != {"carrier": carrier.name, "agent": request.path_params["agent_id"]}:
            raise NotFound("This ticket hands nobody on.")
        answer = None if carrier.dial is None else carrier.dial(destination(to))
        if answer is None:
            raise NotFound(f"{carrier.name} fetches no such document.")
    except VivavoceError as error:
        return refusal(error)
    return answer


async def announce_call(request: Request) -> Response:
    """
    ``POST /v1/telephony/calls`` with ``{"agent_id": …}``: the UUID by which Asterisk reaches an agent.

    It is good for one call by AudioSocket, within some minutes. With ``"direction": "outgoing"`` it is a call
    that Asterisk has placed, which a machine may answer.
    """
    services: Services = request.app.state.services
    try:
        principal = await services.authenticator.connection(request, Scheme.BEARER | Scheme.API_KEY)
        if services.settings.audiosocket_port is None:
            raise Conflict("AudioSocket is off.", fix="Set VIVAVOCE_AUDIOSOCKET_PORT.")
        try:
            asked = await request.json()
        except ValueError:
            asked = None
        if not isinstance(asked, dict) or not isinstance(asked.get("agent_id"), str):
            raise InvalidRequest('The body is {"agent_id": …}.', param="agent_id")
        agent = await services.agents.profile(principal.tenant_id, asked["agent_id"])
        if agent.id != asked["agent_id"]:
            raise NotFound("There is no such agent.", fix="Give the id of an agent, agent_….")
    except VivavoceError as error:
        told = {"code": error.code, "message": error.message, "fix": error.fix}
        return JSONResponse({"error": told}, status_code=error.status)
    call = services.expected_calls.announce(agent.id, outgoing=asked.get("direction") == OUTGOING)
    return JSONResponse({"uuid": str(call), "expires_in_seconds": EXPECTED_SECONDS}, status_code=201)


def require_admission(
    carrier: Carrier,
    connection: HTTPConnection,
    services: Services,
    *,
    form: Mapping[str, str] | None = None,
    body: bytes = b"",
) -> None:
    """
    Let in what the carrier signed, what our own document has sent, and what shows the telephony token.

    Raises:
        Forbidden: It is none of these; or we have nothing to check it with, and are open to the world.
    """
    settings = services.settings
    scheme = "ws" if isinstance(connection, WebSocket) else "http"
    url = called_url(connection, services, scheme=scheme)
    signed = carrier.signed(Asked(connection, settings, url, form or {}, body, services.clock.wall()))
    if signed or holds_ticket(carrier, connection, services):
        return
    if settings.telephony_token and carriers.shows_token(connection, settings.telephony_token):
        return
    if signed is None:
        if listens_on_loopback(settings.host):
            return
        raise Forbidden(
            f"{carrier.name} may not call: set {carrier.setting}, so that it can be told from others."
        )
    if carrier.setting == carriers.TOKEN:
        raise Forbidden(f"{carrier.name} must show the token of {carriers.TOKEN}, as ?token= or a password.")
    raise Forbidden(
        f"The signature does not fit {url}: if {carrier.name} was given another address, set"
        " VIVAVOCE_PUBLIC_URL."
    )


TICKET_SECONDS = 300.0
"""How long a carrier may take from our document to its stream."""


def stream_ticket(carrier: Carrier, agent_id: str, services: Services) -> str:
    """What lets a stream in that our own document has sent: who signs webhooks need not sign sockets."""
    return _ticket(services, carrier=carrier.name, agent=agent_id)


def _ticket(services: Services, **content: str) -> str:
    return services.secrets.sign(content, expires_at=services.clock.wall() + TICKET_SECONDS)


def holds_ticket(carrier: Carrier, connection: HTTPConnection, services: Services) -> bool:
    """Whether a stream's address has a ticket for this carrier and this agent."""
    if not (isinstance(connection, WebSocket) and carrier.queries):
        return False
    try:
        content = services.secrets.opened(
            connection.query_params.get("ticket", ""), now=services.clock.wall()
        )
    except NotFound:
        return False
    return content == {"carrier": carrier.name, "agent": connection.path_params["agent_id"]}


def called_url(connection: HTTPConnection, services: Services, *, scheme: str) -> str:
    """
    The address that the carrier was given for this request, without its query for a socket.

    Args:
        scheme: ``http`` or ``ws``; its secure form is used where the public address has one.
    """
    public = services.settings.public_url
    secure = (public or str(connection.base_url)).startswith(("https", "wss"))
    host = public.partition("://")[2].rstrip("/") if public else connection.url.netloc
    query = f"?{connection.url.query}" if connection.url.query and scheme == "http" else ""
    return f"{scheme}{'s' if secure else ''}://{host}{connection.url.path}{query}"


def carrier_desk(
    carrier: Carrier, connection: HTTPConnection, agent_id: str, services: Services
) -> CarrierDesk | None:
    """Where this carrier's calls are ended and handed on; None where closing the stream has to do."""
    control = call_control(carrier.name, services.settings)
    if control is None:
        return None
    stream_url = called_url(connection, services, scheme="http").partition("?")[0]

    def document(to: Destination) -> str:
        ticket = _ticket(services, carrier=carrier.name, agent=agent_id, to=to.value)
        return f"{stream_url}/transfer?{urlencode({'ticket': ticket})}"

    return CarrierDesk(carrier.name, control, clock=services.clock, document=document)


def refusal(error: VivavoceError) -> Response:
    """In plain words: carriers show them in their debuggers."""
    headers = {}
    if isinstance(error, AtCapacity):
        headers["retry-after"] = str(max(1, round(error.retry_after)))
    text = error.message if error.fix is None else f"{error.message} {error.fix}"
    return PlainTextResponse(text, status_code=error.status, headers=headers)


routes = [
    Route("/v1/telephony/calls", announce_call, methods=["POST"]),
    Route("/telephony/{carrier}/{agent_id}/voice", voice, methods=["GET", "POST"]),
    Route("/telephony/{carrier}/{agent_id}/transfer", transfer, methods=["GET", "POST"]),
    WebSocketRoute("/telephony/{carrier}/{agent_id}", media_stream),
]
