"""Put numbered packets from the network in order, and say which ones are lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Lost:
    """Packets that never came in time: conceal them, or play as much silence."""

    count: int


class JitterBuffer(Generic[T]):
    """
    Reorder packets by number; give a missing one up once ``depth`` later ones wait.

    The first packet sets where the stream begins. Numbers may wrap. A jump of ``reset_after`` or more, either
    way, is a new stream (the peer restarted its count), not a loss of that size.

    Args:
        depth: Packets that may wait behind a gap; 0 for transports that keep order themselves, where a gap
            is a loss at once.
        modulus: Numbers run from 0 to ``modulus - 1``; None for numbers that never wrap.
        reset_after: Size of a jump that is taken for a restart.
    """

    def __init__(self, *, depth: int = 4, modulus: int | None = None, reset_after: int = 1_000) -> None:
        if depth < 0 or (modulus is not None and modulus <= 2 * reset_after) or reset_after <= depth:
            raise ValueError("need 0 <= depth < reset_after < modulus / 2")
        self.late = 0
        """Packets that came after they were given up, or twice."""
        self.lost = 0
        """Packets that were given up."""
        self._depth = depth
        self._modulus = modulus
        self._reset_after = reset_after
        self._next: int | None = None
        self._waiting: dict[int, T] = {}

    def push(self, number: int, packet: T) -> list[T | Lost]:
        """Take a packet, and return what can now be played, oldest first."""
        if self._next is None:
            self._next = number
        if number == self._next and not self._waiting:
            self._next = self._step(number, 1)
            return [packet]
        ahead = self._ahead(number)
        played: list[T | Lost] = []
        if abs(ahead) >= self._reset_after:
            played = self.flush()
            self._next = number
        elif ahead < 0 or number in self._waiting:
            self.late += 1
            return played
        self._waiting[number] = packet
        self._play(played)
        while len(self._waiting) > self._depth:
            self._give_up_gap(played)
            self._play(played)
        return played

    def flush(self) -> list[T | Lost]:
        """Everything that still waits, with the losses between, as at the end of a call."""
        played: list[T | Lost] = []
        while self._waiting:
            self._give_up_gap(played)
            self._play(played)
        return played

    def _play(self, played: list[T | Lost]) -> None:
        while self._next is not None and self._next in self._waiting:
            played.append(self._waiting.pop(self._next))
            self._next = self._step(self._next, 1)

    def _give_up_gap(self, played: list[T | Lost]) -> None:
        nearest = min(self._waiting, key=self._ahead)
        missing = self._ahead(nearest)
        self.lost += missing
        played.append(Lost(missing))
        self._next = nearest

    def _ahead(self, number: int) -> int:
        """How far a number lies in front of the next one to play; negative behind it."""
        assert self._next is not None
        distance = number - self._next
        if self._modulus is None:
            return distance
        half = self._modulus // 2
        return (distance + half) % self._modulus - half

    def _step(self, number: int, by: int) -> int:
        return number + by if self._modulus is None else (number + by) % self._modulus
