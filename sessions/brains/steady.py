"""A brain that never stops talking: load tests measure everything but thinking with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from sessions.brains.brain import Answer, Turn, Verbatim

PIECE = "and so it goes on and on "
"""With the tone engine, 1.08 s of tone without a break."""

PIECE_SECONDS = 1.08
"""What the tone engine takes for it: 18 letters, 0.06 s each."""

PIECES = 2
"""In a phrase: two seconds, so that little waits on each of many hundred lines."""

STOCK = 1
"""Phrases said ahead of time, so that the voice never waits for us."""


class SteadyBrain:
    """
    Say the same again and again until somebody hangs up.

    It paces itself by the tone engine's speed, on a grid of its own, some pieces ahead. With an engine that
    speaks more slowly the text piles up: it is made for the tone.
    """

    async def reply(self, turn: Turn) -> AsyncIterator[Answer]:
        """See :meth:`sessions.brains.brain.Brain.reply`."""
        phrase = Verbatim(PIECE * PIECES)
        loop = asyncio.get_running_loop()
        began = loop.time()
        said = 0
        while True:
            yield phrase
            said += 1
            await asyncio.sleep(max(0.0, began + (said - STOCK) * PIECES * PIECE_SECONDS - loop.time()))
