"""
Say written text as a person would read it aloud.

A list of rules, tried in order at each character: markup, then the rooms of :mod:`tts.text.english`. The
first that matches says what it covers, which may be nothing. Every part of what is said keeps the span of
what was written.

The rules read English. For an engine that speaks other languages only markup, emoji and control characters
are taken out, and the engine reads the rest as its language does.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Sequence

from tts.text import english, markup
from tts.text.addresses import spell
from tts.text.rules import Rules
from tts.text.spoken import Part, Spoken


def normalize(text: str, *, languages: Sequence[str] = ("en",)) -> Spoken:
    """
    What is said for ``text``.

    Args:
        text: Some hundreds of characters of anything.
        languages: BCP-47, of the engine that will say it.

    Returns:
        For English engines ASCII words and ``,.;:!?``; letters of other scripts are romanized. A text of
        emoji alone is their names; a text of nothing sayable is empty.
    """
    english = all(language.lower().startswith("en") for language in languages)
    rules = _ENGLISH if english else _ANY_LANGUAGE
    parts = list(rules.read(_calm(text) if english else text))
    if not any(character.isalnum() for part in parts for character in part.text):
        parts = list(_emoji_names(text))
    return Spoken.of(_phrased(parts))


_ENTITIES, _OTHER = Rules(), Rules()


@_ENTITIES.rule(r"&(?:[a-zA-Z]{2,8}|\#\d{1,6}|\#x[0-9a-fA-F]{1,6});")
def _entity(found: re.Match[str]) -> str:
    meant = html.unescape(found[0])
    return normalize(meant).text if meant != found[0] else spell(found[0].strip("&;"))


@_OTHER.rule(
    r"""[^\s*_~`<>\[\]
        \x00-\x1F\x7F-\x9F\u200B\u200E\u200F\u2028-\u202E\u2060-\u206F\uFE00-\uFE0F\uFEFF\uD800-\uDFFF
        \u2190-\u2BFF\U0001F000-\U0001FAFF\U000E0000-\U000E007F]+"""
)
def _verbatim(found: re.Match[str]) -> str:
    return found[0]


_ENGLISH = Rules.joined(markup.RULES, _ENTITIES, english.RULES)
_ANY_LANGUAGE = Rules.joined(markup.RULES, _OTHER)


def _calm(text: str) -> str:
    """``text``, in small letters if it is shouted: several words, nearly all in capitals. Same length."""
    letters = [character for character in text if character.isalpha()]
    capitals = sum(character.isupper() for character in letters)
    shouted = len(letters) >= 12 and capitals >= 0.9 * len(letters) and len(text.split()) >= 3
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in text) if shouted else text


def _emoji_names(text: str) -> list[Part]:
    return [
        Part(unicodedata.name(character, "").lower().replace("-", " "), at, at + 1)
        for at, character in enumerate(text)
        if unicodedata.category(character) == "So"
    ]


def _phrased(parts: list[Part]) -> list[Part]:
    """Between words one mark at most, the strongest; none before the first word."""
    kept: list[Part] = []
    for part in parts:
        if not part.text:
            continue
        if part.text not in _STRENGTH:
            kept.append(part)
        elif kept and kept[-1].text not in _STRENGTH:
            if not kept[-1].text.endswith((".", ",")):
                kept.append(part)
        elif kept and _STRENGTH[part.text] > _STRENGTH[kept[-1].text]:
            kept[-1] = Part(part.text, kept[-1].begin, part.end)
    return kept


_STRENGTH = {",": 0, ":": 1, ";": 1, ".": 2, "!": 3, "?": 4}
