"""Titles, abbreviations, initials and acronyms."""

from __future__ import annotations

import re

from tts.text.addresses import spell
from tts.text.lexicon import (
    ABBREVIATIONS,
    CLOSING_ABBREVIATIONS,
    MONTHS,
    PRONOUNCED_ACRONYMS,
    RESPELLED_ACRONYMS,
    SHOUTED_WORDS,
    TITLES,
    WEEKDAYS,
)
from tts.text.rules import Rules, before, closing_period

RULES = Rules()

LONGEST_ACRONYM = 5
"""Letters up to which unknown capitals are spelled out."""


@RULES.rule(r"\bw/o\b|\bw/(?=\s)")
def _with(found: re.Match[str]) -> str:
    return "without" if found[0] == "w/o" else "with"


@RULES.rule(r"\bpp?\.\s?(?=\d)")
def _page(found: re.Match[str]) -> str:
    return "pages" if found[0].startswith("pp") else "page"


@RULES.rule(r"\b(?P<kind>sq|cu)\.?\s(?P<unit>ft|in|mi|yd|m|km)\b\.?")
def _area(found: re.Match[str]) -> str:
    kind = "square" if found["kind"] == "sq" else "cubic"
    units = {"ft": "feet", "in": "inches", "mi": "miles", "yd": "yards", "m": "meters", "km": "kilometers"}
    return f"{kind} {units[found['unit']]}{closing_period(found)}"


@RULES.rule(r"\b(?P<first>[A-Z]{1,3})&(?P<second>[A-Z]{1,3})\b")
def _pair(found: re.Match[str]) -> str:
    return f"{spell(found['first'])} and {spell(found['second'])}"


@RULES.rule(r"\bWi-?[Ff]i\b")
def _wifi(_: re.Match[str]) -> str:
    return RESPELLED_ACRONYMS["WIFI"]


@RULES.rule(r"\b(?P<road>Ave|Blvd|Hwy|Rd)\b(?!\.)")
def _road(found: re.Match[str]) -> str:
    return CLOSING_ABBREVIATIONS[found["road"].lower()]


@RULES.rule(rf"\b(?P<title>{'|'.join(title.capitalize() for title in TITLES)})\.(?=\s?[A-Z])")
def _title(found: re.Match[str]) -> str:
    name = found["title"].lower()
    if name == "st" and re.search(r"\w\s$", before(found)) and not _of_saint(found):
        return "street"
    return TITLES[name]


@RULES.rule(r"\b(?P<title>Mr|Mrs|Ms|Dr)(?:(?=\s[A-Z])|\.?(?=\sand\s(?:Mrs?|Ms|Dr)\b))")
def _bare_title(found: re.Match[str]) -> str:
    return TITLES[found["title"].lower()]


@RULES.rule(r"\b[Ss]t\.(?!\w)")
def _street(found: re.Match[str]) -> str:
    return "street" + closing_period(found)


_ABBREVIATED = "|".join(map(re.escape, (*ABBREVIATIONS, *CLOSING_ABBREVIATIONS)))


@RULES.rule(rf"\b(?P<name>(?i:{_ABBREVIATED}))\.(?!\w)")
def _abbreviation(found: re.Match[str]) -> str:
    name = found["name"].lower()
    if name in ABBREVIATIONS:
        return ABBREVIATIONS[name]
    return CLOSING_ABBREVIATIONS[name] + closing_period(found)


@RULES.rule(rf"\b(?P<name>{'|'.join(name.capitalize() for name in (*MONTHS, *WEEKDAYS))})\.(?!\w)")
def _calendar(found: re.Match[str]) -> str:
    name = found["name"].lower()
    return (MONTHS.get(name) or WEEKDAYS[name]).capitalize() + closing_period(found)


@RULES.rule(r"\betc\b")
def _et_cetera(_: re.Match[str]) -> str:
    return "et cetera"


@RULES.rule(r"\b(?:[A-Za-z]\.){2,}(?!\w)|\b(?:[A-Z]\.)(?=\s[A-Z])")
def _initials(found: re.Match[str]) -> str:
    return spell(found[0].replace(".", "")) + (closing_period(found) if len(found[0]) > 2 else "")


@RULES.rule(r"\b(?P<letters>[A-Z]{2,})(?P<plural>['’]?s)?\b(?!['’][A-Z])")
def _acronym(found: re.Match[str]) -> str:
    letters = found["letters"]
    plural = (found["plural"] or "").replace("’", "'")
    if letters in RESPELLED_ACRONYMS:
        return RESPELLED_ACRONYMS[letters] + plural
    if letters in SHOUTED_WORDS or letters in PRONOUNCED_ACRONYMS or len(letters) > LONGEST_ACRONYM:
        return letters.lower() + plural
    return spell(letters) + plural


def _of_saint(found: re.Match[str]) -> bool:
    """Whether the "St." in "at St. Mary" belongs to what follows: the word before it has no capital."""
    words = re.findall(r"\w+", before(found))
    return bool(words) and not words[-1][0].isupper()
