"""Names for rows: a prefix that tells the kind, then a ULID: ids sort by birth and cannot be guessed."""

from __future__ import annotations

import secrets

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32 in lower case: no i, l, o, u."""


def new_id(prefix: str, *, at: float) -> str:
    """
    Name a new row, e.g. ``voice_01k9…``: 48 bits of milliseconds, then 80 random bits (the ULID layout).

    Args:
        prefix: Kind of row, without the underscore.
        at: Seconds since the Unix epoch.
    """
    number = (int(at * 1000) & (1 << 48) - 1) << 80 | secrets.randbits(80)
    digits = [ALPHABET[number >> shift & 31] for shift in range(125, -1, -5)]
    return f"{prefix}_{''.join(digits)}"
