"""Whether a peer that sends nothing is still there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from runtime.clock import Clock

QUIET: Final = 1.0
"""Seconds without a packet of the peer's after which it is asked. Browsers send audio every 20 ms, and every
0.4 s where they leave out silence."""

ASKED: Final = 3
"""Questions without an answer until the peer counts as gone: one may be lost on a bad network."""


class Presence:
    """
    Notice that a peer has gone, and that it is back.

    Args:
        ask: One question to the peer; whether it answered.
        on_lost: Called when it has fallen silent and does not answer.
        on_found: Called when it is heard of again.
    """

    def __init__(
        self,
        clock: Clock,
        ask: Callable[[], Awaitable[bool]],
        *,
        on_lost: Callable[[], None],
        on_found: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._ask = ask
        self._on_lost = on_lost
        self._on_found = on_found
        self._seen_at = clock.now()
        self._lost = False

    @property
    def lost(self) -> bool:
        return self._lost

    def seen(self) -> None:
        """A packet of the peer's has come."""
        self._seen_at = self._clock.now()
        self._found()

    async def watch(self) -> None:
        """Look after the peer until cancelled."""
        while True:
            await asyncio.sleep(QUIET)
            if self._clock.now() - self._seen_at < QUIET:
                continue
            if await self._answers():
                self._found()
            elif not self._lost and self._clock.now() - self._seen_at >= QUIET:
                self._lost = True
                self._on_lost()

    async def _answers(self) -> bool:
        for _ in range(1 if self._lost else ASKED):
            if await self._ask():
                return True
        return False

    def _found(self) -> None:
        if self._lost:
            self._lost = False
            self._on_found()
