"""Numbers that count or name: fractions, ordinals, versions, ranges, Roman numerals."""

from __future__ import annotations

import re
import unicodedata

from tts.text import numbers
from tts.text.addresses import say_letters, spell
from tts.text.english.quantities import AMOUNT
from tts.text.lexicon import NUMBERED, REGNAL_NAMES
from tts.text.rules import Rules, before

RULES = Rules()

_ROMAN = {"I": 1, "V": 5, "X": 10}


@RULES.rule(r"\b(?P<roman>X{0,3}(?:IX|IV|V?I{0,3}))\b(?<=[IVX])(?!['’.]\w)")
def _roman(found: re.Match[str]) -> str:
    """ "Henry VIII" is the eighth, "Part IV" four; after no name, letters."""
    roman = found["roman"]
    words = re.findall(r"[\w'’]+", before(found))
    alone = re.match(r"[^\w\s]|\s+of\b|\s*$", found.string[found.end() :])
    if roman == "I" and not alone:  # "in part I agree"
        return roman
    named = re.search(r"[A-Z][\w'’]*\s$", before(found)) is not None
    last = words[-1] if words else ""
    listed = re.search(r"\b[IVX]+,?\s(?:and|or|to|&)\s$", before(found))
    if listed or (named and last.lower().rstrip("s") in NUMBERED):
        return numbers.cardinal(str(_value(roman)))
    if len(roman) > 1 and named and (last in REGNAL_NAMES or (len(words) > 1 and words[-2] in REGNAL_NAMES)):
        return f"the {numbers.ordinal(str(_value(roman)))}"
    if len(roman) > 1 and named and not last.isupper():
        return numbers.cardinal(str(_value(roman)))
    return roman if len(roman) == 1 else spell(roman)


def _value(roman: str) -> int:
    values = [_ROMAN[letter] for letter in roman]
    return sum(-one if one < after else one for one, after in zip(values, [*values[1:], 0], strict=True))


@RULES.rule(r"\b(?P<dividend>\d+)\s?/\s?(?P<divisor>\d+)(?=\s?=)")
def _quotient(found: re.Match[str]) -> str:
    return f"{numbers.cardinal(found['dividend'])} divided by {numbers.cardinal(found['divisor'])}"


@RULES.rule(r"\b(?P<base>\d+(?:\.\d+)?)[eE](?P<sign>[-+]?)(?P<power>\d{1,3})\b")
def _scientific(found: re.Match[str]) -> str:
    power = numbers.cardinal(found["sign"].lstrip("+") + found["power"])
    return f"{numbers.cardinal(found['base'])} times ten to the power of {power}"


@RULES.rule(r"\^?(?P<power>(?<=\^)[23](?!\d)|[²³])")
def _power(found: re.Match[str]) -> str:
    return "squared" if found["power"] in "2²" else "cubed"


@RULES.rule(r"\b(?P<number>\d+(?:\.\d+)?)(?P<magnitude>k|(?<=\.\d)K|M|bn)\b")
def _magnitude(found: re.Match[str]) -> str:
    return f"{numbers.cardinal(found['number'])} {numbers.MAGNITUDES[found['magnitude'].lower()]}"


@RULES.rule(r"\b(?P<octets>(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){3})\b")
def _internet_address(found: re.Match[str]) -> str:
    return " dot ".join(numbers.digits(octet) for octet in found["octets"].split("."))


@RULES.rule(r"\b(?P<first>\d{1,3}):(?P<second>\d{1,3})\b(?!:)")
def _ratio(found: re.Match[str]) -> str:
    return f"{numbers.cardinal(found['first'])} to {numbers.cardinal(found['second'])}"


@RULES.rule(r"\b(?:(?P<whole>\d{1,3})\s)?(?P<top>[1-9]\d?)/(?P<bottom>[2-9]|1\d|20|[3-9]0|100)\b(?!/)")
def _fraction(found: re.Match[str]) -> str:
    if found["top"] == "24" or int(found["top"]) >= int(found["bottom"]):
        return f"{numbers.cardinal(found['top'])} {numbers.cardinal(found['bottom'])}"
    said = numbers.fraction(found["top"], found["bottom"])
    return f"{numbers.cardinal(found['whole'])} and {said}" if found["whole"] else said


@RULES.rule(r"(?P<whole>\d+)?(?P<vulgar>[½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞])")
def _vulgar_fraction(found: re.Match[str]) -> str:
    top, bottom = unicodedata.normalize("NFKC", found["vulgar"]).split("⁄")
    said = numbers.fraction(top, bottom)
    return f"{numbers.cardinal(found['whole'])} and {said}" if found["whole"] else said


@RULES.rule(r"\b(?P<number>\d{1,3}(?:,\d{3})+|\d+)(?:st|nd|rd|th)\b")
def _ordinal(found: re.Match[str]) -> str:
    return numbers.ordinal(found["number"])


@RULES.rule(r"\b[vV]?(?P<parts>\d+(?:\.\d+){2,})\b")
def _version(found: re.Match[str]) -> str:
    said = " point ".join(numbers.cardinal(part) for part in found["parts"].split("."))
    told = found.string[: found.start()].rstrip().lower().endswith("version")
    return f"version {said}" if found[0][0] in "vV" and not told else said


@RULES.rule(r"(?<=\d)\s?[–-]\s?(?=\d)")
def _range(found: re.Match[str]) -> str:
    return "minus" if found[0].startswith(" ") and "=" in found.string else "to"


@RULES.rule(r"(?P<label>\b[Nn]o\.\s?|\b[Nn]os\.\s?|№\s?|\#)(?=\d)|\#(?=[A-Z]{1,3}-\d)")
def _number_sign(found: re.Match[str]) -> str:
    return "" if re.search(r"\bnumber(?:\s\w{1,3})?\s$", before(found)) else "number"


@RULES.rule(
    rf"(?P<sign>(?<![\w)])[-−])?(?P<number>(?<![\w.])(?:{AMOUNT}|\.\d+)|(?<=\.)\d+)(?!\w|\.\d+[A-Za-z])"
)
def _number(found: re.Match[str]) -> str:
    if found["sign"]:
        return f"minus {numbers.cardinal(found['number'])}"
    return numbers.number(found["number"])


@RULES.rule(r"[A-Za-z]+\d[A-Za-z\d]*|\d+(?:\.\d+)?[A-Za-z][A-Za-z\d]*")
def _mixed(found: re.Match[str]) -> str:
    said = []
    for run in re.findall(r"[A-Za-z]+|\d+(?:\.\d+)?", found[0]):
        if run.isalpha():
            said.append(spell(run) if run.isupper() and len(run) <= 3 else say_letters(run))
        else:
            said.append(numbers.cardinal(run) if len(run) <= 2 or "." in run else numbers.digits(run))
    return " ".join(said)
