"""Read carriers' JSON field by field: each reader gives what must be there, or says what is wrong."""

from __future__ import annotations

import binascii
import json
from collections.abc import Mapping
from typing import Any

from runtime.errors import MalformedMessage

KEYS = frozenset("0123456789*#ABCD")
"""Of a telephone, ITU-T Q.23."""

LARGEST_MESSAGE = 256 * 1024
"""Characters. Carriers' own are some hundreds; the slowest packer's 100 kB of audio fit in base64."""


def json_object(message: str | bytes, *, largest: int = LARGEST_MESSAGE) -> dict[str, Any]:
    """
    The object that a text message holds.

    Raises:
        MalformedMessage: Binary, too long, not JSON, or not an object.
    """
    if not isinstance(message, str):
        raise MalformedMessage("this carrier speaks text")
    if len(message) > largest:
        raise MalformedMessage(f"{len(message)} characters in one message; {largest} are read")
    try:
        parsed = json.loads(message)
    except (ValueError, RecursionError) as error:
        raise MalformedMessage(f"not JSON: {error}") from None
    if not isinstance(parsed, dict):
        raise MalformedMessage("a message is a JSON object")
    return parsed


def child(parent: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The object of this name."""
    value = parent.get(name)
    if not isinstance(value, dict):
        raise MalformedMessage(f"{name} is missing, or is not an object")
    return value


def text(parent: Mapping[str, Any], name: str) -> str:
    """The text of this name, which is not empty."""
    value = parent.get(name)
    if not isinstance(value, str) or not value:
        raise MalformedMessage(f"{name} is missing, or is not text")
    return value


def number(parent: Mapping[str, Any], name: str) -> int:
    """The whole number of this name, not negative, as JSON number or as text: carriers do both."""
    value = parent.get(name)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 15:
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**15:
        return value
    raise MalformedMessage(f"{name} is missing, or is not a number")


def strings(parent: Mapping[str, Any], name: str) -> dict[str, str]:
    """The object of this name, all its values as text; empty where there is none."""
    value = parent.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise MalformedMessage(f"{name} must be an object")
    return {str(key): str(each) for key, each in value.items()}


def audio(parent: Mapping[str, Any], name: str, *, sample_bytes: int = 1) -> bytes:
    """The bytes of base64 of this name, in whole samples."""
    encoded = text(parent, name)
    try:
        payload = binascii.a2b_base64(encoded, strict_mode=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedMessage(f"the {name} is not base64: {error}") from None
    return whole(payload, sample_bytes=sample_bytes)


def whole(payload: bytes, *, sample_bytes: int) -> bytes:
    """``payload``, where it ends with a whole sample."""
    if len(payload) % sample_bytes:
        raise MalformedMessage(f"{len(payload)} bytes of audio end within a sample")
    return payload


def key(parent: Mapping[str, Any], name: str = "digit") -> str:
    """The one key of this name."""
    digit = text(parent, name).upper()
    if digit not in KEYS:
        raise MalformedMessage(f"a telephone has no key {digit[:8]!r}")
    return digit


def base64_text(payload: bytes) -> str:
    return binascii.b2a_base64(payload, newline=False).decode("ascii")
