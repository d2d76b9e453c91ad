"""What is kept of a call when it is over: when, with whom, and what was said and heard."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from runtime.clock import Clock
from runtime.errors import NotFound
from runtime.server.recordings import RecordedCall, Recordings
from runtime.server.webhooks import announce
from runtime.store.database import Database
from runtime.store.models import CallRow
from runtime.wire.conversation import Conversation, Message, SpokenPart, spoken_part
from sessions.manager import Opening, SessionManager
from sessions.peers.noted import NotedPeer
from sessions.peers.peer import Peer

log = logging.getLogger(__name__)

STORE_SECONDS = 10.0
"""How long a call's record waits for its recording to be stored."""

NO_TIMES: Mapping[str, tuple[float, float]] = MappingProxyType({})
NO_TEXTS: Mapping[str, str] = MappingProxyType({})


class CallLog:
    """A tenant's calls that are over."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def note_start(self, call: RecordedCall) -> None:
        """Tell webhooks that a call began. A store that fails costs the event and not the call."""
        try:
            async with self._database.read() as store:
                if not await store.webhooks.all(call.tenant_id):
                    return
            async with self._database.write() as store:
                await announce(store, call.tenant_id, "call.started", told(call), at=call.began_at)
        except Exception:
            log.exception("the start of call %s could not be announced", call.id)

    async def keep(self, call: RecordedCall, *, seconds: float, turns: list[dict[str, Any]]) -> None:
        """Write a call down that is over. A store that fails costs the record and not the server."""
        row = CallRow(
            id=call.id,
            agent_id=call.agent_id,
            transport=call.transport,
            voice=call.voice,
            began_at=call.began_at,
            seconds=seconds,
            turns=turns,
        )
        ended = told(call) | {"duration_seconds": round(seconds, 3), "turns": len(turns)}
        try:
            async with self._database.write() as store:
                await store.calls.add(call.tenant_id, row)
                await announce(store, call.tenant_id, "call.ended", ended, at=call.began_at + seconds)
        except Exception:
            log.exception("call %s could not be written down", call.id)

    async def page(
        self, tenant_id: str, *, limit: int, after: str | None = None, agent_id: str | None = None
    ) -> tuple[Sequence[CallRow], bool]:
        """Newest first, and whether there are more after these."""
        async with self._database.read() as store:
            rows = await store.calls.page(tenant_id, limit=limit + 1, after=after, agent_id=agent_id)
        return rows[:limit], len(rows) > limit

    async def get(self, tenant_id: str, call_id: str) -> CallRow:
        """Raises NotFound."""
        async with self._database.read() as store:
            row = await store.calls.find(tenant_id, call_id)
        if row is None:
            raise no_such_call()
        return row

    async def delete(self, tenant_id: str, call_id: str) -> None:
        """Raises NotFound."""
        async with self._database.write() as store:
            if not await store.calls.delete(tenant_id, call_id):
                raise no_such_call()


class LoggedCalls(SessionManager):
    """Live calls that are written down when they are over, and recorded where their agent says so."""

    def __init__(
        self, *args: Any, call_log: CallLog, recordings: Recordings, clock: Clock, **options: Any
    ) -> None:
        super().__init__(*args, **options)
        self._call_log = call_log
        self._recordings = recordings
        self._clock = clock

    async def serve(self, opening: Opening, peer: Peer, *, session_id: str | None = None) -> None:
        profile = opening.profile
        if not profile.tenant_id:
            return await super().serve(opening, peer, session_id=session_id)
        call = RecordedCall(
            id=session_id or f"sess_{secrets.token_hex(12)}",
            tenant_id=profile.tenant_id,
            agent_id=profile.id,
            transport=peer.transport,
            voice=opening.voice.ref,
            began_at=self._clock.wall(),
        )
        tape = await self._recordings.begin(call) if profile.recorded else None
        noted = NotedPeer(peer, clock=self._clock, tape=tape)
        began = self._clock.now()
        started = asyncio.create_task(self._call_log.note_start(call), name=f"{call.id} announce")
        try:
            await super().serve(opening, noted, session_id=call.id)
        finally:
            # The call's task may be on its way out, too.
            await asyncio.shield(self._write_down(call, noted, began, started))
        return None

    async def _write_down(
        self, call: RecordedCall, peer: NotedPeer, began: float, started: asyncio.Task[None]
    ) -> None:
        seconds = self._clock.now() - began
        await started
        # Stored first: who sees the call in the list can have its recording.
        storing = asyncio.create_task(self._recordings.finish(call), name=f"{call.id} store recording")
        await asyncio.wait([storing], timeout=STORE_SECONDS)
        await self._call_log.keep(
            call, seconds=seconds, turns=turns_of(peer.conversation, peer.times, peer.meant)
        )
        await storing


def turns_of(
    conversation: Conversation,
    times: Mapping[str, tuple[float, float]] = NO_TIMES,
    meant: Mapping[str, str] = NO_TEXTS,
) -> list[dict[str, Any]]:
    """
    Who said what, in order; of a reply that was cut, what was heard of it. Our own notes are the system's.

    Args:
        times: When an item began and ended to sound, in seconds of the call. What was typed has none.
        meant: The whole of each message of the agent.
    """
    turns: list[dict[str, Any]] = []
    for item in conversation:
        if isinstance(item, Message) and item.text and (item.role != "system" or item.id.startswith("note_")):
            turn = {"role": item.role, "text": item.text, "complete": item.status == "completed"}
            if item.role == "assistant":
                turn |= {"text_heard": item.text, "text_generated": meant.get(item.id, item.text)}
            if item.id in times:
                begin, end = (_ms(seconds) for seconds in times[item.id])
                turn |= {"start_ms": begin, "end_ms": max(end, begin + 1)}
                if words := _words(item, times[item.id][0]):
                    turn["words"] = words
            turns.append(turn)
    return turns


def _words(item: Message, begin: float) -> list[dict[str, Any]]:
    """When each word that was heard of the agent's message sounded; none where nobody knows."""
    part = spoken_part(item) or SpokenPart()
    return [
        {
            "word": part.transcript[slice(*word.source)],
            "start_ms": _ms(begin + word.start),
            "end_ms": _ms(begin + word.end),
        }
        for word in part.words
    ]


def _ms(seconds: float) -> int:
    return round(1000 * seconds)


def told(call: RecordedCall) -> dict[str, Any]:
    """What events say of a call."""
    return {
        "call_id": call.id,
        "session_label": call.agent_id,
        "transport": call.transport,
        "voice_id": call.voice,
    }


def no_such_call() -> NotFound:
    """One answer for ids that are wrong, deleted, or somebody else's."""
    return NotFound("No such call.", param="id")
