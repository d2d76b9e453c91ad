"""
An ordered list of patterns, and what is said for what they match.

Rooms of the language each make a list; :meth:`Rules.joined` puts them in the order they are tried in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TypeAlias

from tts.text.spoken import Part

Say: TypeAlias = Callable[[re.Match[str]], str]

_FLAGS = re.VERBOSE | re.MULTILINE


class Rules:
    """At each character the first pattern that matches says what it covers, which may be nothing."""

    def __init__(self, rules: Iterable[tuple[re.Pattern[str], Say]] = ()) -> None:
        self._rules = list(rules)
        self._any: re.Pattern[str] | None = None

    @classmethod
    def joined(cls, *lists: Rules) -> Rules:
        """All rules of these lists, in order."""
        return cls(rule for one in lists for rule in one._rules)

    def add(self, pattern: str, say: Say) -> None:
        """``pattern`` is verbose, and ``^`` begins a line."""
        self._rules.append((re.compile(pattern, _FLAGS), say))

    def rule(self, pattern: str) -> Callable[[Say], Say]:
        """Decorate what says a match of ``pattern``."""

        def register(say: Say) -> Say:
            self.add(pattern, say)
            return say

        return register

    def read(self, text: str) -> list[Part]:
        """What is said, part by part; characters that no rule covers are not said."""
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


def closing_period(found: re.Match[str]) -> str:
    """The period of "p.m." ends the sentence as well, where the text ends with it."""
    ends = found[0].endswith(".") and not found.string[found.end() :].strip("\"'”’)*_ \t\r\n")
    return "." if ends else ""


def before(found: re.Match[str]) -> str:
    """What is written in front of a match."""
    return found.string[: found.start()]
