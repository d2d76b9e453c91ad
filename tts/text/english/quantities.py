"""Money, measures and sizes."""

from __future__ import annotations

import re

from tts.text import numbers
from tts.text.measures import UNITS
from tts.text.rules import Rules, before, closing_period

RULES = Rules()

AMOUNT = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
_MAGNITUDE = r"thousand|million|billion|trillion|bn|mn|[kKmMbBtT]"
_CODE = "USD|EUR|GBP|JPY|INR|CHF|CAD|AUD"
_UNIT = "|".join(re.escape(unit) for unit in sorted(UNITS, key=len, reverse=True) if unit != "in")
_PER = (
    "second|sec|minute|min|hour|hr|day|night|week|month|mo|year|yr"
    "|person|user|seat|unit|item|mile|kg|lb|oz|gallon"
)


@RULES.rule(
    r"""(?P<currency>[$€£¥₹])(?P<low>\d+(?:\.\d+)?)\s?[-–]\s?[$€£¥₹]?(?P<high>\d+(?:\.\d+)?)
        (?:\s?(?P<magnitude>(?:thousand|million|billion|bn)\b|[kKmM]\b))?(?![\d.,]\d|\w)"""
)
def _price_range(found: re.Match[str]) -> str:
    high = numbers.money(found["currency"], found["high"], found["magnitude"] or "")
    return f"{numbers.cardinal(found['low'])} to {high}"


@RULES.rule(
    rf"(?P<sign>[-−])?(?P<currency>US\$|[$€£¥₹₩])\s?(?P<amount>{AMOUNT})(?:\s?(?P<magnitude>{_MAGNITUDE})\b)?(?:\sUSD\b)?"
)
def _money(found: re.Match[str]) -> str:
    sign = "minus " if found["sign"] else ""
    return sign + numbers.money(found["currency"], found["amount"], found["magnitude"] or "")


@RULES.rule(rf"\b(?P<currency>{_CODE})\s(?P<amount>{AMOUNT})(?:\s?(?P<magnitude>{_MAGNITUDE})\b)?")
def _money_by_code(found: re.Match[str]) -> str:
    return numbers.money(found["currency"], found["amount"], found["magnitude"] or "")


@RULES.rule(r"\b(?P<amount>\d+)\s?¢")
def _cents(found: re.Match[str]) -> str:
    return f"{numbers.cardinal(found['amount'])} {'cent' if found['amount'] == '1' else 'cents'}"


@RULES.rule(
    rf"\b(?P<amount>{AMOUNT})(?:\s?(?P<magnitude>{_MAGNITUDE}))?\s?(?P<currency>[€£¥₹₩]|(?:{_CODE})\b)"
)
def _money_behind(found: re.Match[str]) -> str:
    return numbers.money(found["currency"], found["amount"], found["magnitude"] or "")


@RULES.rule(r"\b(?P<hours>\d+)\s?h(?:rs?)?\s(?P<minutes>\d+)\s?m(?:in)?\b")
def _duration(found: re.Match[str]) -> str:
    hours, minutes = (int(found[part]) for part in ("hours", "minutes"))
    said = f"{numbers.cardinal(found['hours'])} hour{'' if hours == 1 else 's'}"
    return f"{said} {numbers.cardinal(found['minutes'])} minute{'' if minutes == 1 else 's'}"


@RULES.rule(r"\b(?P<minutes>\d{1,3}):(?P<seconds>[0-5]\d)\s?min\b")
def _lap(found: re.Match[str]) -> str:
    seconds = numbers.cardinal(str(int(found["seconds"])))
    return f"{numbers.cardinal(found['minutes'])} minutes and {seconds} seconds"


@RULES.rule(rf"(?P<degrees>{AMOUNT})\s?°\s?(?P<side>[NSEW])\b")
def _coordinate(found: re.Match[str]) -> str:
    side = {"N": "north", "S": "south", "E": "east", "W": "west"}[found["side"]]
    return f"{numbers.cardinal(found['degrees'])} degrees {side}"


@RULES.rule(r"\b(?P<feet>\d)\s?ft\.?\s(?P<inches>1[01]|\d)\s?in\b\.?(?=\s|[,;]|$)")
def _stature_in_words(found: re.Match[str]) -> str:
    return (
        f"{numbers.cardinal(found['feet'])} foot {numbers.cardinal(found['inches'])}{closing_period(found)}"
    )


@RULES.rule(
    rf"""(?P<sign>(?<![\w)])[-−])?(?P<amount>(?<![\w.]){AMOUNT})(?P<space>[\ -]?)
         (?P<unit>{_UNIT})(?![\w²³])(?:\.(?=\s+[a-z]))?"""
)
def _measure(found: re.Match[str]) -> str:
    one, many = UNITS[found["unit"]]
    amount = found["amount"]
    sign = "minus " if found["sign"] else ""
    single = amount == "1" or found["space"] == "-"  # "a 5-km run"
    return f"{sign}{numbers.cardinal(amount)} {one if single else many}"


@RULES.rule(r"\b(?P<feet>\d)['’′](?P<inches>1[01]|\d)(?:[\"”″]|'')")
def _stature(found: re.Match[str]) -> str:
    return f"{numbers.cardinal(found['feet'])} foot {numbers.cardinal(found['inches'])}"


@RULES.rule(rf"(?<![\w.\"“])(?P<inches>{AMOUNT})[\"″](?=\s[a-zA-Z(]|[,.;]|$)")
def _inches(found: re.Match[str]) -> str:
    """Unless the sign closes what an earlier one opened."""
    said = numbers.cardinal(found["inches"])
    quoted = before(found).count('"') % 2
    return said if quoted else f"{said} {'inch' if found['inches'] == '1' else 'inches'}"


@RULES.rule(r"(?<![\w.])(?P<width>\d+(?:\.\d+)?)\s?[x×]\s?(?P<height>\d+(?:\.\d+)?)(?![\w])")
def _dimensions(found: re.Match[str]) -> str:
    return f"{numbers.cardinal(found['width'])} by {numbers.cardinal(found['height'])}"


@RULES.rule(r"\b(?P<factor>\d+(?:\.\d+)?)x\b")
def _times(found: re.Match[str]) -> str:
    return f"{numbers.cardinal(found['factor'])} times"


@RULES.rule(rf"(?<=[\dsyk])/(?P<unit>{_PER})\b(?=[^/]|$)")
def _per(found: re.Match[str]) -> str:
    unit = found["unit"]
    return f"per {UNITS[unit][0] if unit in UNITS else {'mo': 'month', 'yr': 'year'}.get(unit, unit)}"
