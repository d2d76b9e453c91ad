"""Decide which utterance is served next: the one whose listener runs dry first, if it is time yet."""

from __future__ import annotations

import heapq
from collections.abc import Hashable
from dataclasses import dataclass, field
from itertools import count
from math import inf
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


@dataclass(order=True, slots=True)
class _Ticket(Generic[Key]):
    deadline: float
    number: int
    key: Key = field(compare=False)
    lane: int | None = field(compare=False)


class DeadlineQueue(Generic[Key]):
    """
    Earliest deadline first, over several lanes, with a bounded lead.

    A lane is a worker. An utterance that has begun belongs to the lane that holds its state; one that has
    not begun may be taken by any. Nothing is served more than ``lead`` before its deadline: work done
    earlier is lost to the next barge-in, and kept from somebody who needs it now. Earliest deadline first is
    optimal on one lane: if any order meets all deadlines, this one does (Liu and Layland, 1973).

    Utterances without a deadline are served in turn, whenever none with a deadline is due.

    Args:
        lead: Seconds before its deadline from which an utterance may be served.
    """

    def __init__(self, *, lead: float) -> None:
        self._lead = lead
        self._numbers = count()
        self._tickets: dict[Key, _Ticket[Key]] = {}
        self._heaps: dict[tuple[int | None, bool], list[_Ticket[Key]]] = {}
        """By lane, and by whether there is a deadline."""

    def __len__(self) -> int:
        return len(self._tickets)

    def __contains__(self, key: Key) -> bool:
        return key in self._tickets

    def push(self, key: Key, *, deadline: float | None, lane: int | None = None) -> None:
        """Queue an utterance, or move it: a key is queued at most once. ``lane`` None means any."""
        ticket = _Ticket(inf if deadline is None else deadline, next(self._numbers), key, lane)
        self._tickets[key] = ticket
        heapq.heappush(self._heaps.setdefault((lane, deadline is not None), []), ticket)

    def discard(self, key: Key) -> None:
        """Take it out, if it is in."""
        self._tickets.pop(key, None)

    def pop(self, lane: int, now: float) -> Key | None:
        """What ``lane`` serves next; None when it had better wait, see :meth:`ready_at`."""
        ticket = self._first(lane, timed=True)
        if ticket is None or ticket.deadline - self._lead > now:
            ticket = self._first(lane, timed=False)
        if ticket is None:
            return None
        del self._tickets[ticket.key]
        return ticket.key

    def ready_at(self, lane: int) -> float | None:
        """From when :meth:`pop` will give this lane something (-inf: now); None while nothing is queued."""
        if self._first(lane, timed=False) is not None:
            return -inf
        ticket = self._first(lane, timed=True)
        return None if ticket is None else ticket.deadline - self._lead

    def lateness(self, now: float) -> float:
        """Seconds by which the most urgent queued utterance is past its deadline; 0 if none is."""
        tops = (self._top(lane, timed) for lane, timed in self._heaps if timed)
        return max(0.0, 0.0, *(now - top.deadline for top in tops if top is not None))

    def _first(self, lane: int, *, timed: bool) -> _Ticket[Key] | None:
        own, anyones = self._top(lane, timed), self._top(None, timed)
        if own is None or anyones is None:
            return own or anyones
        return min(own, anyones)

    def _top(self, lane: int | None, timed: bool) -> _Ticket[Key] | None:
        heap = self._heaps.get((lane, timed), [])
        while heap and self._tickets.get(heap[0].key) is not heap[0]:
            heapq.heappop(heap)  # served, moved or taken out since
        return heap[0] if heap else None
