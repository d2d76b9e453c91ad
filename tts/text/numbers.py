"""Numbers as they are read aloud in English: quantities, years, dates, times, money, telephone numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from num2words import num2words

from tts.text.lexicon import MONTH_NAMES

LONGEST_QUANTITY = 15
"""Digits of a number that is said as a quantity; longer ones are said digit by digit."""

FIRST_YEAR, LAST_YEAR = 1100, 2099
"""Four digits in this range are said in two halves, which serves years, and "1500 people" too."""

CURRENCIES: Mapping[str, tuple[str, str, str, str]] = MappingProxyType(
    {
        "$": ("dollar", "dollars", "cent", "cents"),
        "US$": ("dollar", "dollars", "cent", "cents"),
        "USD": ("dollar", "dollars", "cent", "cents"),
        "€": ("euro", "euros", "cent", "cents"),
        "EUR": ("euro", "euros", "cent", "cents"),
        "£": ("pound", "pounds", "penny", "pence"),
        "GBP": ("pound", "pounds", "penny", "pence"),
        "¥": ("yen", "yen", "sen", "sen"),
        "JPY": ("yen", "yen", "sen", "sen"),
        "₹": ("rupee", "rupees", "paisa", "paise"),
        "INR": ("rupee", "rupees", "paisa", "paise"),
        "₩": ("won", "won", "jeon", "jeon"),
        "CHF": ("franc", "francs", "centime", "centimes"),
        "CAD": ("Canadian dollar", "Canadian dollars", "cent", "cents"),
        "AUD": ("Australian dollar", "Australian dollars", "cent", "cents"),
    }
)

MAGNITUDES: Mapping[str, str] = MappingProxyType(
    {"k": "thousand", "m": "million", "mn": "million", "b": "billion", "bn": "billion", "t": "trillion"}
)

_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_HALVES = {2: ("half", "halves"), 4: ("quarter", "quarters")}


def digits(text: str) -> str:
    """Each digit by its name, whatever stands between them: ``"4-1"`` is "four one"."""
    return " ".join(_DIGITS[int(character)] for character in text if character in "0123456789")


def cardinal(text: str) -> str:
    """
    A whole number or decimal: ``"1,234"``, ``"-3.05"``, ``".5"``.

    Digits after the point are named one by one, as are numbers of more than 15 digits, and those that
    begin with a zero, which are codes rather than quantities.
    """
    sign = "minus " if text[:1] in "-−" else ""
    whole, point, fraction = text.lstrip("-−+").replace(",", "").partition(".")
    if not whole:
        said = "zero"
    elif len(whole) > LONGEST_QUANTITY or (len(whole) > 1 and whole.startswith("0")):
        said = digits(whole)
    else:
        said = _words(int(whole))
    return f"{sign}{said} point {digits(fraction)}" if point and fraction else sign + said


def ordinal(text: str) -> str:
    """``"21"`` is "twenty first"."""
    number = text.replace(",", "")
    return digits(number) if len(number) > LONGEST_QUANTITY else _words(int(number), to="ordinal")


def year(text: str) -> str:
    """``"1984"`` is "nineteen eighty four"."""
    return _words(int(text), to="year") if int(text) > 0 else cardinal(text)


def number(text: str) -> str:
    """A number with nothing around it to tell what it counts."""
    if re.fullmatch(r"\d{4}", text) and FIRST_YEAR <= int(text) <= LAST_YEAR:
        return year(text)
    return cardinal(text)


def money(currency: str, amount: str, magnitude: str = "") -> str:
    """``("$", "5.20")`` is "five dollars and twenty cents"."""
    one, many, cent, cents = CURRENCIES[currency]
    if magnitude:
        return f"{cardinal(amount)} {MAGNITUDES.get(magnitude.lower(), magnitude.lower())} {many}"
    whole, _, fraction = amount.partition(".")
    if len(fraction) not in (0, 2):
        return f"{cardinal(amount)} {many}"
    units = int(whole.replace(",", "") or 0) if len(whole) <= LONGEST_QUANTITY + 5 else 2
    parts = int(fraction or 0)
    said = []
    if units or not parts:
        said.append(f"{cardinal(whole or '0')} {one if units == 1 else many}")
    if parts:
        said.append(f"{_words(parts)} {cent if parts == 1 else cents}")
    return " and ".join(said)


def clock_time(hour: int, minute: int, half: str = "") -> str:
    """
    ``(5, 5)`` is "five oh five", ``(17, 0)`` "seventeen hundred", ``(5, 0)`` "five o'clock".

    Args:
        half: What is said for am or pm.
    """
    hours = _words(hour)
    if minute:
        said = f"{hours} {'oh ' if minute < 10 else ''}{_words(minute)}"
    elif half:
        said = hours
    else:
        said = f"{hours} hundred" if hour > 12 else f"{hours} o'clock"
    return f"{said} {half}" if half else said


def date(*, day: int, month: int, year_digits: str = "") -> str:
    """ "May first, twenty twenty four"."""
    said = f"{MONTH_NAMES[month - 1]} {_words(day, to='ordinal')}"
    return f"{said}, {year(year_digits)}" if year_digits else said


def fraction(numerator: str, denominator: str) -> str:
    """``("3", "4")`` is "three quarters"."""
    parts, whole = int(numerator), int(denominator)
    one, many = _HALVES.get(whole) or (_words(whole, to="ordinal"), _words(whole, to="ordinal") + "s")
    return f"{_words(parts)} {one if parts == 1 else many}"


def telephone(text: str) -> str:
    """Digit by digit, with a pause between the groups."""
    plus = "plus " if text.lstrip("( ").startswith("+") else ""
    return plus + ", ".join(digits(group) for group in re.findall(r"\d+", text))


def _words(value: int, *, to: str = "cardinal") -> str:
    said: str = num2words(value, lang="en", to=to)
    return said.replace(",", "").replace("-", " ")
