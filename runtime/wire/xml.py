"""The little XML that carriers' dialling documents need."""

from __future__ import annotations

import re
from xml.sax.saxutils import escape, quoteattr

_NOT_XML = re.compile("[^\\t\\n\\r\\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def attribute(value: str) -> str:
    """A quoted attribute, without the characters XML 1.0 has no way to write (§2.2)."""
    return quoteattr(_NOT_XML.sub("", value))


def content(value: str) -> str:
    """Text between tags, with the same care."""
    return escape(_NOT_XML.sub("", value))


def document(root: str) -> str:
    """``root``, declared."""
    return f'<?xml version="1.0" encoding="UTF-8"?>{root}'
