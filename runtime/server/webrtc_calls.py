"""The WebRTC calls that are up, or connecting, or waiting for their peer to come back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from runtime.errors import AtCapacity, NotFound, TransportClosed
from runtime.server.realtime import OpenedSession
from runtime.transport.webrtc import WebRtcConnection
from runtime.wire.conversation import new_id
from sessions.manager import SessionManager
from sessions.peers.audio_path import MediaAudio
from sessions.peers.line import ResumableLine
from sessions.peers.realtime import RealtimePeer
from sessions.resumption import Resumptions

log = logging.getLogger(__name__)

MOST_CONNECTING = 64
"""Peers that have their answer and have not connected yet."""


class LiveCall:
    """
    One caller, and the connection they are on now.

    While nothing is heard of the peer, the agent holds its breath. A call that may be resumed outlives its
    connection: it ends when either side hangs up, or when nobody has come back in time.

    Args:
        tokens: Where a token to resume this call is found; None where it is not to be resumed.
    """

    def __init__(
        self,
        tenant_id: str,
        session: OpenedSession,
        connection: WebRtcConnection,
        tokens: Resumptions[LiveCall] | None,
    ) -> None:
        self.id = new_id("rtc")
        self.tenant_id = tenant_id
        self.connection = connection
        self.hung_up = False
        """Whether it is over, though it may still be tidying up."""
        self._audio = MediaAudio(session.protocol, connection)
        self._line = None if tokens is None else ResumableLine(connection)
        self.peer = RealtimePeer(
            connection if self._line is None else self._line,
            session.protocol,
            self._audio,
            fallback=session.opening.voice.fallback,
            new_token=None if tokens is None else lambda: tokens.issue(tenant_id, self),
        )
        if self._line is not None:
            self._line.on_break, self._line.on_return = self.peer.line_broke, self.peer.line_returned
        self._attend(connection)

    async def move_to(self, connection: WebRtcConnection) -> None:
        """Go on with this connection in the place of the present one; returns when it is no longer used."""
        assert self._line is not None
        before, self.connection = self.connection, connection
        self._attend(connection)
        self._audio.move_to(connection)
        await before.close()
        await self._line.go_on(connection)

    async def hang_up(self) -> None:
        """Harmless twice."""
        self.hung_up = True
        if self._line is not None:
            self._line.end()
        await self.connection.hang_up()

    def _attend(self, connection: WebRtcConnection) -> None:
        connection.on_quiet, connection.on_heard = self.peer.line_broke, self.peer.line_found


class WebRtcCalls:
    """All of them."""

    def __init__(self, calls: SessionManager) -> None:
        self._calls = calls
        self._live: dict[str, LiveCall] = {}
        self._tokens: Resumptions[LiveCall] = Resumptions()
        self._tasks: set[asyncio.Task[None]] = set()
        self._connecting = 0

    def __contains__(self, name: str) -> bool:
        """Whether this is the id of a call here, or a token to resume one; whosever it is."""
        return name in self._live or name in self._tokens

    def take(
        self, tenant_id: str, session: OpenedSession, connection: WebRtcConnection, *, resumable: bool = False
    ) -> str:
        """Run a call once its peer has connected. Returns its id."""
        call = LiveCall(tenant_id, session, connection, self._tokens if resumable else None)
        self._live[call.id] = call
        self._spawn(self._run(call, session), f"webrtc {call.id}")
        return call.id

    def resume(self, tenant_id: str, token: str, connection: WebRtcConnection) -> str:
        """
        Go on with a call on ``connection``, once its peer has connected. Returns the call's id.

        The token is used up only then.

        Raises:
            NotFound: No call waits for this token.
        """
        call = self._tokens.find(tenant_id, token)
        self._spawn(self._go_on(call, token, connection), f"resume {call.id}")
        return call.id

    def require_room(self) -> None:
        """Raises AtCapacity while too many peers are connecting."""
        if self._connecting >= MOST_CONNECTING:
            raise AtCapacity("Too many WebRTC peers are connecting at once.")

    def find(self, tenant_id: str, call_id: str) -> LiveCall:
        """Raises NotFound for a call that is over or another tenant's."""
        call = self._live.get(call_id)
        if call is None or call.hung_up or call.tenant_id != tenant_id:
            raise NotFound("There is no such call, or no longer.", param="call_id")
        return call

    async def close(self) -> None:
        """Hang up all calls."""
        for call in list(self._live.values()):
            await call.hang_up()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, call: LiveCall, session: OpenedSession) -> None:
        try:
            await self._connected(call.connection)
            await self._calls.serve(session.opening, call.peer, session_id=session.protocol.session.id)
        except TransportClosed as error:
            log.info("%s: %s", call.id, error)
        finally:
            del self._live[call.id]
            self._tokens.withdraw(call)
            await call.hang_up()

    async def _go_on(self, call: LiveCall, token: str, connection: WebRtcConnection) -> None:
        try:
            await self._connected(connection)
            self._tokens.take(call.tenant_id, token)
            await call.move_to(connection)
        except (TransportClosed, NotFound) as error:
            log.info("%s is not resumed: %s", call.id, error)
        finally:
            await connection.close()

    async def _connected(self, connection: WebRtcConnection) -> None:
        self._connecting += 1
        try:
            await connection.opened()
        finally:
            self._connecting -= 1

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
