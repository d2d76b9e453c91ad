"""How much a key may have going on at a time: answers that are still being sent, and sockets that are up."""

from __future__ import annotations

from collections import Counter

from starlette.types import ASGIApp, Receive, Scope, Send

from runtime.errors import RateLimited
from runtime.server.neighbours import Neighbours

QUESTION = "going-on"
"""What the processes of a fleet ask each other: how much a key has going on there."""

SLOT = "vivavoce.slot"
"""Where a connection's scope notes for whom it is counted."""


class ConcurrencyLimit:
    """
    Counts requests and sockets from the moment their key is known until they are over.

    In a fleet each process counts its own and asks the others, so a process that dies takes its count with
    it. Two that ask at the same moment may both let one in: the bound is kept to within as many as there are
    processes.

    Args:
        per_key: At a time; 0 lets everything pass, and nobody is asked.
    """

    def __init__(self, per_key: int, neighbours: Neighbours | None = None) -> None:
        self.per_key = per_key
        self._neighbours = neighbours or Neighbours()
        self._going_on: Counter[str] = Counter()

    def going_on(self, key_id: str) -> int:
        """In this process."""
        return self._going_on[key_id]

    async def enter(self, scope: Scope, key_id: str) -> None:
        """
        Count a connection for its key, until :class:`GiveBack` sees it end. Harmless twice.

        Raises:
            RateLimited: The key has as much going on as it may.
        """
        held: list[tuple[ConcurrencyLimit, str]] = scope.setdefault(SLOT, [])
        if not self.per_key or held:
            return
        elsewhere = await self._neighbours.ask(QUESTION, key_id)
        others = sum(int(number) for number in elsewhere.values() if number)
        if self._going_on[key_id] + others >= self.per_key:
            raise RateLimited(
                f"More than {self.per_key} requests and calls at a time.",
                retry_after=1.0,
                code="concurrency_limit_exceeded",
            )
        self._going_on[key_id] += 1
        held.append((self, key_id))

    def leave(self, key_id: str) -> None:
        self._going_on[key_id] -= 1
        if not self._going_on[key_id]:
            del self._going_on[key_id]


class GiveBack:
    """ASGI middleware: when a connection is over, its key has room again."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        held: list[tuple[ConcurrencyLimit, str]] = []
        scope[SLOT] = held  # the same list for all who get a copy of the scope
        try:
            await self._app(scope, receive, send)
        finally:
            for limit, key_id in held:
                limit.leave(key_id)
