"""Web and mail addresses as a person says them: dots, slashes, and letters where there is no word."""

from __future__ import annotations

import re

from tts.text.lexicon import LETTERS
from tts.text.numbers import digits

_SIGNS = {
    ".": "dot",
    "/": "slash",
    "\\": "backslash",
    "-": "dash",
    "_": "underscore",
    "@": "at",
    ":": "colon",
    "?": "question mark",
    "=": "equals",
    "&": "and",
    "#": "hash",
    "+": "plus",
    "%": "percent",
    "~": "tilde",
    "!": "exclamation mark",
    "*": "star",
    "'": "apostrophe",
}
_SHORT_WORDS = frozenset(["co", "me", "so", "go", "my", "we", "us", "hi", "no", "ok"]) - {"us"}
_VOWELS = re.compile(r"[aeiouy]", re.IGNORECASE)


def spell(letters: str) -> str:
    """Each letter by its name; characters that have none as they are."""
    return " ".join(LETTERS.get(letter.upper(), letter) for letter in letters)


def say_address(text: str) -> str:
    """
    ``"https://www.example.com/a-b2"`` is "example dot com slash ay dash bee two".

    The scheme and ``www`` are left out, as people do.
    """
    bare = re.sub(r"^(?:[a-z][a-z0-9+.-]*://|mailto:)?(?:www\.)?", "", text, flags=re.IGNORECASE).rstrip("/")
    return " ".join(_say(token) for token in re.findall(r"[^\W\d_]+|\d+|\S", bare) if _say(token))


def say_path(text: str) -> str:
    """``"report_v2.pdf"`` is "report underscore vee two dot pee dee eff"."""
    return " ".join(
        spell(token) if number and tokens[number - 1] == "." else _say(token)
        for tokens in [re.findall(r"[^\W\d_]+|\d+|\S", text)]
        for number, token in enumerate(tokens)
        if _say(token)
    )


def say_letters(letters: str) -> str:
    """As a word where it can be one, else spelled: "docs" and "bee bee see"."""
    if letters.lower() in _SHORT_WORDS or (len(letters) > 2 and _VOWELS.search(letters)):
        return letters
    return spell(letters)


def _say(token: str) -> str:
    if token.isdecimal():
        return digits(token)
    if token.isalpha():
        return say_letters(token)
    return _SIGNS.get(token, "")
