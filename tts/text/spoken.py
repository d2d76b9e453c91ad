"""Text as it is spoken, that still knows which characters it was written with."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

CLINGING = frozenset(".,;:!?…)")
"""Punctuation that follows a word without a space."""


@dataclass(frozen=True, slots=True)
class Part:
    """Words, or one mark of punctuation, said for some characters of the original."""

    text: str
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Spoken:
    """
    Words and punctuation, and for each part the span ``[begin, end)`` of the original it stands for.

    Parts are in order and their spans do not go back, so a prefix of what is spoken is a prefix of what
    was written.
    """

    text: str
    parts: tuple[Part, ...]
    starts: tuple[int, ...]
    """Where each part begins in :attr:`text`."""

    @classmethod
    def of(cls, parts: Iterable[Part]) -> Spoken:
        """Join the parts, with a space before each that does not cling to the one before it."""
        text: list[str] = []
        kept: list[Part] = []
        starts: list[int] = []
        length = 0
        for part in parts:
            if not part.text:
                continue
            if text and part.text[0] not in CLINGING:
                text.append(" ")
                length += 1
            starts.append(length)
            kept.append(part)
            text.append(part.text)
            length += len(part.text)
        return cls("".join(text), tuple(kept), tuple(starts))

    @property
    def audible(self) -> bool:
        """Whether there is anything to say."""
        return any(character.isalnum() for character in self.text)

    def source(self, begin: int, end: int) -> tuple[int, int]:
        """The span of the original that ``text[begin:end]`` stands for; empty at 0 where nothing is said."""
        if not self.parts:
            return 0, 0
        first = max(0, bisect_right(self.starts, begin) - 1)
        last = max(first, bisect_right(self.starts, max(begin, end - 1)) - 1)
        return self._place(first, begin, self.parts[first].begin), self._place(
            last, end, self.parts[last].end
        )

    def _place(self, number: int, at: int, edge: int) -> int:
        """Exact within a part that is spoken as written, else the part's edge."""
        part = self.parts[number]
        if len(part.text) != part.end - part.begin:
            return edge
        return part.begin + min(max(0, at - self.starts[number]), len(part.text))
