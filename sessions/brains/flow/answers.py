"""What an answer means: words and keys to values. English numbers; everything else by the author's words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

_WORD: Final = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")

_UNITS: Final = {
    word: value
    for value, word in enumerate(
        (
            "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
            "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
        )
    )
}  # fmt: skip
_TENS: Final = {
    word: 10 * value
    for value, word in enumerate(
        ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"), start=2
    )
}
_SCALES: Final = {"hundred": 100, "thousand": 1000, "million": 1_000_000}
_DIGIT_WORDS: Final = {**{word: value for word, value in _UNITS.items() if value < 10}, "oh": 0, "o": 0}
_REPEATS: Final = {"double": 2, "triple": 3}

_YES: Final = frozenset({"yes", "yeah", "yep", "yup", "sure", "correct", "right", "okay", "ok", "absolutely"})
_NO: Final = frozenset(
    {"no", "nope", "nah", "not", "never", "wrong", "incorrect", "don't", "isn't", "negative"}
)

_LEAD_INS: Final = re.compile(
    r"^(?:(?:well|so|um|uh|er|ah|okay|yes|yeah|hi|hello)[,.]?\s+)*"
    r"(?:(?:my (?:full )?name is|my name's|the name is|i am|i'm|it is|it's|this is|that is|that's|"
    r"i would like|i'd like|i want|i need)\s+)?",
    re.IGNORECASE,
)


def words_of(text: str) -> list[str]:
    """The words of an answer, in lower case, without punctuation."""
    return [word.replace("’", "'") for word in _WORD.findall(text.lower())]


def longest_match(words: Sequence[str], phrases: Sequence[str]) -> int:
    """How many words the longest phrase has that occurs in ``words`` as a whole; 0 for none."""
    best = 0
    for phrase in phrases:
        wanted = words_of(phrase)
        size = len(wanted)
        if size > best and any(list(words[n : n + size]) == wanted for n in range(len(words) - size + 1)):
            best = size
    return best


def parse_yes_no(words: Sequence[str]) -> str | None:
    """``"yes"``, ``"no"``, or None where neither or both are meant. "That's not right" is a no."""
    if any(word in _NO for word in words):
        return "no"
    return "yes" if any(word in _YES for word in words) else None


def parse_digits(words: Sequence[str], *, length: int | None = None) -> str | None:
    """
    Digits as people say them: "four one five", "double two", "nineteen eighty", "415".

    Words that are no number are passed over. None where there are no digits, or not ``length`` of them.
    """
    digits = ""
    repeat = 1
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word in _REPEATS:
            repeat = _REPEATS[word]
            continue
        if word.isdecimal() and word.isascii():
            digits += word * repeat
        elif word in _DIGIT_WORDS:
            digits += str(_DIGIT_WORDS[word]) * repeat
        elif word in _UNITS:
            digits += str(_UNITS[word])
        elif word in _TENS:
            unit = _DIGIT_WORDS.get(rest[0], 0) if rest else 0
            if unit:
                rest.pop(0)
            digits += str(_TENS[word] + unit)
        repeat = 1
    if not digits or (length is not None and len(digits) != length):
        return None
    return digits


def parse_number(words: Sequence[str]) -> str | None:
    """
    A whole number as people say it: "two hundred and five", "twenty-one", "42", as decimal digits.

    None where there is none; the first where there are several.
    """
    total = current = 0
    found = False
    for word in words:
        if word.isdecimal() and word.isascii() and not found:
            return str(int(word))
        if word in _UNITS or word in _TENS:
            current += _UNITS.get(word, 0) + _TENS.get(word, 0)
        elif word in _SCALES and (found or word == "hundred" or current):
            scale = _SCALES[word]
            current = max(1, current) * scale
            if scale > 100:
                total, current = total + current, 0
        elif word in ("and", "a") and (found or word == "a"):
            continue
        elif found:
            break
        else:
            continue
        found = True
    return str(total + current) if found else None


def parse_text(text: str) -> str | None:
    """The answer without "um, my name is" before it and a full stop behind it; None where nothing is left."""
    kept = _LEAD_INS.sub("", text.strip(), count=1).strip(" .,!?") or text.strip(" .,!?")
    return kept or None
