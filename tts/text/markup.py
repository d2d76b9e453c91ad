"""Markup, which is not said, in any language."""

from __future__ import annotations

import re

from tts.text.rules import Rules

RULES = Rules()


def _silent(_: re.Match[str]) -> str:
    return ""


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
    RULES.add(_pattern, _silent)
