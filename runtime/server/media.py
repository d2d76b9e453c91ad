"""Where calls come in: the door of the Realtime WebSocket."""

from __future__ import annotations

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from runtime.errors import VivavoceError
from runtime.server.auth import SOCKET_SCHEMES, offered_subprotocols
from runtime.server.realtime import open_session, refusal
from runtime.server.services import Services
from sessions.peers.audio_path import EventAudio
from sessions.peers.realtime import RealtimePeer

SUBPROTOCOL = "realtime"
"""The one a client that offers any must get back, or browsers and Node drop the socket."""


async def realtime(socket: WebSocket) -> None:
    """
    ``GET /v1/realtime?model=…``: a call in the dialect of the OpenAI Realtime API.

    ``model`` is an agent's id, or any other name for a plain agent. ``intent=transcription`` makes a session
    that only writes down what it hears. ``call_id`` joins a WebRTC call that is up, to see and steer it.
    Whatever stands against the call is said before the upgrade, in HTTP.
    """
    services: Services = socket.app.state.services
    query = socket.query_params
    try:
        caller = await services.client_secrets.caller(socket, SOCKET_SCHEMES)
        if call_id := query.get("call_id"):
            joined = services.webrtc.find(caller.principal.tenant_id, call_id)
        else:
            opened = await open_session(
                services, caller, model=query.get("model"), intent=query.get("intent")
            )
    except VivavoceError as error:
        await socket.send_denial_response(refusal(error))
        return
    offered = SUBPROTOCOL in offered_subprotocols(socket)
    await socket.accept(subprotocol=SUBPROTOCOL if offered else None)
    if call_id:
        await joined.peer.join(socket)
        return
    audio = EventAudio(opened.protocol, lead=services.settings.realtime_lead_ms / 1000)
    peer = RealtimePeer(socket, opened.protocol, audio, fallback=opened.opening.voice.fallback)
    await services.calls.serve(opened.opening, peer, session_id=opened.protocol.session_id)


routes = [WebSocketRoute("/v1/realtime", realtime)]
