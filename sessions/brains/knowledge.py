"""A brain that is told, before each reply, what somebody else's knowledge base has on the question."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast

from sessions.brains.brain import Answer, Brain, Turn, expected_answers

PREAMBLE = "What is known about the caller's question; use it where it helps:"


@dataclass(frozen=True, slots=True)
class KnowledgeBase:
    """Where to ask, and as whom."""

    url: str
    token: str | None = None
    label: str | None = None
    """The session's label, told along with the question."""


class Librarian(Protocol):
    """Asks a knowledge base."""

    async def look_up(self, base: KnowledgeBase, query: str) -> str | None:
        """What it has, in words; None where it has nothing, or took too long: a call goes on without."""
        ...


class KnowledgeBrain:
    """
    Args:
        brain: Replies.
        base: Asked what the caller said, in every turn in which they said something.
        librarian: Asks it.
    """

    def __init__(self, brain: Brain, *, base: KnowledgeBase, librarian: Librarian) -> None:
        self._brain = brain
        self._base = base
        self._librarian = librarian

    @property
    def expects(self) -> Sequence[str]:
        """As the brain."""
        return expected_answers(self._brain)

    async def reply(self, turn: Turn) -> AsyncIterator[Answer]:
        """Yield the brain's reply. Raises as the brain."""
        if turn.user_text:
            found = await self._librarian.look_up(self._base, turn.user_text)
            if found:
                told = "\n\n".join(filter(None, (turn.instructions, f"{PREAMBLE}\n{found}")))
                turn = replace(turn, instructions=told)
        # Every brain's reply is an async generator; the protocol does not need to say so.
        async with aclosing(cast("Any", self._brain.reply(turn))) as answers:
            async for answer in answers:
                yield answer
