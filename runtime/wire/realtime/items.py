"""Conversation items as this wire writes them, and as clients may write them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any, get_args

from runtime.errors import InvalidRequest
from runtime.wire.conversation import (
    FunctionCall,
    FunctionCallOutput,
    HeardPart,
    ImagePart,
    Item,
    Message,
    Part,
    Role,
    SpokenPart,
    TextPart,
    new_id,
)
from runtime.wire.realtime.config import AudioFormat, JsonObject
from runtime.wire.realtime.refusals import invalid_value, missing_parameter
from runtime.wire.realtime.update import invalid_type

MAX_ID_CHARACTERS = 128

CONTENT_TYPES: Mapping[Role, tuple[str, ...]] = {
    "system": ("input_text",),
    "user": ("input_text", "input_audio", "input_image"),
    "assistant": ("output_text", "output_audio"),
}
"""What each role may say, in GA's words. The beta dialect's ``text`` and ``audio`` are not among them."""


def item_json(item: Item, *, audio: bytes | None = None, empty: bool = False) -> JsonObject:
    """
    An item as the client is shown it.

    Args:
        audio: The sound of its first spoken part; only ``conversation.item.retrieved`` carries it.
        empty: Show a message that has just begun, without its content.
    """
    head = {"id": item.id, "object": "realtime.item", "status": item.status}
    match item:
        case Message(role=role, content=content):
            parts = [] if empty else [part_json(part, role, audio=audio) for part in content]
            return head | {"type": "message", "role": role, "content": parts}
        case FunctionCall(call_id=call_id, name=name, arguments=arguments):
            shown = "" if empty else arguments
            return head | {"type": "function_call", "call_id": call_id, "name": name, "arguments": shown}
        case FunctionCallOutput(call_id=call_id, output=output):
            return head | {"type": "function_call_output", "call_id": call_id, "output": output}


def part_json(part: Part, role: Role, *, audio: bytes | None = None) -> JsonObject:
    """One content part. ``input_audio`` always has its transcript, null until it is known: clients look."""
    sound = {"audio": base64.b64encode(audio).decode()} if audio is not None else {}
    match part:
        case TextPart(text):
            return {"type": "output_text" if role == "assistant" else "input_text", "text": text}
        case HeardPart(transcript=transcript):
            return {"type": "input_audio", "transcript": transcript} | sound
        case SpokenPart(transcript=transcript):
            return {"type": "output_audio", "transcript": transcript} | sound
        case ImagePart(image_url, detail):
            return {"type": "input_image", "image_url": image_url, "detail": detail}


def read_item(value: object, *, param: str, audio_format: AudioFormat) -> tuple[Item, bytes | None]:
    """
    An item that a client wants in the conversation, and the sound in it if there is any.

    Raises:
        InvalidRequest: ``param`` names the member at fault.
    """
    item = _object(value, param)
    item_id = _text(item, "id", param, default="") or new_id("item")
    if len(item_id) > MAX_ID_CHARACTERS:
        raise InvalidRequest(
            f"'{param}.id' is longer than {MAX_ID_CHARACTERS} characters.",
            code="invalid_value",
            param=f"{param}.id",
        )
    kind = item.get("type")
    if kind is None:
        raise missing_parameter(f"{param}.type")
    if not isinstance(kind, str) or kind not in _READERS:
        raise invalid_value(f"{param}.type", kind, tuple(_READERS))
    return _READERS[kind](item_id, item, param, audio_format)


def decode_audio(value: str, param: str, audio_format: AudioFormat) -> bytes:
    """
    Base64 to whole samples.

    Raises:
        InvalidRequest: Not base64, or it ends in the middle of a sample.
    """
    try:
        audio = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequest(f"'{param}' is not valid base64.", code="invalid_value", param=param) from None
    if len(audio) % audio_format.sample_bytes:
        raise InvalidRequest(
            f"'{param}' holds {len(audio)} bytes, which is no whole number of 16-bit samples.",
            code="invalid_value",
            param=param,
        )
    return audio


def _read_message(
    item_id: str, item: JsonObject, param: str, audio_format: AudioFormat
) -> tuple[Item, bytes | None]:
    role: Role
    match item.get("role"):
        case "system" | "user" | "assistant" as role:
            pass
        case unknown:
            raise invalid_value(f"{param}.role", unknown, get_args(Role))
    content = item.get("content")
    if not isinstance(content, list):
        raise missing_parameter(f"{param}.content")
    parts: list[Part] = []
    sound: bytes | None = None
    for index, value in enumerate(content):
        part, audio = _read_part(value, role, f"{param}.content[{index}]", audio_format)
        parts.append(part)
        sound = audio if sound is None else sound + (audio or b"")
    return Message(item_id, role, tuple(parts)), sound


def _read_part(value: object, role: Role, param: str, audio_format: AudioFormat) -> tuple[Part, bytes | None]:
    part = _object(value, param)
    kind = part.get("type")
    if kind not in CONTENT_TYPES[role]:
        raise invalid_value(f"{param}.type", kind, CONTENT_TYPES[role])
    match kind:
        case "input_text" | "output_text":
            return TextPart(_text(part, "text", param)), None
        case "input_audio":
            audio = decode_audio(_text(part, "audio", param, default=""), f"{param}.audio", audio_format)
            transcript = part.get("transcript")
            said = transcript if isinstance(transcript, str) else None
            return HeardPart(audio_format.seconds(len(audio)), said), audio or None
        case "output_audio":
            return SpokenPart(_text(part, "transcript", param, default="")), None
        case _:
            image_url = _text(part, "image_url", param)
            match part.get("detail"):
                case "low" | "high" as detail:
                    return ImagePart(image_url, detail), None
                case _:
                    return ImagePart(image_url), None


def _read_call(
    item_id: str, item: JsonObject, param: str, audio_format: AudioFormat
) -> tuple[Item, bytes | None]:
    call_id = _text(item, "call_id", param, default="") or new_id("call")
    return FunctionCall(item_id, call_id, _text(item, "name", param), _text(item, "arguments", param)), None


def _read_output(
    item_id: str, item: JsonObject, param: str, audio_format: AudioFormat
) -> tuple[Item, bytes | None]:
    return FunctionCallOutput(item_id, _text(item, "call_id", param), _text(item, "output", param)), None


_READERS: Mapping[str, Callable[[str, JsonObject, str, AudioFormat], tuple[Item, bytes | None]]] = {
    "message": _read_message,
    "function_call": _read_call,
    "function_call_output": _read_output,
}


def _object(value: object, param: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise invalid_type(param, value, "an object")
    return value


def _text(owner: JsonObject, name: str, param: str, *, default: str | None = None) -> str:
    value = owner.get(name)
    if value is None:
        if default is None:
            raise missing_parameter(f"{param}.{name}")
        return default
    if not isinstance(value, str):
        raise invalid_type(f"{param}.{name}", value, "a string")
    return value
