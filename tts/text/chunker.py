"""
Decide where a text that is still being written can be cut and spoken.

A cut is a function of the text alone, never of how it arrived: each rule looks a fixed way ahead and waits
until it can. So any split of the same text into deltas gives the same pieces, and the same text sounds the
same whether a person typed it or a model streamed it. The one exception is :meth:`SpeechChunker.hurry`, for
a writer that stops in mid-sentence while somebody listens.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from tts.text.lexicon import FINAL_BEFORE_CAPITAL, NEVER_FINAL

FIRST_CLAUSE = 10
"""Characters from which a clause may be the first piece: "Well, " alone is too short to sound natural."""

FIRST_LIMIT = 90
"""Characters after which the first piece is cut between words, punctuation or not."""

LIMIT = 240
"""The same for the others: about 16 s of speech, and as much as engines phrase well in one go."""

UNBROKEN_LIMIT = 600
"""Characters without a space after which a piece is cut anywhere; no address that people read is longer."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some consecutive characters of the text."""

    text: str
    begin: int
    """Where it begins in all that was pushed."""


class SpeechChunker:
    """
    Cut text into speakable pieces: sentences; a first clause, so that speech starts early; and never
    inside a number, an abbreviation, an address.

    The pieces joined are the text that was pushed.
    """

    def __init__(self) -> None:
        self._text = ""
        self._begin = 0
        self._first = True
        self._finished = False

    @property
    def pending(self) -> str:
        """Pushed, and in no piece yet."""
        return self._text

    def push(self, delta: str) -> list[Piece]:
        """
        Add text; the pieces it completes.

        Raises:
            ValueError: The text was finished.
        """
        if self._finished:
            raise ValueError("this text was finished")
        self._text += delta
        return self._cut()

    def finish(self) -> list[Piece]:
        """No more will come; the last pieces."""
        self._finished = True
        return self._cut()

    def hurry(self) -> list[Piece]:
        """
        What can be spoken of the pending text without waiting for more, at most one piece.

        At the end of its last clause, else of its last word, if that is no beginning of something longer
        ("Dr.", "5").
        """
        end = _last_clause(self._text) or _last_word(self._text)
        return [self._take(end)] if end and not self._text[:end].isspace() else []

    def _cut(self) -> list[Piece]:
        pieces: list[Piece] = []
        done = 0
        while done < len(self._text):
            limit = FIRST_LIMIT if self._first else LIMIT
            window = self._text[done : done + UNBROKEN_LIMIT + 1]
            whole = self._finished and done + len(window) == len(self._text)
            end = _end_of_piece(window, limit=limit, eager=self._first, whole=whole)
            if end is None:
                break
            text = window[:end]
            pieces.append(Piece(text, self._begin + done))
            if any(character.isalnum() for character in text):
                self._first = False
            done += end
        self._text = self._text[done:]
        self._begin += done
        return pieces

    def _take(self, end: int) -> Piece:
        piece = Piece(self._text[:end], self._begin)
        self._text = self._text[end:]
        self._begin += end
        self._first = False
        return piece


_CLOSERS = re.escape("\"'”’»)]}*_`」』）】")
_OPENERS = "\"'“‘«([{*_`"
_CANDIDATE = re.compile(
    rf"""
      (?P<wide>   [。！？｡]+ [{_CLOSERS}]* \s* )          # ends a sentence, and no space need follow
    | (?P<stop>   [.!?…؟।]+ [{_CLOSERS}]* \s+ )
    | (?P<line>   [^\S\n]* \n \s* )
    | (?P<clause> [，、；：] \s* | [,;:؛،] [{_CLOSERS}]* \s+ | \s [-–]+ \s+ | \s? — \s* )
    """,
    re.VERBOSE,
)
_WORD = re.compile(r"\S+\s+")


def _end_of_piece(window: str, *, limit: int, eager: bool, whole: bool) -> int | None:
    """
    Where the piece that begins the window ends; None while that cannot be told.

    Args:
        window: At most ``UNBROKEN_LIMIT + 1`` characters.
        eager: Whether the end of a clause will do.
        whole: Whether the text ends with the window.
    """
    clause = 0
    for found in _CANDIDATE.finditer(window):
        end = found.end()
        if end > limit:
            break
        if end == len(window):
            # What follows decides, and it is not here yet; or nothing follows, and all is one piece.
            return end if whole else None
        if found.lastgroup != "clause" and _ends_sentence(window, found, end):
            return end
        if found.lastgroup in ("clause", "line"):
            clause = end
            if eager and end >= FIRST_CLAUSE:
                return end
    if len(window) <= limit:
        return len(window) if whole else None
    return clause or _last_word(window[:limit]) or _first_space(window, whole=whole)


def _first_space(window: str, *, whole: bool) -> int | None:
    """The end of an unbroken run that is longer than a piece should be."""
    for found in _WORD.finditer(window):
        if found.end() < len(window):
            return found.end()
    if len(window) <= UNBROKEN_LIMIT:
        return len(window) if whole else None
    end = UNBROKEN_LIMIT
    while end > 1 and unicodedata.category(window[end]) in ("Mn", "Me", "Cf"):
        end -= 1  # not between a letter and its accent, nor inside a joined emoji
    return end


def _ends_sentence(window: str, found: re.Match[str], end: int) -> bool:
    following = window[end].lstrip(_OPENERS) or window[end + 1 : end + 2]
    if found.lastgroup == "wide":
        return True
    if found.lastgroup == "line":
        return not following.islower()
    before = window[: found.start()]
    word = before[_last_break(before) :].lstrip(_OPENERS)
    if not found[0].startswith(".") or found[0].startswith(".."):
        return not following.islower()
    name = word.lower()
    if name in NEVER_FINAL or _is_list_number(before, word) or (name == "no" and following.isdigit()):
        return False
    if name in FINAL_BEFORE_CAPITAL:
        return following.isupper()
    if "." in word or (len(word) == 1 and word.isupper() and word != "I"):
        # "U.S.", "J."; but "3.5. Then" and "example.com. Then" do end.
        return len(word) > 5 or word[-1:].isdigit()
    # An unknown word before a small letter: long ones are words of a writer who uses no capitals.
    return not following.islower() or len(word) > 3


def _last_break(text: str) -> int:
    """Just after the last white space."""
    return next((at for at in range(len(text), 0, -1) if text[at - 1].isspace()), 0)


def _is_list_number(before: str, word: str) -> bool:
    """Whether ``word`` is the "1" of "1. First thing" at the beginning of a line."""
    at_line_start = before[: len(before) - len(word)].rstrip(" \t")[-1:] in ("", "\n")
    return word.isdigit() and len(word) <= 3 and at_line_start


def _last_clause(text: str) -> int:
    """The end of the last clause or sentence of ``text`` that white space follows; 0 if there is none."""
    end = 0
    for found in _CANDIDATE.finditer(text):
        before = text[: found.start()]
        if found.lastgroup != "stop" or before[_last_break(before) :].lower() not in NEVER_FINAL:
            end = found.end()
    return end


def _last_word(text: str) -> int:
    """
    The end of the last word of ``text`` that can stand before a pause; 0 if there is none.

    Not after a number or an abbreviation, which belong to what follows, unless there is nothing else.
    """
    fallback = end = 0
    for found in _WORD.finditer(text):
        if found.end() == len(text) and not text[-1].isspace():
            break
        word = found[0].strip()
        if any(character.isdigit() for character in word) or word.lower().rstrip(".") in NEVER_FINAL:
            fallback = found.end()
        else:
            end = found.end()
    return end or fallback
