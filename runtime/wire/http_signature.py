"""
HTTP message signatures with a shared secret, as far as AudioHook uses them.

A signature covers named parts of a request, each on a line of the signature base, and its own parameters on
the last line (RFC 9421 §2.5, as draft 11 had it: ``@request-target`` is the path with its query).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Collection, Mapping

OLDEST = 10.0
"""Seconds since a signature was made. Nonces are not remembered: this long a request can be replayed."""

SHORTEST_NONCE = 22
"""Characters: 128 bits in base64."""

AUDIOHOOK_PARTS = frozenset(
    {
        "@request-target",
        "@authority",
        "audiohook-organization-id",
        "audiohook-session-id",
        "audiohook-correlation-id",
        "x-api-key",
    }
)
"""What must be covered."""

_INPUT = re.compile(
    r'([a-z*][a-z0-9_.*-]{0,40})=(\(((?:"[^"\\]+"(?: (?="))?)+)\)((?:;[a-z]+=(?:"[^"\\]*"|\d+))*))'
)
_PARAMETER = re.compile(r';([a-z]+)=(?:"([^"\\]*)"|(\d{1,15}))')


def is_signed(
    secret: str,
    key_id: str,
    parts: Mapping[str, str],
    *,
    now: float,
    required: Collection[str] = AUDIOHOOK_PARTS,
) -> bool:
    """
    Whether a request was signed by whoever knows the secret, a moment ago.

    Args:
        secret: Base64.
        key_id: The API key that goes with it.
        parts: Headers in lower case, with ``@authority`` and ``@request-target`` among them.
        now: Unix seconds.
        required: Parts that the signature must cover.

    Raises:
        ValueError: The secret is not base64.
    """
    key = base64.b64decode(secret, validate=True)
    found = _INPUT.fullmatch(parts.get("signature-input", "").strip())
    if found is None:
        return False
    label, signed_parameters, listed, written = found.groups()
    covered = re.findall(r'"([^"]+)"', listed)
    parameters = {name: quoted or digits for name, quoted, digits in _PARAMETER.findall(written)}
    if not set(required) <= set(covered) or any(name not in parts for name in covered):
        return False
    if parameters.get("keyid") != key_id or parameters.get("alg", "hmac-sha256") != "hmac-sha256":
        return False
    if not _is_fresh(parameters, now) or len(parameters.get("nonce", "")) < SHORTEST_NONCE:
        return False
    base = "".join(f'"{name}": {parts[name].strip()}\n' for name in covered)
    wanted = hmac.digest(key, f'{base}"@signature-params": {signed_parameters}'.encode(), "sha256")
    given = re.fullmatch(re.escape(label) + r"=:([A-Za-z0-9+/=]+):", parts.get("signature", "").strip())
    if given is None:
        return False
    try:
        return hmac.compare_digest(wanted, binascii.a2b_base64(given[1]))
    except binascii.Error:
        return False


def _is_fresh(parameters: Mapping[str, str], now: float) -> bool:
    created, expires = parameters.get("created", ""), parameters.get("expires", "")
    if not created.isdigit() or abs(now - int(created)) > OLDEST:
        return False
    return not expires or (expires.isdigit() and int(expires) > now)
