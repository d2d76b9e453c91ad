"""Addresses: mail, web, files."""

from __future__ import annotations

import re

from tts.text.addresses import say_address, say_path
from tts.text.rules import Rules

RULES = Rules()

_TLD = (
    "com|org|net|edu|gov|info|biz|io|ai|dev|app|co|me|tv|uk|us|eu|de|fr|nl|ch|at|it|es|se|no|fi|pl|be|ca|au|jp|cn"
    "|in|br|xyz|cloud|tech|online|shop|site"
)

_FILE = (
    "pdf|docx?|xlsx?|pptx?|txt|csv|md|rtf|png|jpe?g|gif|svg|zip|gz|tar|mp3|mp4|wav|flac|ogg|py|js|html?|json"
    "|ya?ml|exe"
)


@RULES.rule(r"(?:mailto:)?[A-Za-z0-9][\w.+-]{0,63}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}")
def _mail(found: re.Match[str]) -> str:
    return say_address(found[0])


@RULES.rule(
    rf"""(?: (?:https?|ftp|wss?)://[^\s<>"'()\[\]]* [^\s<>"'()\[\].,;:!?*_~]
           | \bwww\.[^\s<>"'()\[\]]* [^\s<>"'()\[\].,;:!?*_~]
           | \b(?:[a-zA-Z0-9][a-zA-Z0-9-]*\.)+(?:{_TLD})\b
             (?:/[^\s<>"'()\[\]]* [^\s<>"'()\[\].,;:!?*_~])? )"""
)
def _web(found: re.Match[str]) -> str:
    return say_address(found[0])


@RULES.rule(rf"\b(?:[A-Z]:\\(?:[\w.-]+\\)*[\w.-]*\w | [\w-]+\.(?:{_FILE}))\b")
def _file(found: re.Match[str]) -> str:
    return say_path(found[0])
