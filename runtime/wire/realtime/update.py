"""
How ``session.update`` changes a session.

An update is a deep merge: a member that is absent keeps its value, ``null`` switches an optional feature
off, ``""`` and ``[]`` are values like any other. When ``turn_detection.type`` changes, the new detector
starts from its own defaults. Members we do not serve (prompt, tracing, reasoning, a model …) are accepted
and ignored: SDKs send them as a matter of course.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from pydantic import ValidationError

from runtime.errors import InvalidRequest
from runtime.wire.realtime.config import (
    WIRE_RATE,
    AudioFormat,
    JsonObject,
    Modality,
    SemanticVad,
    ServerVad,
    SessionConfig,
    ToolChoice,
)
from runtime.wire.realtime.refusals import BETA_SHAPE, invalid_value, missing_parameter

BETA_MEMBERS = frozenset(
    {
        "modalities",
        "voice",
        "input_audio_format",
        "output_audio_format",
        "input_audio_transcription",
        "turn_detection",
        "max_response_output_tokens",
    }
)
"""Top-level session members of the beta dialect. All of them mean something, so they are not ignored."""

TURN_DETECTORS: Mapping[str, type[ServerVad] | type[SemanticVad]] = {
    "server_vad": ServerVad,
    "semantic_vad": SemanticVad,
}


def updated(config: SessionConfig, patch: JsonObject) -> SessionConfig:
    """
    ``config`` with a client's partial session merged in.

    Raises:
        InvalidRequest: A member has a value it cannot have; ``param`` names it. Nothing is merged then.
    """
    if beta := sorted(BETA_MEMBERS & patch.keys()):
        raise InvalidRequest(
            f"'{beta[0]}' belongs to the beta Realtime API, which is not served. Send the GA shape: "
            'type "realtime", output_modalities, and audio.input / audio.output.',
            code=BETA_SHAPE,
            param=f"session.{beta[0]}",
        )
    kind = patch.get("type")
    if kind is None:
        raise missing_parameter("session.type")
    if kind not in ("realtime", "transcription"):
        raise invalid_value("session.type", kind, ("realtime", "transcription"))
    if config.type == "transcription" and kind == "realtime":
        raise InvalidRequest(
            "A transcription session cannot become a realtime session: open another.",
            code="invalid_value",
            param="session.type",
        )
    changes: dict[str, object] = {"type": kind}
    for path, (field, read) in MEMBERS.items():
        found, value = _at(patch, path)
        if found and (value is not None or field in NULLABLE):
            changes[field] = read(value, config, f"session.{path}")
    try:
        return SessionConfig.model_validate(dict(config) | changes)
    except ValidationError as error:
        raise _refusal(error) from None


def read_modality(value: object, param: str) -> Modality:
    """``["audio"]`` or ``["text"]``. Audio always carries its transcript; both together is refused."""
    if value == ["audio"]:
        return "audio"
    if value == ["text"]:
        return "text"
    raise InvalidRequest(
        f"Invalid modalities: {_brief(value)}. Supported combinations are: ['text'] and ['audio'].",
        code="invalid_value",
        param=param,
    )


def read_voice(value: object, param: str) -> str:
    """A name, or ``{"id": …}`` as GA writes a custom voice."""
    name = value.get("id") if isinstance(value, dict) else value
    if not isinstance(name, str) or not 0 < len(name) <= 256:
        raise InvalidRequest(
            f"A voice is a name or an object with an id; got {_brief(value)}.",
            code="invalid_value",
            param=param,
        )
    return name


def read_max_tokens(value: object, param: str) -> int | None:
    """1 to 4096, or ``"inf"``."""
    if value == "inf":
        return None
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 4096:
        return value
    raise InvalidRequest(
        f'Expected an integer from 1 to 4096, or "inf"; got {_brief(value)}.',
        code="invalid_value",
        param=param,
    )


def read_tools(value: object, param: str) -> tuple[JsonObject, ...]:
    """Function tools. Hosted MCP servers are refused rather than silently never called."""
    if not isinstance(value, list):
        raise invalid_type(param, value, "an array")
    for index, tool in enumerate(value):
        place = f"{param}[{index}]"
        if not isinstance(tool, dict):
            raise invalid_type(place, tool, "an object")
        if tool.get("type") != "function":
            raise invalid_value(f"{place}.type", tool.get("type"), ("function",))
        if not isinstance(tool.get("name"), str) or not tool["name"]:
            raise missing_parameter(f"{place}.name")
    return tuple(value)


def read_tool_choice(value: object, param: str) -> ToolChoice:
    if value in ("auto", "none", "required"):
        assert isinstance(value, str)
        return value
    if isinstance(value, dict) and value.get("type") == "function" and isinstance(value.get("name"), str):
        return value
    raise invalid_value(param, value, ("auto", "none", "required", "{type: function, name}"))


def read_format(value: object, param: str) -> AudioFormat:
    if not isinstance(value, dict):
        raise invalid_type(param, value, "an object")
    if value.get("type") == "audio/pcm" and value.get("rate", WIRE_RATE) not in (WIRE_RATE, None):
        raise invalid_value(f"{param}.rate", value["rate"], (str(WIRE_RATE),))
    try:
        return AudioFormat.model_validate(value)
    except ValidationError:
        raise invalid_value(
            f"{param}.type", value.get("type"), ("audio/pcm", "audio/pcmu", "audio/pcma")
        ) from None


def invalid_type(param: str, value: object, expected: str) -> InvalidRequest:
    return InvalidRequest(
        f"Invalid type for '{param}': expected {expected}, got {_brief(value)}.",
        code="invalid_type",
        param=param,
    )


def _read_turn_detection(value: object, config: SessionConfig, param: str) -> object:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise invalid_type(param, value, "an object or null")
    current = config.turn_detection
    kind = value.get("type", current.type if current else "server_vad")
    if kind not in TURN_DETECTORS:
        raise invalid_value(f"{param}.type", kind, tuple(TURN_DETECTORS))
    start = current.model_dump() if current and current.type == kind else {"type": kind}
    # Only idle_timeout_ms can be switched off; any other null means that the SDK has no opinion.
    return start | {key: v for key, v in value.items() if v is not None or key == "idle_timeout_ms"}


def _read_transcription(value: object, config: SessionConfig, param: str) -> object:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise invalid_type(param, value, "an object or null")
    return (config.transcription.model_dump() if config.transcription else {}) | value


def _read_noise_reduction(value: object, config: SessionConfig, param: str) -> object:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise invalid_type(param, value, "an object or null")
    return value.get("type")


def _as_it_is(value: object, config: SessionConfig, param: str) -> object:
    return value


_Reader: TypeAlias = Callable[[object, SessionConfig, str], object]


def _alone(read: Callable[[object, str], object]) -> _Reader:
    return lambda value, config, param: read(value, param)


MEMBERS: Mapping[str, tuple[str, _Reader]] = {
    "instructions": ("instructions", _as_it_is),
    "output_modalities": ("modality", _alone(read_modality)),
    "tools": ("tools", _alone(read_tools)),
    "tool_choice": ("tool_choice", _alone(read_tool_choice)),
    "max_output_tokens": ("max_output_tokens", _alone(read_max_tokens)),
    "audio.input.format": ("input_format", _alone(read_format)),
    "audio.input.transcription": ("transcription", _read_transcription),
    "audio.input.noise_reduction": ("noise_reduction", _read_noise_reduction),
    "audio.input.turn_detection": ("turn_detection", _read_turn_detection),
    "audio.output.format": ("output_format", _alone(read_format)),
    "audio.output.voice": ("voice", _alone(read_voice)),
    "audio.output.speed": ("speed", _as_it_is),
}
"""Where each setting lies on the wire, the field it sets, and how it is read."""

NULLABLE = frozenset({"turn_detection", "transcription", "noise_reduction"})
"""Fields that ``null`` switches off. Elsewhere SDKs write it for "no opinion", and it keeps the value."""


def _at(patch: JsonObject, path: str) -> tuple[bool, object]:
    value: object = patch
    steps: list[str] = []
    for step in path.split("."):
        if value is None:
            return False, None
        if not isinstance(value, dict):
            raise invalid_type("session." + ".".join(steps), value, "an object")
        if step not in value:
            return False, None
        value = value[step]
        steps.append(step)
    return True, value


def _refusal(error: ValidationError) -> InvalidRequest:
    first = error.errors()[0]
    field, *rest = (str(step) for step in first["loc"])
    path = next((path for path, (name, _) in MEMBERS.items() if name == field), field)
    inner = [step for step in rest if step not in TURN_DETECTORS]
    param = ".".join(["session", path, *inner])
    return InvalidRequest(
        f"Invalid value for '{param}': {first['msg'].lower()}; got {_brief(first.get('input'))}.",
        code="invalid_value",
        param=param,
    )


def _brief(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "…"
