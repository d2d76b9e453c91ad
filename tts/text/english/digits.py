"""Digits that are read one by one: telephone numbers, cards, codes."""

from __future__ import annotations

import re

from tts.text import numbers
from tts.text.addresses import spell
from tts.text.places import STATES
from tts.text.rules import Rules

RULES = Rules()


@RULES.rule(
    r"""(?<![\w.])(?: \+\d{1,3}[ .-]? (?:\(\d{1,4}\)[ .-]?)? \d{1,4} (?:[ .-]?\d{2,4}){1,4}
        | \(\d{2,4}\)[ .-]? \d{3,4} [ .-] \d{3,4} | \d{3} [ .-] \d{3} [ .-] \d{4} | \d{3}-\d{4}
        | \d+ (?:-\d+){2,} )(?![\w-])"""
)
def _telephone(found: re.Match[str]) -> str:
    return numbers.telephone(found[0])


@RULES.rule(r"(?<![\w.])0\d{2,4}[ -]\d{3,4}[ -]?\d{3,4}(?![\w-])|(?<![\w.])\d{4}(?:[ -]\d{4}){2,4}(?![\w-])")
def _groups(found: re.Match[str]) -> str:
    return numbers.telephone(found[0])


@RULES.rule(r"(?<![\w.])911(?![\w.]\w)|(?<=[Cc]all\s)\d{3}\b|(?<=[Dd]ial\s)\d{3}\b")
def _emergency(found: re.Match[str]) -> str:
    return numbers.digits(found[0])


@RULES.rule(
    r"""(?<=ends\sin\s)\d{2,8}\b | (?<=ending\sin\s)\d{2,8}\b
        | (?<=ZIP\s)\d{5}(?:-\d{4})?\b | \b\d{5}-\d{4}\b
        | (?<=code\s)\d{4,8}\b | (?<=code\sis\s)\d{4,8}\b | (?<=PIN\sis\s)\d{4,8}\b"""
)
def _last_digits(found: re.Match[str]) -> str:
    return numbers.telephone(found[0])


@RULES.rule(rf"\b(?P<state>{'|'.join(STATES)})\s(?P<code>\d{{5}}(?:-\d{{4}})?)\b")
def _place(found: re.Match[str]) -> str:
    return f"{STATES[found['state']]} {numbers.telephone(found['code'])}"


@RULES.rule(
    r"\b(?:[A-Z]{1,4}\d|\d{1,4}[A-Z])[A-Z\d]*(?:-[A-Z\d]+)+\b|\b[A-Z\d]+-(?:[A-Z]+\d|\d+[A-Z])[A-Z\d]*\b"
)
def _code(found: re.Match[str]) -> str:
    """ "XK7-29Q": letters and digits by name, with a pause between the groups."""
    groups = (re.findall(r"[A-Z]+|\d+", group) for group in found[0].split("-"))
    return ", ".join(
        " ".join(spell(run) if run.isalpha() else numbers.digits(run) for run in group) for group in groups
    )
