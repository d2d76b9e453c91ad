"""From the times of characters, as remote engines tell them, to words."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence

from tts.engine import SpokenWord


class AlignedWords:
    """
    Collect characters with their times into words of the text that was asked for.

    Args:
        text: What was asked for; engines may send back other spacing, so words are looked up in order.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._cursor = 0
        self._ready: deque[SpokenWord] = deque()
        self._letters: list[str] = []
        self._start = 0.0
        self._end = 0.0

    def push(self, characters: Sequence[str], starts: Sequence[float], durations: Sequence[float]) -> None:
        """Characters in order; starts and durations in seconds, from the utterance's first sample."""
        for character, start, duration in zip(characters, starts, durations, strict=False):
            if character.isspace():
                self._close()
                continue
            if not self._letters:
                self._start = start
            self._letters.append(character)
            self._end = start + duration

    def finish(self) -> None:
        """No more characters."""
        self._close()

    def take(self, *, before: float) -> tuple[SpokenWord, ...]:
        """The complete words that start before that second and were not taken yet."""
        taken = []
        while self._ready and self._ready[0].start < before:
            taken.append(self._ready.popleft())
        return tuple(taken)

    def _close(self) -> None:
        if not self._letters:
            return
        word = "".join(self._letters)
        self._letters.clear()
        self._ready.append(SpokenWord(word, self._start, self._end, self._span(word)))

    def _span(self, word: str) -> tuple[int, int]:
        at = self._text.find(word, self._cursor)
        if at >= 0:
            span = at, at + len(word)
        else:
            following = re.compile(r"\S+").search(self._text, self._cursor)
            span = following.span() if following else (len(self._text), len(self._text))
        self._cursor = span[1]
        return span
