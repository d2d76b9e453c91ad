"""
The life of a session, as data.

This file holds every state a call can be in and every legal move between them; it knows nothing of audio,
brains or wires. A call is *opening* while its voice is resolved and its peer greeted, *live* while turns are
taken, *draining* when no new turn may start but the present one may end, and *closed* for good. Within a live
call the floor is held by nobody (*listening*), by the brain (*thinking*) or by the agent's voice (*speaking*);
*holding* is the agent's voice paused in mid-word while it is not yet sure whether the caller wants the floor.

Illegal moves raise and change nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Generic, TypeVar

from runtime.errors import VivavoceError


class Life(Enum):
    """Whether the call takes turns."""

    OPENING = "opening"
    LIVE = "live"
    DRAINING = "draining"
    CLOSED = "closed"


class Floor(Enum):
    """Whose turn it is within a live call."""

    LISTENING = "listening"
    THINKING = "thinking"
    SPEAKING = "speaking"
    HOLDING = "holding"


LIFE_MOVES: Mapping[Life, frozenset[Life]] = {
    Life.OPENING: frozenset({Life.LIVE, Life.CLOSED}),
    Life.LIVE: frozenset({Life.DRAINING, Life.CLOSED}),
    Life.DRAINING: frozenset({Life.CLOSED}),
    Life.CLOSED: frozenset(),
}

FLOOR_MOVES: Mapping[Floor, frozenset[Floor]] = {
    # A response was asked for.
    Floor.LISTENING: frozenset({Floor.THINKING}),
    # First frame queued; or the answer was empty, text only, cancelled or failed.
    Floor.THINKING: frozenset({Floor.SPEAKING, Floor.LISTENING}),
    # The caller may want the floor; or everything has been said, or was cut.
    Floor.SPEAKING: frozenset({Floor.HOLDING, Floor.LISTENING}),
    # A false alarm; or a real interruption.
    Floor.HOLDING: frozenset({Floor.SPEAKING, Floor.LISTENING}),
}

S = TypeVar("S", Life, Floor)


class IllegalMove(VivavoceError):
    """A fault of ours: the session tried to go where the table has no way."""

    code = "illegal_move"


class StateMachine(Generic[S]):
    """One state, and only the moves its table allows."""

    def __init__(self, start: S, moves: Mapping[S, frozenset[S]]) -> None:
        self._state = start
        self._moves = moves

    @property
    def state(self) -> S:
        return self._state

    def allows(self, target: S) -> bool:
        return target in self._moves[self._state]

    def move(self, target: S) -> None:
        """
        Go to ``target``.

        Raises:
            IllegalMove: There is no such move; the state is as before.
        """
        if not self.allows(target):
            raise IllegalMove(f"no way from {self._state.value} to {target.value}")
        self._state = target


def new_life() -> StateMachine[Life]:
    """A call that is opening."""
    return StateMachine(Life.OPENING, LIFE_MOVES)


def new_floor() -> StateMachine[Floor]:
    """A call in which nobody speaks yet."""
    return StateMachine(Floor.LISTENING, FLOOR_MOVES)
