"""How long a brain may keep the caller waiting, and what is noticed meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final, TypeVar

from runtime.errors import BrainError

T = TypeVar("T")


class Stalled:
    """Yielded once when the first piece is late: a good moment to say something to pass the time."""


STALLED: Final = Stalled()


async def patiently(
    pieces: AsyncIterator[T], *, stalled_after: float, timeout: float
) -> AsyncGenerator[T | Stalled, None]:
    """
    Yield what ``pieces`` yields, and :data:`STALLED` once if the first takes longer than ``stalled_after``.

    Args:
        stalled_after: Seconds; infinity never notices.
        timeout: Seconds any piece may take.

    Raises:
        BrainError: A piece took longer than ``timeout``; ``code`` is ``brain_timeout``.
    """
    first = True
    while True:
        piece = asyncio.ensure_future(anext(pieces))
        try:
            if first and stalled_after < timeout:
                await asyncio.wait({piece}, timeout=stalled_after)
                if not piece.done():
                    yield STALLED
                    await asyncio.wait({piece}, timeout=timeout - stalled_after)
            else:
                await asyncio.wait({piece}, timeout=timeout)
            if not piece.done():
                raise BrainError(f"the brain said nothing for {timeout:g} s", code="brain_timeout")
        finally:
            if not piece.done():
                piece.cancel()
                await asyncio.wait({piece})
        first = False
        try:
            yield piece.result()
        except StopAsyncIteration:
            return
