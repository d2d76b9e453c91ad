"""Which agent an AudioSocket call is for: its UUID says, as the dialplan or we have given it out."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from runtime.clock import Clock
from runtime.errors import VivavoceError
from runtime.transport.audiosocket import AudioSocketLine, AudioSocketServer
from runtime.wire.audiosocket import AudioSocketStream
from sessions.peers.telephone import TelephonePeer

if TYPE_CHECKING:
    from runtime.server.services import Services

log = logging.getLogger(__name__)

EXPECTED_SECONDS = 300
"""How long a call that was announced is waited for."""

MOST_EXPECTED = 10_000
"""Calls that may be waited for at a time; the oldest is then forgotten."""


@dataclass(frozen=True, slots=True)
class ExpectedCall:
    """A call that will come, or was placed."""

    agent_id: str
    outgoing: bool


class ExpectedCalls:
    """
    UUIDs and their agents. An announced one is good for one call; a dialplan's own for any number.

    Announced calls live in this process's memory, so that AudioSocket wants a server of one process.

    Args:
        standing: Agents of the UUIDs that dialplans have.
    """

    def __init__(self, clock: Clock, *, standing: Mapping[UUID, str]) -> None:
        self._clock = clock
        self._standing = standing
        self._announced: dict[UUID, tuple[ExpectedCall, float]] = {}

    def announce(self, agent_id: str, *, outgoing: bool = False) -> UUID:
        """A UUID for one call to this agent, within :data:`EXPECTED_SECONDS`."""
        call = uuid4()
        expected = ExpectedCall(agent_id, outgoing)
        self._announced[call] = (expected, self._clock.now() + EXPECTED_SECONDS)
        if len(self._announced) > MOST_EXPECTED:
            del self._announced[next(iter(self._announced))]
        return call

    def take(self, call: UUID) -> ExpectedCall | None:
        """Who a call is for; None where nobody expects it, or no longer."""
        expected, until = self._announced.pop(call, (None, 0.0))
        if expected is not None:
            return expected if self._clock.now() < until else None
        agent_id = self._standing.get(call)
        return ExpectedCall(agent_id, False) if agent_id is not None else None


async def open_audiosocket(services: Services, stack: AsyncExitStack) -> None:
    """
    Listen for Asterisk, where the settings say so; ``stack`` ends it.

    Raises:
        OSError: The port is taken.
    """
    settings = services.settings
    if settings.audiosocket_port is None:
        return

    async def answer(call: UUID, line: AudioSocketLine) -> None:
        expected = services.expected_calls.take(call)
        if expected is None:
            log.warning("nobody expects the AudioSocket call %s", call)
            return
        try:
            profile = await services.agents.answering(expected.agent_id)
            opening = await services.calls.open(profile)
        except VivavoceError as error:
            log.warning("the AudioSocket call %s is refused: %s", call, error.message)
            return
        peer = TelephonePeer(
            line,
            AudioSocketStream(call),
            profile,
            clock=services.clock,
            lead=0.0,
            outgoing=expected.outgoing,
        )
        await services.calls.serve(opening, peer)

    server = AudioSocketServer(answer, host=settings.host, port=settings.audiosocket_port)
    await server.start()
    stack.push_async_callback(server.close)
    log.info("AudioSocket on %s:%d", settings.host, server.port)
