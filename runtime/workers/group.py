"""Several children with the same service; each call goes to the least busy."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from runtime.workers.process import WorkerProcess


class WorkerGroup:
    """
    ``count`` :class:`WorkerProcess` of one service.

    For services whose calls stand alone. Where a call depends on an earlier one, hold on to one of
    :attr:`members`.
    """

    def __init__(
        self, service: Callable[[], object], *, count: int, name: str, niceness: int = 0, threads: int = 1
    ) -> None:
        if count < 1:
            raise ValueError(f"a group of {count} workers can do nothing")
        self.members: Sequence[WorkerProcess] = tuple(
            WorkerProcess(service, name=f"{name}-{number}", niceness=niceness, threads=threads)
            for number in range(count)
        )

    async def start(self) -> None:
        """Start all members at once. Raises as :meth:`WorkerProcess.start`, after closing the others."""
        outcomes = await asyncio.gather(*(member.start() for member in self.members), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                await self.close()
                raise outcome

    async def call(self, method: str, *args: object, timeout: float | None = None) -> Any:
        """As :meth:`WorkerProcess.call`, on the member with the fewest calls pending."""
        member = min(self.members, key=lambda member: (not member.alive, member.pending))
        return await member.call(method, *args, timeout=timeout)

    async def close(self) -> None:
        """Close all members."""
        await asyncio.gather(*(member.close() for member in self.members))
