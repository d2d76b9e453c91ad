"""Words, punctuation and signs: what is left when nothing else matched."""

from __future__ import annotations

import re

from anyascii import anyascii

from tts.text import numbers
from tts.text.rules import Rules

RULES = Rules()


@RULES.rule(r"[A-Za-z]+(?:['’][A-Za-z]+)*(?![^\W\d_²³]|['’][^\W\d_])")
def _word(found: re.Match[str]) -> str:
    return found[0].replace("’", "'")


@RULES.rule(r"[^\W\d_]+(?:['’][^\W\d_]+)*|[^\W_]+")
def _foreign_word(found: re.Match[str]) -> str:
    """Romanized; decimal digits of other scripts as numbers."""
    if found[0].isdecimal():
        return numbers.cardinal(str(int(found[0]))) if len(found[0]) < 16 else ""
    romanized = anyascii(found[0].replace("’", "'"))
    return " ".join(re.findall(r"[A-Z]?[a-z]+(?:'[a-z]+)*|[A-Z]+(?![a-z])|\d+", romanized))


# Punctuation and signs

_MARKS = dict(zip("。｡।！？؟，、；：،؛", "...!??,,;:,;", strict=True))


@RULES.rule(r"[.!?…。｡।！？؟]+")
def _stop(found: re.Match[str]) -> str:
    marks = "".join(_MARKS.get(mark, mark) for mark in found[0])
    if "?" in marks:
        return "?"
    if "!" in marks:
        return "!"
    trailing = marks.startswith("..") or "…" in marks
    return "," if trailing and found.string[found.end() :].lstrip()[:1].islower() else "."


@RULES.rule(r"[,;:，、；：،؛]")
def _pause(found: re.Match[str]) -> str:
    return _MARKS.get(found[0], found[0])


@RULES.rule(r"(?<=\s)[-–]+(?=\s)|\s?—+\s?|[()|]|\n+(?=\s*\S)")
def _break(_: re.Match[str]) -> str:
    return ","


_SIGNS = {
    "&": "and",
    "@": "at",
    "+": "plus",
    "=": "equals",
    "%": "percent",
    "×": "times",
    "÷": "divided by",
    "±": "plus or minus",
    "≤": "at most",
    "≥": "at least",
    "≠": "is not",
    "≈": "about",
    "°": "degrees",
    "$": "dollars",
    "€": "euros",
    "£": "pounds",
    "¥": "yen",
    "§": "section",
    "→": "to",
    "∞": "infinity",
    "√": "square root of",
    "~": "about",
    "*": "times",
    "^": "to the power of",
    "<": "less than",
    ">": "more than",
    "#": "hashtag",
}


@RULES.rule(r"~(?=\s?\d)|(?<=[\w\s])[*^<>](?=\s?\d)|(?<=\w)\^(?=-\d)|[&@+=%×÷±≤≥≠≈°$€£¥§→∞√]|\#(?=\w)")
def _sign(found: re.Match[str]) -> str:
    return _SIGNS[found[0]]
