"""What a client may say: the shape of each event, and how text becomes one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from runtime.errors import InvalidRequest
from runtime.wire.realtime.refusals import BETA_SHAPE, invalid_value, missing_parameter
from runtime.wire.realtime.rules import RULES
from runtime.wire.realtime.update import invalid_type

REQUIRED: Mapping[str, Mapping[str, type]] = {
    "session.update": {"session": dict},
    "input_audio_buffer.append": {"audio": str},
    "conversation.item.create": {"item": dict},
    "conversation.item.retrieve": {"item_id": str},
    "conversation.item.truncate": {"item_id": str, "content_index": int, "audio_end_ms": int},
    "conversation.item.delete": {"item_id": str},
    "vivavoce.dtmf": {"digit": str},
}
"""Members an event cannot do without."""

OPTIONAL: Mapping[str, Mapping[str, type]] = {
    "conversation.item.create": {"previous_item_id": str},
    "response.create": {"response": dict},
    "response.cancel": {"response_id": str},
}
"""Members that may be absent or null."""

TYPE_NAMES: Mapping[type, str] = {dict: "an object", str: "a string", int: "an integer"}

MAX_DEPTH = 64
"""Levels of nested arrays and objects. Tool schemas have a dozen; much deeper could not be written back."""

MAX_BRACKETS = 100_000
"""Arrays and objects in one event; more would cost more to read than anybody has to say."""


def parse(message: str | bytes) -> dict[str, Any]:
    """
    One JSON object.

    Raises:
        InvalidRequest: It is not UTF-8, not JSON, not an object, or cannot be written back as JSON.
    """
    try:
        text = message.decode() if isinstance(message, bytes) else message
        brackets = text.count("{") + text.count("[")
        if brackets > MAX_BRACKETS:
            _refuse(f"it holds more than {MAX_BRACKETS} arrays and objects")
        event = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
        if brackets > MAX_DEPTH and _deeper(event, MAX_DEPTH):
            _refuse(f"it is more than {MAX_DEPTH} levels deep")
        if "\\ud" in text or "\\uD" in text:
            json.dumps(event, ensure_ascii=False).encode()
    except RecursionError:
        _refuse(f"it is more than {MAX_DEPTH} levels deep")
    except UnicodeEncodeError:
        _refuse("it escapes half of a surrogate pair")
    except UnicodeDecodeError:
        _refuse("it is not UTF-8")
    except ValueError as error:
        _refuse(str(error))
    if not isinstance(event, dict):
        _refuse("an event is an object with a type")
    return event


def check(event: Mapping[str, Any]) -> str:
    """
    The type of a well-formed event.

    Raises:
        InvalidRequest: An unknown type, or a member that is missing or of the wrong kind.
    """
    event_type = event.get("type")
    if event_type is None:
        raise missing_parameter("type")
    if event_type == "transcription_session.update":
        raise InvalidRequest(
            "'transcription_session.update' belongs to the beta Realtime API, which is not served. "
            'Send session.update with session.type "transcription".',
            code=BETA_SHAPE,
            param="type",
        )
    if not isinstance(event_type, str) or event_type not in RULES:
        raise invalid_value("type", event_type, tuple(RULES))
    for name, kind in REQUIRED.get(event_type, {}).items():
        if event.get(name) is None:
            raise missing_parameter(name)
        _check_kind(name, event[name], kind)
    for name, kind in OPTIONAL.get(event_type, {}).items():
        if event.get(name) is not None:
            _check_kind(name, event[name], kind)
    return event_type


def event_id(event: Mapping[str, Any]) -> str | None:
    """The client's own id for an event, to be named in an error about it."""
    value = event.get("event_id")
    return value if isinstance(value, str) else None


def _check_kind(name: str, value: object, kind: type) -> None:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise invalid_type(name, value, TYPE_NAMES[kind])


def _refuse(why: str) -> NoReturn:
    raise InvalidRequest(f"The message could not be read as a JSON event: {why}.", code="invalid_json")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{digits[:20]} is out of range")
    return value


def _deeper(value: object, levels: int) -> bool:
    """Whether ``value`` nests more than ``levels`` arrays and objects."""
    layer = [value]
    for _ in range(levels + 1):
        layer = [
            child
            for owner in layer
            if isinstance(owner, dict | list)
            for child in (owner.values() if isinstance(owner, dict) else owner)
        ]
        if not layer:
            return False
    return any(isinstance(value, dict | list) for value in layer)
