"""What is kept of a call when it is over: when, with whom, and what was said and heard."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Sequence
from typing import Any

from runtime.clock import Clock
from runtime.errors import NotFound
from runtime.store.database import Database
from runtime.store.models import CallRow
from runtime.wire.conversation import Conversation, Message
from sessions.manager import Opening, SessionManager
from sessions.peers.peer import Peer

log = logging.getLogger(__name__)


class CallLog:
    """A tenant's calls that are over."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, tenant_id: str, row: CallRow) -> None:
        """Write a call down. A store that fails costs the record and not the server."""
        try:
            async with self._database.write() as store:
                await store.calls.add(tenant_id, row)
        except Exception:
            log.exception("call %s could not be written down", row.id)

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
    """Live calls that are written down when they are over."""

    def __init__(self, *args: Any, call_log: CallLog, clock: Clock, **options: Any) -> None:
        super().__init__(*args, **options)
        self._call_log = call_log
        self._wall = clock.wall
        self._now = clock.now

    async def serve(self, opening: Opening, peer: Peer, *, session_id: str | None = None) -> None:
        session_id = session_id or f"sess_{secrets.token_hex(12)}"
        began_at, began = self._wall(), self._now()
        try:
            await super().serve(opening, peer, session_id=session_id)
        finally:
            if opening.profile.tenant_id:
                row = CallRow(
                    id=session_id,
                    agent_id=opening.profile.id,
                    transport=peer.transport,
                    voice=opening.voice.ref,
                    began_at=began_at,
                    seconds=self._now() - began,
                    turns=turns_of(peer.conversation),
                )
                # The call's task may be on its way out, too.
                await asyncio.shield(self._call_log.keep(opening.profile.tenant_id, row))


def turns_of(conversation: Conversation) -> list[dict[str, Any]]:
    """Who said what, in order; of a reply that was cut, what was heard of it."""
    return [
        {"role": item.role, "text": item.text, "complete": item.status == "completed"}
        for item in conversation
        if isinstance(item, Message) and item.role in ("user", "assistant") and item.text
    ]


def no_such_call() -> NotFound:
    """One answer for ids that are wrong, deleted, or somebody else's."""
    return NotFound("No such call.", param="id")
