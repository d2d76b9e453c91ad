"""All live calls: who is let in, who is up, and how they end."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial

from runtime import metrics
from runtime.errors import AtCapacity
from sessions.agent import AgentProfile
from sessions.brains.brain import Brain
from sessions.equipment import Equipment
from sessions.peers.line import ResumableLine
from sessions.peers.peer import Peer
from sessions.resumption import Resumptions
from sessions.session import Session
from sessions.timeline import Timeline
from sessions.voice import SessionVoice
from tts.voices.resolve import VoiceResolver

log = logging.getLogger(__name__)

PARTING = 3.0
"""Seconds in which calls that are cut off may say so to the other side, and to its carrier."""


@dataclass(frozen=True, slots=True)
class Opening:
    """A call that was let in, and what it will be made with."""

    profile: AgentProfile
    voice: SessionVoice
    brain: Brain


class SessionManager:
    """
    Let calls in, run them apart from each other, and bring them to an end.

    Args:
        equipment: What all calls share.
        resolver: Whose voice a call speaks in.
        admit: Awaited before each call, until it may come in; raises AtCapacity to refuse it.
        on_turn: Told the timeline of every reply that is over.
    """

    def __init__(
        self,
        equipment: Equipment,
        resolver: VoiceResolver,
        *,
        admit: Callable[[], Awaitable[None]] | None = None,
        on_turn: Callable[[Timeline], None] = lambda _timeline: None,
    ) -> None:
        self._equipment = equipment
        self._resolver = resolver
        self._admit = admit or _anyone
        self._on_turn = on_turn
        self._sessions: set[Session] = set()
        self.broken_lines: Resumptions[ResumableLine] = Resumptions()
        """Calls that wait, or would wait, for their line to come back."""
        self._draining = False
        self._empty = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        """Live calls."""
        return len(self._sessions)

    async def open(self, profile: AgentProfile) -> Opening:
        """
        Decide whether a call may come in, and settle its voice, while its peer can still be told no.

        Raises:
            AtCapacity: The server is full, or going down.
            VoiceNotReady: The agent's voice cannot be had; ``code`` is ``voice_unavailable``.
            BrainError: The agent's brain cannot be made with these settings.
        """
        if self._draining:
            raise AtCapacity("the server is going down; call again in a moment", retry_after=5.0)
        await self._admit()
        brain = self._equipment.brains(profile)
        return Opening(profile, await SessionVoice.open(profile, self._resolver), brain)

    async def serve(self, opening: Opening, peer: Peer, *, session_id: str | None = None) -> None:
        """
        Run one call to its end. A fault in it is logged, ends it, and touches no other.

        Args:
            opening: From :meth:`open`.
            session_id: Defaults to a fresh ``sess_…``.
        """
        session_id = session_id or f"sess_{secrets.token_hex(12)}"
        session = Session(
            session_id,
            opening.profile,
            peer=peer,
            voice=opening.voice,
            brain=opening.brain,
            equipment=self._equipment,
            on_turn=partial(self._turn_over, session_id),
        )
        began = self._equipment.clock.now()
        reason = "ended"
        log.info(
            "%s: %s call to %s, voice %s", session_id, peer.transport, opening.profile.id, opening.voice.ref
        )
        with self._counted(session, peer.transport):
            try:
                await session.run()
            except Exception:
                reason = "fault"
                log.exception("call %s broke", session.id)
                peer.hang_up("fault")
        seconds = self._equipment.clock.now() - began
        log.info("%s: %s after %.1f s and %d items", session_id, reason, seconds, len(peer.conversation))
        metrics.calls.labels(peer.transport, reason).inc()
        metrics.call_seconds.labels(peer.transport).observe(seconds)

    def _turn_over(self, session_id: str, timeline: Timeline) -> None:
        stages = " ".join(f"{name} {seconds:.3f}" for name, seconds in timeline.stages().items())
        log.info("%s: reply after %.3f s (%s)", session_id, timeline.response_gap or 0.0, stages)
        self._on_turn(timeline)

    @contextmanager
    def _counted(self, session: Session, transport: str) -> Iterator[None]:
        self._sessions.add(session)
        self._empty.clear()
        try:
            with metrics.live_calls.labels(transport).track_inprogress():
                yield
        finally:
            self._sessions.discard(session)
            session.take_apart()
            if not self._sessions:
                self._empty.set()

    def retire_voice(self, voice_id: str) -> int:
        """
        End the calls that hold a voice, each with what it is saying now; returns how many there were.

        For a voice that may no longer be used at all. Deleting one needs no such thing: calls keep theirs.
        """
        holding = [session for session in self._sessions if session.may_speak_as(voice_id)]
        for session in holding:
            session.drain()
        return len(holding)

    async def drain(self, seconds: float) -> None:
        """
        Take no new calls; let live ones finish what they say, for ``seconds`` at most, and end the others
        within :data:`PARTING`.
        """
        self._draining = True
        for session in list(self._sessions):
            session.drain()
        try:
            async with asyncio.timeout(seconds):
                await self._empty.wait()
        except TimeoutError:
            log.warning("%d calls were still up after %g s and are cut off", len(self), seconds)
            for session in list(self._sessions):
                session.hang_up()
            with suppress(TimeoutError):
                async with asyncio.timeout(PARTING):
                    await self._empty.wait()


async def _anyone() -> None:
    """Let everybody in."""
