"""What ``response.create`` asks for, with the session's settings where it asks for nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from runtime.errors import InvalidRequest, NotFound
from runtime.wire.conversation import Conversation, Item, new_id
from runtime.wire.realtime.actions import Response
from runtime.wire.realtime.config import BUILT_IN_VOICES, AudioFormat, JsonObject, SessionConfig
from runtime.wire.realtime.items import read_item
from runtime.wire.realtime.refusals import BETA_SHAPE, invalid_value, missing_parameter
from runtime.wire.realtime.update import (
    invalid_type,
    read_format,
    read_max_tokens,
    read_modality,
    read_tool_choice,
    read_tools,
    read_voice,
)

BETA_MEMBERS = frozenset({"modalities", "voice", "output_audio_format", "max_response_output_tokens"})
"""Members of the beta dialect's response."""

METADATA_PAIRS, METADATA_KEY_CHARACTERS, METADATA_VALUE_CHARACTERS = 16, 64, 512

MAX_INPUT_ITEMS = 512


def read_response(
    request: JsonObject, config: SessionConfig, conversation: Conversation, *, agent_voice: str | None
) -> Response:
    """
    The response that ``request`` describes. Members that are absent or null fall back to the session's.

    Raises:
        InvalidRequest: A member has a value it cannot have; ``param`` names it.
        NotFound: It refers to an item that is not in the conversation.
    """
    if beta := sorted(BETA_MEMBERS & request.keys()):
        raise InvalidRequest(
            f"'{beta[0]}' belongs to the beta Realtime API, which is not served. Send the GA shape: "
            "output_modalities, audio.output, max_output_tokens.",
            code=BETA_SHAPE,
            param=f"response.{beta[0]}",
        )
    given = {name: value for name, value in request.items() if value is not None}
    output = _audio_output(given)
    voice = read_voice(output["voice"], "response.audio.output.voice") if "voice" in output else config.voice
    if agent_voice and voice in BUILT_IN_VOICES:
        voice = config.voice
    response = Response(
        id=new_id("resp"),
        in_conversation=_in_conversation(given),
        history=None,
        instructions=config.instructions,
        modality=config.modality,
        voice=voice,
        output_format=config.output_format,
        tools=config.tools,
        tool_choice=config.tool_choice,
        max_output_tokens=config.max_output_tokens,
        metadata=None,
    )
    changes: dict[str, Any] = {}
    if "format" in output:
        changes["output_format"] = read_format(output["format"], "response.audio.output.format")
    if "instructions" in given:
        changes["instructions"] = _string(given["instructions"], "response.instructions")
    if "output_modalities" in given:
        changes["modality"] = read_modality(given["output_modalities"], "response.output_modalities")
    if "tools" in given:
        changes["tools"] = read_tools(given["tools"], "response.tools")
    if "tool_choice" in given:
        changes["tool_choice"] = read_tool_choice(given["tool_choice"], "response.tool_choice")
    if "max_output_tokens" in given:
        changes["max_output_tokens"] = read_max_tokens(
            given["max_output_tokens"], "response.max_output_tokens"
        )
    if "metadata" in given:
        changes["metadata"] = _metadata(given["metadata"])
    if "input" in given:
        changes["history"] = _input(given["input"], conversation, config.input_format)
    return replace(response, **changes)


def _in_conversation(given: Mapping[str, Any]) -> bool:
    where = given.get("conversation", "auto")
    if where not in ("auto", "none"):
        raise invalid_value("response.conversation", where, ("auto", "none"))
    return bool(where == "auto")


def _audio_output(given: Mapping[str, Any]) -> Mapping[str, Any]:
    audio = given.get("audio", {})
    if not isinstance(audio, dict):
        raise invalid_type("response.audio", audio, "an object")
    output = audio.get("output") or {}
    if not isinstance(output, dict):
        raise invalid_type("response.audio.output", output, "an object")
    return {name: value for name, value in output.items() if value is not None}


def _metadata(value: object) -> Mapping[str, str]:
    if not isinstance(value, dict):
        raise invalid_type("response.metadata", value, "an object")
    if len(value) > METADATA_PAIRS:
        raise InvalidRequest(
            f"'response.metadata' holds {len(value)} pairs; at most {METADATA_PAIRS} are kept.",
            code="invalid_value",
            param="response.metadata",
        )
    for name, text in value.items():
        if len(name) > METADATA_KEY_CHARACTERS:
            raise InvalidRequest(
                f"A key of 'response.metadata' is longer than {METADATA_KEY_CHARACTERS} characters.",
                code="invalid_value",
                param="response.metadata",
            )
        if len(_string(text, f"response.metadata.{name}")) > METADATA_VALUE_CHARACTERS:
            raise InvalidRequest(
                f"'response.metadata.{name}' is longer than {METADATA_VALUE_CHARACTERS} characters.",
                code="invalid_value",
                param=f"response.metadata.{name}",
            )
    return value


def _input(value: object, conversation: Conversation, audio_format: AudioFormat) -> Sequence[Item]:
    if not isinstance(value, list):
        raise invalid_type("response.input", value, "an array")
    if len(value) > MAX_INPUT_ITEMS:
        raise InvalidRequest(
            f"'response.input' holds {len(value)} items; at most {MAX_INPUT_ITEMS} are read.",
            code="invalid_value",
            param="response.input",
        )
    items: list[Item] = []
    for index, entry in enumerate(value):
        param = f"response.input[{index}]"
        if isinstance(entry, dict) and entry.get("type") == "item_reference":
            item_id = entry.get("id")
            if not isinstance(item_id, str):
                raise missing_parameter(f"{param}.id")
            if item_id not in conversation:
                raise NotFound(
                    f"'{param}' refers to item '{item_id}', which is not in the conversation.",
                    code="invalid_value",
                    param=f"{param}.id",
                )
            items.append(conversation.get(item_id))
        else:
            items.append(read_item(entry, param=param, audio_format=audio_format)[0])
    return tuple(items)


def _string(value: object, param: str) -> str:
    if not isinstance(value, str):
        raise invalid_type(param, value, "a string")
    return value
