"""A brain that says back what it heard: the shortest way to hear a whole call work."""

from __future__ import annotations

from collections.abc import AsyncIterator

from sessions.brains.brain import Answer, Turn


class EchoBrain:
    """
    Says back the caller's words; needs no model and no network.

    Args:
        greeting: What it says when a call opens.
    """

    def __init__(self, *, greeting: str = "Hello. Say something, and I will say it back.") -> None:
        self._greeting = greeting

    async def reply(self, turn: Turn) -> AsyncIterator[Answer]:
        """Yield one reply; never fails."""
        if turn.opening:
            yield self._greeting
        elif words := turn.user_text.strip():
            yield "You said: "
            yield words if words[-1] in ".?!" else words + "."
        elif turn.dtmf:
            yield f"You pressed {', '.join(turn.dtmf)}."
        else:
            yield "I could not make out any words. Please say that again."
