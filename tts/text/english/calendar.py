"""Days, years and times of day."""

from __future__ import annotations

import re

from tts.text import numbers
from tts.text.lexicon import CLOSING_ABBREVIATIONS, MONTH_NAMES, MONTHS, WEEKDAYS
from tts.text.rules import Rules, closing_period

RULES = Rules()

_MONTH = "|".join([*MONTH_NAMES, *(f"{short.capitalize()}\\.?" for short in MONTHS)])
_WEEKDAY = "|".join(short.capitalize() for short in WEEKDAYS)
_HALF = r"[ap]\.?\s?m(?:\.|\b)|[AP]\.?M(?:\.|\b)"


@RULES.rule(rf"\b(?P<first>{_WEEKDAY})\.?\s?[-–]\s?(?P<last>{_WEEKDAY})\b\.?")
def _days(found: re.Match[str]) -> str:
    first, last = (WEEKDAYS[found[end].lower()].capitalize() for end in ("first", "last"))
    return f"{first} to {last}"


@RULES.rule(r"(?<=\w\s)(?P<day>Mon|Tues?|Wed|Thu(?:rs?)?|Fri)\b(?![.\w'’-])")
def _day(found: re.Match[str]) -> str:
    return WEEKDAYS[found["day"].lower()].capitalize()


@RULES.rule(r"\b9/11\b(?!/)")
def _september(_: re.Match[str]) -> str:
    return "nine eleven"


@RULES.rule(r"\b(?P<year>\d{4})-(?P<month>0[1-9]|1[0-2])-(?P<day>0[1-9]|[12]\d|3[01])(?![\d-])")
def _iso_date(found: re.Match[str]) -> str:
    return numbers.date(day=int(found["day"]), month=int(found["month"]), year_digits=found["year"])


@RULES.rule(r"\b(?P<a>0?[1-9]|[12]\d|3[01])/(?P<b>0?[1-9]|[12]\d|3[01])/(?P<year>\d{4}|\d{2})(?![\d/])")
def _slashed_date(found: re.Match[str]) -> str:
    """Month first, as Americans write, unless that cannot be."""
    month, day = int(found["a"]), int(found["b"])
    if month > 12:
        month, day = day, month
    if month > 12:
        return numbers.telephone(found[0])
    century = "" if len(found["year"]) == 4 else "20" if int(found["year"]) < 70 else "19"
    return numbers.date(day=day, month=month, year_digits=century + found["year"])


@RULES.rule(r"\b(?P<day>0?[1-9]|[12]\d|3[01])\.(?P<month>0?[1-9]|1[0-2])\.(?P<year>(?:19|20)\d\d)\b(?!\.\d)")
def _dotted_date(found: re.Match[str]) -> str:
    """Day first, as Europeans write."""
    return numbers.date(day=int(found["day"]), month=int(found["month"]), year_digits=found["year"])


@RULES.rule(
    rf"\b(?P<month>{_MONTH})\s(?P<day>[12]\d|3[01]|0?[1-9])(?:st|nd|rd|th)?(?![\d.:]\d|\d)(?:,?\s(?P<year>[12]\d{{3}})\b)?"
)
def _month_day(found: re.Match[str]) -> str:
    month = _month_number(found["month"])
    return numbers.date(day=int(found["day"]), month=month, year_digits=found["year"] or "")


@RULES.rule(
    rf"\b(?P<day>[12]\d|3[01]|0?[1-9])(?:st|nd|rd|th)?\s(?:of\s)?(?P<month>{_MONTH})(?!\w)(?:,?\s(?P<year>[12]\d{{3}})\b)?"
)
def _day_month(found: re.Match[str]) -> str:
    said = f"{numbers.ordinal(found['day'])} of {MONTH_NAMES[_month_number(found['month']) - 1]}"
    return f"{said} {numbers.year(found['year'])}" if found["year"] else said


@RULES.rule(r"\b(?P<century>1[1-9]|20)(?P<decade>\d)0'?s\b|['’](?P<short>[2-9])0s\b")
def _decade(found: re.Match[str]) -> str:
    tens = found["decade"] or found["short"]
    said = _DECADES[int(tens)]
    return f"{numbers.cardinal(found['century'])} {said}" if found["century"] else said


@RULES.rule(
    rf"\b(?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d))?(?!\d|:\d)(?:\s?(?P<half>{_HALF}))?"
)
def _time(found: re.Match[str]) -> str:
    said = numbers.clock_time(int(found["hour"]), int(found["minute"]), _half(found["half"]))
    if found["second"]:
        said += f" and {numbers.cardinal(str(int(found['second'])))} seconds"
    return said + closing_period(found)


@RULES.rule(r"(?<=\d{2})\s?hrs\b\.?")
def _hours(_: re.Match[str]) -> str:
    """Of "17:00 hrs"."""
    return "hours"


@RULES.rule(rf"\b(?P<hour>1[0-2]|0?[1-9])\s?(?P<half>{_HALF})")
def _hour(found: re.Match[str]) -> str:
    return numbers.clock_time(int(found["hour"]), 0, _half(found["half"])) + closing_period(found)


@RULES.rule(r"(?<=[\dm.])\s?[–-]\s?(?=\d{1,2}(?::\d\d|\s?[ap]\.?m\b))")
def _until(_: re.Match[str]) -> str:
    return "to"


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


def _month_number(written: str) -> int:
    short = written.rstrip(".")[:3].lower()
    return next(number for number, name in enumerate(MONTH_NAMES, 1) if name.lower().startswith(short))
