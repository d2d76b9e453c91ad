"""Where calls come in: the door of the Realtime WebSocket."""

from __future__ import annotations

from collections.abc import Callable

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from runtime.errors import AtCapacity, InvalidRequest, VivavoceError
from runtime.server.auth import SOCKET_SCHEMES, offered_subprotocols
from runtime.server.realtime import OpenedSession, open_session, refusal
from runtime.server.services import Services
from runtime.wire.realtime.outbox import Outbox, encode
from runtime.wire.realtime.refusals import BETA_HEADER, BETA_SHAPE
from sessions.peers.audio_path import EventAudio
from sessions.peers.line import ResumableLine, Socket
from sessions.peers.realtime import RealtimePeer

SUBPROTOCOL = "realtime"
"""The one a client that offers any must get back, or browsers and Node drop the socket."""

BETA_CLOSE_CODE = 4000
"""With which OpenAI closes a socket that speaks the beta dialect."""


async def realtime(socket: WebSocket) -> None:
    """
    ``GET /v1/realtime?model=…``: a call in the dialect of the OpenAI Realtime API.

    ``model`` is an agent's id, or any other name for a plain agent. ``intent=transcription`` makes a session
    that only writes down what it hears. ``call_id`` joins a WebRTC call that is up, to see and steer it.
    ``resumable=true`` keeps the call for a while when the line breaks; ``resume=TOKEN`` takes it up again.
    Whatever stands against the call is said before the upgrade, in HTTP; see also :func:`turn_away`.
    """
    services: Services = socket.app.state.services
    query = socket.query_params
    try:
        caller = await services.client_secrets.caller(socket, SOCKET_SCHEMES)
        tenant_id = caller.principal.tenant_id
        if "realtime" in socket.headers.get("openai-beta", ""):
            await _refuse_beta(socket)
            return
        await services.concurrency.enter(socket.scope, caller.principal.key_id)
        if token := query.get("resume"):
            broken = services.calls.broken_lines.take(tenant_id, token)
        elif call_id := query.get("call_id"):
            joined = services.webrtc.find(tenant_id, call_id)
        else:
            opened = await open_session(
                services, caller, model=query.get("model"), intent=query.get("intent")
            )
    except AtCapacity as error:
        await turn_away(socket, error)
        return
    except VivavoceError as error:
        await socket.send_denial_response(refusal(error))
        return
    await _accept(socket)
    if token:
        await broken.go_on(socket)
    elif call_id:
        await joined.peer.join(socket)
    elif query.get("resumable") == "true":
        await serve_resumable(services, opened, ResumableLine(socket), tenant_id)
    else:
        await serve(services, opened, socket)


async def turn_away(socket: WebSocket, error: AtCapacity) -> None:
    """
    Refuse a call that cannot be kept: 503 and ``Retry-After``. A browser, who alone must offer a subprotocol,
    never sees what HTTP says: it is let in for an ``error`` event and a close with 1013, "try again later".
    """
    if SUBPROTOCOL not in offered_subprotocols(socket):
        await socket.send_denial_response(refusal(error))
        return
    outbox = Outbox()
    outbox.fail(error.message, error.code)
    await _tell_and_close(socket, outbox, error.close_code, f"try again in {error.retry_after:g} s")


async def _refuse_beta(socket: WebSocket) -> None:
    outbox = Outbox()
    outbox.refuse(InvalidRequest(BETA_HEADER, code=BETA_SHAPE), event_id=None)
    await _tell_and_close(socket, outbox, BETA_CLOSE_CODE, BETA_SHAPE)


async def _tell_and_close(socket: WebSocket, outbox: Outbox, code: int, reason: str) -> None:
    await _accept(socket)
    for event in outbox.events():
        await socket.send_text(encode(event))
    await socket.close(code, reason)


async def _accept(socket: WebSocket) -> None:
    await socket.accept(
        subprotocol=SUBPROTOCOL if SUBPROTOCOL in offered_subprotocols(socket) else None,
        headers=[(b"x-ai-generated", b"true")],
    )


async def serve(
    services: Services, opened: OpenedSession, socket: Socket, *, new_token: Callable[[], str] | None = None
) -> None:
    """Run the session to its end."""
    peer = RealtimePeer(
        socket,
        opened.protocol,
        EventAudio(opened.protocol, lead=services.settings.realtime_lead_ms / 1000),
        fallback=opened.opening.voice.fallback,
        new_token=new_token,
    )
    if isinstance(socket, ResumableLine):
        socket.on_break, socket.on_return = peer.line_broke, peer.line_returned
    await services.calls.serve(opened.opening, peer, session_id=opened.protocol.session.id)


async def serve_resumable(
    services: Services, opened: OpenedSession, line: ResumableLine, tenant_id: str
) -> None:
    """The same on a line that may break: each ``session.created`` brings the token to take it up again."""
    lines = services.calls.broken_lines
    try:
        await serve(services, opened, line, new_token=lambda: lines.issue(tenant_id, line))
    finally:
        lines.withdraw(line)
        line.end()


routes = [WebSocketRoute("/v1/realtime", realtime)]
