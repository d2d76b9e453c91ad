"""From words with times to characters with times, as ElevenLabs' clients want them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class TimedWord(Protocol):
    """A word of a text, and when it sounds."""

    @property
    def start(self) -> float: ...

    @property
    def end(self) -> float: ...

    @property
    def source(self) -> tuple[int, int]: ...


@dataclass(frozen=True, slots=True)
class Characters:
    """Some characters of a text, one after the other, and when each begins and ends, in seconds."""

    text: str
    starts: tuple[float, ...]
    ends: tuple[float, ...]


class CharacterClock:
    """
    Spread words' times over the text's characters. Pure.

    A word's time is shared evenly by its characters; what stands between two words (spaces, punctuation)
    lasts from the end of the one to the start of the next. Every character comes out once, in order.

    Args:
        text: What the words' ``source`` spans index.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._now = 0.0

    def extend(self, text: str) -> None:
        """The whole text as it is by now; it begins with what it was before."""
        self._text = text

    def take(self, words: Sequence[TimedWord]) -> Characters:
        """The characters up to the end of the last of these words."""
        starts: list[float] = []
        ends: list[float] = []
        begun = self._at
        for word in words:
            begin, end = (max(self._at, min(edge, len(self._text))) for edge in word.source)
            self._spread(begin - self._at, max(self._now, word.start), starts, ends)
            self._spread(end - begin, max(self._now, word.end), starts, ends)
            self._at = end
        return Characters(self._text[begun : self._at], tuple(starts), tuple(ends))

    def rest(self, seconds: float) -> Characters:
        """What is left of the text, until ``seconds``, the end of the utterance."""
        starts: list[float] = []
        ends: list[float] = []
        begun, self._at = self._at, len(self._text)
        self._spread(self._at - begun, max(self._now, seconds), starts, ends)
        return Characters(self._text[begun:], tuple(starts), tuple(ends))

    def _spread(self, count: int, until: float, starts: list[float], ends: list[float]) -> None:
        if not count:
            return
        step = (until - self._now) / count
        for number in range(count):
            starts.append(round(self._now + number * step, 4))
            ends.append(round(self._now + (number + 1) * step, 4))
        self._now = until
