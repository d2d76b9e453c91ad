"""
The life of a session, as data.

This file holds every state a call can be in and every legal move between them; it knows nothing of audio,
brains or wires. A call is *opening* until its peer is read, *live* while turns are taken, *draining* when no
new turn may start but the present one may end, and *closed* for good. Illegal moves raise and change nothing.

Whose turn it is within a live call (the *floor*) is not kept anywhere: it follows from what the speaker and
the brain are doing, so it can never disagree with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from runtime.errors import VivavoceError


class Life(Enum):
    """Whether the call takes turns."""

    OPENING = "opening"
    LIVE = "live"
    DRAINING = "draining"
    CLOSED = "closed"


class Floor(Enum):
    """Who holds the floor of a live call."""

    LISTENING = "listening"
    """The caller, or nobody."""
    THINKING = "thinking"
    """The brain: a reply is being made, and nothing of it is heard yet."""
    SPEAKING = "speaking"
    """The agent's voice, until the caller has heard the last of it."""
    HOLDING = "holding"
    """The agent's voice, paused in mid-word while it is not sure whether the caller wants the floor."""


LIFE_MOVES: Mapping[Life, frozenset[Life]] = {
    Life.OPENING: frozenset({Life.LIVE, Life.CLOSED}),
    Life.LIVE: frozenset({Life.DRAINING, Life.CLOSED}),
    Life.DRAINING: frozenset({Life.CLOSED}),
    Life.CLOSED: frozenset(),
}


class IllegalMove(VivavoceError):
    """A fault of ours: the session tried to go where the table has no way."""

    code = "illegal_move"


class LifeOfCall:
    """One call's life, which goes only where :data:`LIFE_MOVES` allows."""

    def __init__(self) -> None:
        self._state = Life.OPENING

    @property
    def state(self) -> Life:
        return self._state

    def allows(self, target: Life) -> bool:
        return target in LIFE_MOVES[self._state]

    def move(self, target: Life) -> None:
        """
        Go to ``target``.

        Raises:
            IllegalMove: There is no such move; the state is as before.
        """
        if not self.allows(target):
            raise IllegalMove(f"no way from {self._state.value} to {target.value}")
        self._state = target
