"""
Say written text as a person would read it aloud.

A list of rules, tried in order at each character: markup, addresses, dates, times, money, measures,
numbers, abbreviations, acronyms, words, punctuation. The first that matches says what it covers, which may
be nothing. Every part of what is said keeps the span of what was written.

The rules read English. For an engine that speaks other languages only markup, emoji and control characters
are taken out, and the engine reads the rest as its language does.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Sequence

from anyascii import anyascii

from tts.text import numbers
from tts.text.addresses import say_address, say_letters, spell
from tts.text.lexicon import (
    ABBREVIATIONS,
    CLOSING_ABBREVIATIONS,
    MONTH_NAMES,
    MONTHS,
    PRONOUNCED_ACRONYMS,
    RESPELLED_ACRONYMS,
    SHOUTED_WORDS,
    TITLES,
    WEEKDAYS,
)
from tts.text.measures import UNITS
from tts.text.spoken import Part, Spoken

LONGEST_ACRONYM = 5
"""Letters up to which unknown capitals are spelled out."""


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


Say = Callable[[re.Match[str]], str]


class _Rules:
    """An ordered list of patterns and what is said for what they match."""

    def __init__(self) -> None:
        self._rules: list[tuple[re.Pattern[str], Say]] = []
        self._any: re.Pattern[str] | None = None

    def add(self, pattern: str, say: Say) -> None:
        self._rules.append((re.compile(pattern, _FLAGS), say))

    def rule(self, pattern: str) -> Callable[[Say], Say]:
        """Decorate what says a match of ``pattern``."""

        def register(say: Say) -> Say:
            self.add(pattern, say)
            return say

        return register

    def read(self, text: str) -> list[Part]:
        if self._any is None:
            # One alternation finds which rule is next; the rule's own pattern then gives it its groups.
            nameless = (re.sub(r"\(\?P<\w+>", "(?:", rule.pattern) for rule, _ in self._rules)
            self._any = re.compile("|".join(f"({pattern})" for pattern in nameless), _FLAGS)
        parts = []
        for found in self._any.finditer(text):
            assert found.lastindex is not None
            pattern, say = self._rules[found.lastindex - 1]
            matched = pattern.match(text, found.start())
            assert matched is not None
            parts.append(Part(say(matched), *matched.span()))
        return parts


_FLAGS = re.VERBOSE | re.MULTILINE

_MONTH = "|".join([*MONTH_NAMES, *(f"{short.capitalize()}\\.?" for short in MONTHS)])
_AMOUNT = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
_MAGNITUDE = r"thousand|million|billion|trillion|bn|mn|[kKmMbBtT]"
_CODE = "USD|EUR|GBP|JPY|INR|CHF|CAD|AUD"
_UNIT = "|".join(re.escape(unit) for unit in sorted(UNITS, key=len, reverse=True) if unit != "in")
_HALF = r"[ap]\.?\s?m(?:\.|\b)|[AP]\.?M(?:\.|\b)"
_TLD = (
    "com|org|net|edu|gov|info|biz|io|ai|dev|app|co|me|tv|uk|us|eu|de|fr|nl|ch|at|it|es|se|no|fi|pl|be|ca|au|jp|cn"
    "|in|br|xyz|cloud|tech|online|shop|site"
)

_ENGLISH = _Rules()
_ANY_LANGUAGE = _Rules()


def _silent(_: re.Match[str]) -> str:
    return ""


def _verbatim(found: re.Match[str]) -> str:
    return found[0]


# Markup, in any language

for _pattern in (
    r"```\w*",
    r"<!--.*?-->|</?[A-Za-z][^<>]{0,300}>",
    r"!?\[(?=[^\[\]\n]*\]\([^()\s]*\))",  # [text](address) is its text
    r"(?<=[^\s\[])\]\([^()\s]*\)",
    r"^[ \t]{0,3}\#{1,6}[ \t]+",
    r"^[ \t]*[-*+•‣◦][ \t]+",
    r"^[ \t]*>+[ \t]?",
    r"^[ \t]*(?:[-*_=][ \t]*){3,}$",
    r"(?<!\d)[*_~`]{1,3}(?!\d)|[*_~`]{2,3}|`",
):
    _ENGLISH.add(_pattern, _silent)
    _ANY_LANGUAGE.add(_pattern, _silent)

_ANY_LANGUAGE.add(
    r"""[^\s*_~`<>\[\]
        \x00-\x1F\x7F-\x9F\u200B\u200E\u200F\u2028-\u202E\u2060-\u206F\uFE00-\uFE0F\uFEFF\uD800-\uDFFF
        \u2190-\u2BFF\U0001F000-\U0001FAFF\U000E0000-\U000E007F]+""",
    _verbatim,
)


@_ENGLISH.rule(r"&(?:[a-zA-Z]{2,8}|\#\d{1,6}|\#x[0-9a-fA-F]{1,6});")
def _entity(found: re.Match[str]) -> str:
    meant = html.unescape(found[0])
    return normalize(meant).text if meant != found[0] else spell(found[0].strip("&;"))


# Addresses


@_ENGLISH.rule(r"(?:mailto:)?[A-Za-z0-9][\w.+-]{0,63}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}")
def _mail(found: re.Match[str]) -> str:
    return say_address(found[0])


@_ENGLISH.rule(
    rf"""(?: (?:https?|ftp|wss?)://[^\s<>"'()\[\]]* [^\s<>"'()\[\].,;:!?*_~]
           | \bwww\.[^\s<>"'()\[\]]* [^\s<>"'()\[\].,;:!?*_~]
           | \b(?:[a-zA-Z0-9][a-zA-Z0-9-]*\.)+(?:{_TLD})\b
             (?:/[^\s<>"'()\[\]]* [^\s<>"'()\[\].,;:!?*_~])? )"""
)
def _web(found: re.Match[str]) -> str:
    return say_address(found[0])


# Dates and times


@_ENGLISH.rule(r"\b(?P<year>\d{4})-(?P<month>0[1-9]|1[0-2])-(?P<day>0[1-9]|[12]\d|3[01])(?![\d-])")
def _iso_date(found: re.Match[str]) -> str:
    return numbers.date(day=int(found["day"]), month=int(found["month"]), year_digits=found["year"])


@_ENGLISH.rule(r"\b(?P<a>0?[1-9]|[12]\d|3[01])/(?P<b>0?[1-9]|[12]\d|3[01])/(?P<year>\d{4}|\d{2})(?![\d/])")
def _slashed_date(found: re.Match[str]) -> str:
    """Month first, as Americans write, unless that cannot be."""
    month, day = int(found["a"]), int(found["b"])
    if month > 12:
        month, day = day, month
    if month > 12:
        return numbers.telephone(found[0])
    century = "" if len(found["year"]) == 4 else "20" if int(found["year"]) < 70 else "19"
    return numbers.date(day=day, month=month, year_digits=century + found["year"])


@_ENGLISH.rule(
    rf"\b(?P<month>{_MONTH})\s(?P<day>[12]\d|3[01]|0?[1-9])(?:st|nd|rd|th)?(?![\d.:]\d|\d)(?:,?\s(?P<year>[12]\d{{3}})\b)?"
)
def _month_day(found: re.Match[str]) -> str:
    month = _month_number(found["month"])
    return numbers.date(day=int(found["day"]), month=month, year_digits=found["year"] or "")


@_ENGLISH.rule(
    rf"\b(?P<day>[12]\d|3[01]|0?[1-9])(?:st|nd|rd|th)?\s(?:of\s)?(?P<month>{_MONTH})(?!\w)(?:,?\s(?P<year>[12]\d{{3}})\b)?"
)
def _day_month(found: re.Match[str]) -> str:
    said = f"{numbers.ordinal(found['day'])} of {MONTH_NAMES[_month_number(found['month']) - 1]}"
    return f"{said} {numbers.year(found['year'])}" if found["year"] else said


@_ENGLISH.rule(r"\b(?P<century>1[1-9]|20)(?P<decade>\d)0'?s\b|['’](?P<short>[2-9])0s\b")
def _decade(found: re.Match[str]) -> str:
    tens = found["decade"] or found["short"]
    said = _DECADES[int(tens)]
    return f"{numbers.cardinal(found['century'])} {said}" if found["century"] else said


@_ENGLISH.rule(
    rf"\b(?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d))?(?!\d|:\d)(?:\s?(?P<half>{_HALF}))?"
)
def _time(found: re.Match[str]) -> str:
    said = numbers.clock_time(int(found["hour"]), int(found["minute"]), _half(found["half"]))
    if found["second"]:
        said += f" and {numbers.cardinal(str(int(found['second'])))} seconds"
    return said + _closing_period(found)


@_ENGLISH.rule(rf"\b(?P<hour>1[0-2]|0?[1-9])\s?(?P<half>{_HALF})")
def _hour(found: re.Match[str]) -> str:
    return numbers.clock_time(int(found["hour"]), 0, _half(found["half"])) + _closing_period(found)


_DECADES = (
    "hundreds",
    "tens",
    "twenties",
    "thirties",
    "forties",
    "fifties",
    "sixties",
    "seventies",
    "eighties",
    "nineties",
)


def _half(written: str | None) -> str:
    if not written:
        return ""
    return CLOSING_ABBREVIATIONS["p.m" if written[0] in "pP" else "a.m"]


# Telephone numbers and other groups of digits


@_ENGLISH.rule(
    r"""(?<![\w.])(?: \+\d{1,3}[ .-]? (?:\(\d{1,4}\)[ .-]?)? \d{1,4} (?:[ .-]?\d{2,4}){1,4}
        | \(\d{2,4}\)[ .-]? \d{3,4} [ .-] \d{3,4} | \d{3} [ .-] \d{3} [ .-] \d{4} | \d{3}-\d{4}
        | \d+ (?:-\d+){2,} )(?![\w-])"""
)
def _telephone(found: re.Match[str]) -> str:
    return numbers.telephone(found[0])


# Money and measures


@_ENGLISH.rule(
    rf"(?P<sign>[-−])?(?P<currency>US\$|[$€£¥₹₩])\s?(?P<amount>{_AMOUNT})(?:\s?(?P<magnitude>{_MAGNITUDE})\b)?"
)
def _money(found: re.Match[str]) -> str:
    sign = "minus " if found["sign"] else ""
    return sign + numbers.money(found["currency"], found["amount"], found["magnitude"] or "")


@_ENGLISH.rule(
    rf"\b(?P<amount>{_AMOUNT})(?:\s?(?P<magnitude>{_MAGNITUDE}))?\s?(?P<currency>[€£¥₹₩]|(?:{_CODE})\b)"
)
def _money_behind(found: re.Match[str]) -> str:
    return numbers.money(found["currency"], found["amount"], found["magnitude"] or "")


@_ENGLISH.rule(
    rf"(?P<sign>(?<![\w)])[-−])?(?P<amount>(?<![\w.]){_AMOUNT})(?P<space>[ -]?)(?P<unit>{_UNIT})(?![\w²³])"
)
def _measure(found: re.Match[str]) -> str:
    one, many = UNITS[found["unit"]]
    amount = found["amount"]
    sign = "minus " if found["sign"] else ""
    single = amount == "1" or found["space"] == "-"  # "a 5-km run"
    return f"{sign}{numbers.cardinal(amount)} {one if single else many}"


@_ENGLISH.rule(r"\b(?P<feet>\d)['’′](?P<inches>1[01]|\d)(?:[\"”″]|'')")
def _stature(found: re.Match[str]) -> str:
    return f"{numbers.cardinal(found['feet'])} foot {numbers.cardinal(found['inches'])}"


@_ENGLISH.rule(r"(?<![\w.])(?P<width>\d+(?:\.\d+)?)\s?[x×]\s?(?P<height>\d+(?:\.\d+)?)(?![\w])")
def _dimensions(found: re.Match[str]) -> str:
    return f"{numbers.cardinal(found['width'])} by {numbers.cardinal(found['height'])}"


# Numbers


@_ENGLISH.rule(r"\b(?:(?P<whole>\d{1,3})\s)?(?P<top>[1-9]\d?)/(?P<bottom>[2-9]|1\d|20|[3-9]0|100)\b(?!/)")
def _fraction(found: re.Match[str]) -> str:
    if found["top"] == "24" or int(found["top"]) > int(found["bottom"]):
        return f"{numbers.cardinal(found['top'])} {numbers.cardinal(found['bottom'])}"
    said = numbers.fraction(found["top"], found["bottom"])
    return f"{numbers.cardinal(found['whole'])} and {said}" if found["whole"] else said


@_ENGLISH.rule(r"(?P<whole>\d+)?(?P<vulgar>[½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞])")
def _vulgar_fraction(found: re.Match[str]) -> str:
    top, bottom = unicodedata.normalize("NFKC", found["vulgar"]).split("⁄")
    said = numbers.fraction(top, bottom)
    return f"{numbers.cardinal(found['whole'])} and {said}" if found["whole"] else said


@_ENGLISH.rule(r"\b(?P<number>\d{1,3}(?:,\d{3})+|\d+)(?:st|nd|rd|th)\b")
def _ordinal(found: re.Match[str]) -> str:
    return numbers.ordinal(found["number"])


@_ENGLISH.rule(r"\b[vV]?(?P<parts>\d+(?:\.\d+){2,})\b")
def _version(found: re.Match[str]) -> str:
    said = " point ".join(numbers.cardinal(part) for part in found["parts"].split("."))
    told = found.string[: found.start()].rstrip().lower().endswith("version")
    return f"version {said}" if found[0][0] in "vV" and not told else said


@_ENGLISH.rule(r"(?<=\d)\s?[–-]\s?(?=\d)")
def _range(found: re.Match[str]) -> str:
    return "minus" if found[0].startswith(" ") and "=" in found.string else "to"


@_ENGLISH.rule(r"(?P<label>\b[Nn]o\.\s?|\b[Nn]os\.\s?|№\s?|\#)(?=\d)")
def _number_sign(_: re.Match[str]) -> str:
    return "number"


@_ENGLISH.rule(rf"(?P<sign>(?<![\w)])[-−])?(?P<number>(?<![\w.])(?:{_AMOUNT}|\.\d+)|(?<=\.)\d+)(?![\w])")
def _number(found: re.Match[str]) -> str:
    if found["sign"]:
        return f"minus {numbers.cardinal(found['number'])}"
    return numbers.number(found["number"])


@_ENGLISH.rule(r"[A-Za-z]+\d[A-Za-z\d]*|\d+[A-Za-z][A-Za-z\d]*")
def _mixed(found: re.Match[str]) -> str:
    said = []
    for run in re.findall(r"[A-Za-z]+|\d+", found[0]):
        if run.isalpha():
            said.append(spell(run) if run.isupper() and len(run) <= 3 else say_letters(run))
        else:
            said.append(numbers.cardinal(run) if len(run) <= 2 else numbers.digits(run))
    return " ".join(said)


# Abbreviations and acronyms


@_ENGLISH.rule(rf"\b(?P<title>{'|'.join(title.capitalize() for title in TITLES)})\.(?=\s?[A-Z])")
def _title(found: re.Match[str]) -> str:
    name = found["title"].lower()
    if name == "st" and re.search(r"\w\s$", found.string[: found.start()]) and not _of_saint(found):
        return "street"
    return TITLES[name]


@_ENGLISH.rule(r"\b(?P<title>Mr|Mrs|Ms|Dr)(?=\s[A-Z])")
def _bare_title(found: re.Match[str]) -> str:
    return TITLES[found["title"].lower()]


@_ENGLISH.rule(r"\b[Ss]t\.(?!\w)")
def _street(found: re.Match[str]) -> str:
    return "street" + _closing_period(found)


_ABBREVIATED = "|".join(map(re.escape, (*ABBREVIATIONS, *CLOSING_ABBREVIATIONS)))


@_ENGLISH.rule(rf"\b(?P<name>(?i:{_ABBREVIATED}))\.(?!\w)")
def _abbreviation(found: re.Match[str]) -> str:
    name = found["name"].lower()
    if name in ABBREVIATIONS:
        return ABBREVIATIONS[name]
    return CLOSING_ABBREVIATIONS[name] + _closing_period(found)


@_ENGLISH.rule(rf"\b(?P<name>{'|'.join(name.capitalize() for name in (*MONTHS, *WEEKDAYS))})\.(?!\w)")
def _calendar(found: re.Match[str]) -> str:
    name = found["name"].lower()
    return (MONTHS.get(name) or WEEKDAYS[name]).capitalize() + _closing_period(found)


@_ENGLISH.rule(r"\betc\b")
def _et_cetera(_: re.Match[str]) -> str:
    return "et cetera"


@_ENGLISH.rule(r"\b(?:[A-Za-z]\.){2,}(?!\w)|\b(?:[A-Z]\.)(?=\s[A-Z])")
def _initials(found: re.Match[str]) -> str:
    return spell(found[0].replace(".", "")) + (_closing_period(found) if len(found[0]) > 2 else "")


@_ENGLISH.rule(r"\b(?P<letters>[A-Z]{2,})(?P<plural>['’]?s)?\b(?!['’][A-Z])")
def _acronym(found: re.Match[str]) -> str:
    letters = found["letters"]
    plural = (found["plural"] or "").replace("’", "'")
    if letters in RESPELLED_ACRONYMS:
        return RESPELLED_ACRONYMS[letters] + plural
    if letters in SHOUTED_WORDS or letters in PRONOUNCED_ACRONYMS or len(letters) > LONGEST_ACRONYM:
        return letters.lower() + plural
    return spell(letters) + plural


# Words


@_ENGLISH.rule(r"[A-Za-z]+(?:['’][A-Za-z]+)*(?![^\W\d_]|['’][^\W\d_])")
def _word(found: re.Match[str]) -> str:
    return found[0].replace("’", "'")


@_ENGLISH.rule(r"[^\W\d_]+(?:['’][^\W\d_]+)*|[^\W_]+")
def _foreign_word(found: re.Match[str]) -> str:
    """Romanized; decimal digits of other scripts as numbers."""
    if found[0].isdecimal():
        return numbers.cardinal(str(int(found[0]))) if len(found[0]) < 16 else ""
    romanized = anyascii(found[0].replace("’", "'"))
    return " ".join(re.findall(r"[A-Z]?[a-z]+(?:'[a-z]+)*|[A-Z]+(?![a-z])|\d+", romanized))


# Punctuation and signs

_MARKS = dict(zip("。｡।！？؟，、；：،؛", "...!??,,;:,;", strict=True))


@_ENGLISH.rule(r"[.!?…。｡।！？؟]+")
def _stop(found: re.Match[str]) -> str:
    marks = "".join(_MARKS.get(mark, mark) for mark in found[0])
    if "?" in marks:
        return "?"
    if "!" in marks:
        return "!"
    trailing = marks.startswith("..") or "…" in marks
    return "," if trailing and found.string[found.end() :].lstrip()[:1].islower() else "."


@_ENGLISH.rule(r"[,;:，、；：،؛]")
def _pause(found: re.Match[str]) -> str:
    return _MARKS.get(found[0], found[0])


@_ENGLISH.rule(r"(?<=\s)[-–]+(?=\s)|\s?—+\s?|[()|]|\n+(?=\s*\S)")
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


@_ENGLISH.rule(r"~(?=\s?\d)|(?<=[\w\s])[*^<>](?=\s?\d)|[&@+=%×÷±≤≥≠≈°$€£¥§→∞√]|\#(?=\w)")
def _sign(found: re.Match[str]) -> str:
    return _SIGNS[found[0]]


# What depends on more than a match


def _month_number(written: str) -> int:
    short = written.rstrip(".")[:3].lower()
    return next(number for number, name in enumerate(MONTH_NAMES, 1) if name.lower().startswith(short))


def _of_saint(found: re.Match[str]) -> bool:
    """Whether the "St." in "at St. Mary" belongs to what follows: the word before it has no capital."""
    before = re.findall(r"\w+", found.string[: found.start()])
    return bool(before) and not before[-1][0].isupper()


def _closing_period(found: re.Match[str]) -> str:
    """The period of "p.m." ends the sentence as well, where the text ends with it."""
    ends = found[0].endswith(".") and not found.string[found.end() :].strip("\"'”’)*_ \t\r\n")
    return "." if ends else ""


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
