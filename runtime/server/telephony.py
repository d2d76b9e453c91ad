"""Where telephone calls come in: the document a carrier fetches, and the socket it then dials."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping

import httpx
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from runtime.errors import AtCapacity, Forbidden, VivavoceError
from runtime.server.accounts import listens_on_loopback
from runtime.server.services import Services
from runtime.transport.line import open_line
from runtime.wire import twilio
from runtime.wire.telephony import CallStarted
from sessions.peers.telephone import TelephonePeer

log = logging.getLogger(__name__)

TWILIO_API = "https://api.twilio.com/2010-04-01"


async def voice(request: Request) -> Response:
    """``POST /telephony/twilio/{agent_id}/voice``: the TwiML that connects a call to this agent."""
    services: Services = request.app.state.services
    form = {name: str(value) for name, value in (await request.form()).multi_items()}
    try:
        require_signature(request, services, form)
        profile = await services.agents.answering(request.path_params["agent_id"])
    except VivavoceError as error:
        return refusal(error)
    stream_url = called_url(request, services, scheme="ws").removesuffix("/voice")
    attached = {"from": form.get("From", ""), "to": form.get("To", ""), "agent": profile.id}
    return Response(twilio.twiml(stream_url, attached), media_type="text/xml")


async def media_stream(socket: WebSocket) -> None:
    """
    ``WS /telephony/twilio/{agent_id}``: a Twilio media stream.

    Whatever stands against the call is said before the upgrade, in HTTP: 403, 404, or 503 with Retry-After.
    """
    services: Services = socket.app.state.services
    try:
        require_signature(socket, services, {})
        profile = await services.agents.answering(socket.path_params["agent_id"])
        opening = await services.calls.open(profile)
    except VivavoceError as error:
        await socket.send_denial_response(refusal(error))
        return
    await socket.accept()
    peer = TelephonePeer(
        open_line(socket),
        twilio.TwilioStream(),
        profile,
        clock=services.clock,
        lead=services.settings.telephony_lead_ms / 1000,
        end_call=call_ender(services),
    )
    await services.calls.serve(opening, peer)


def require_signature(connection: HTTPConnection, services: Services, form: Mapping[str, str]) -> None:
    """
    Raises:
        Forbidden: It was not signed with the account's token; or we have none, and are open to the world.
    """
    token = services.settings.twilio_auth_token
    if token is None:
        if listens_on_loopback(services.settings.host):
            return
        raise Forbidden(
            "Telephone calls are off: set VIVAVOCE_TWILIO_AUTH_TOKEN, so that callers can be told."
        )
    scheme = "ws" if isinstance(connection, WebSocket) else "http"
    algorithm = twilio.signature_algorithm(connection.headers.get(twilio.SIGNATURE_SETTINGS_HEADER))
    url = called_url(connection, services, scheme=scheme)
    given = connection.headers.get(twilio.SIGNATURE_HEADER)
    if not twilio.is_signed(token, url, form, given, algorithm=algorithm):
        raise Forbidden(
            f"The signature does not fit {url}: if Twilio was given another address, set VIVAVOCE_PUBLIC_URL."
        )


def called_url(connection: HTTPConnection, services: Services, *, scheme: str) -> str:
    """
    The address that Twilio was given for this request, without its query for a socket.

    Args:
        scheme: ``http`` or ``ws``; its secure form is used where the public address has one.
    """
    public = services.settings.public_url
    secure = (public or str(connection.base_url)).startswith(("https", "wss"))
    host = public.partition("://")[2].rstrip("/") if public else connection.url.netloc
    query = f"?{connection.url.query}" if connection.url.query and scheme == "http" else ""
    return f"{scheme}{'s' if secure else ''}://{host}{connection.url.path}{query}"


def call_ender(services: Services) -> Callable[[CallStarted], Awaitable[None]] | None:
    """How to hang up at Twilio; None where we hold no credentials, and closing the stream has to do."""
    account, token = services.settings.twilio_account_sid, services.settings.twilio_auth_token
    if account is None or token is None:
        return None

    async def end_call(started: CallStarted) -> None:
        url = f"{TWILIO_API}/Accounts/{account}/Calls/{started.call_id}.json"
        try:
            async with httpx.AsyncClient(auth=(account, token), timeout=5.0) as client:
                answer = await client.post(url, data={"Status": "completed"})
                answer.raise_for_status()
        except httpx.HTTPError as error:
            # The stream is closed next, which ends most calls, too.
            log.warning("Twilio did not hang up call %s: %s", started.call_id, error)

    return end_call


def refusal(error: VivavoceError) -> Response:
    """In plain words: Twilio shows them in its debugger."""
    headers = {}
    if isinstance(error, AtCapacity):
        headers["retry-after"] = str(max(1, round(error.retry_after)))
    text = error.message if error.fix is None else f"{error.message} {error.fix}"
    return PlainTextResponse(text, status_code=error.status, headers=headers)


routes = [
    Route("/telephony/twilio/{agent_id}/voice", voice, methods=["POST"]),
    WebSocketRoute("/telephony/twilio/{agent_id}", media_stream),
]
