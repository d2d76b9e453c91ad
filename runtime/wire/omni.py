"""
PyAI's Omni protocol, version 2: what a client's frames mean, and what it is told. No sockets, no clock.

Binary frames carry a tag byte: 1 for PCM16 audio, 2 for transcripts, 3 for control, both JSON. Clients of
the browser guide send bare PCM instead, and JSON as text. Both are understood, told apart by their length:
a tagged frame of 16-bit samples has an odd number of bytes, a bare one an even number. What the reference
server drops in silence is served where it can be, and answered by a ``warning`` with a stable ``code``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from runtime.errors import MalformedMessage

PROTOCOL = 2
AUDIO, TRANSCRIPT, CONTROL = 1, 2, 3

RATES = (8_000, 16_000, 24_000)

CONFIGURABLE = frozenset(
    {"voice_id", "persona", "greeting", "language", "tools", "consent_line", "kb_endpoint", "kb_token"}
)
"""Members of ``configure``."""

DIGITS = frozenset("0123456789*#ABCD")

Framing: TypeAlias = Literal["tagged", "raw"]


@dataclass(frozen=True, slots=True)
class AudioReceived:
    """The caller's PCM, little-endian 16-bit."""

    pcm: bytes


@dataclass(frozen=True, slots=True)
class Configured:
    """How the agent shall be, on this call."""

    fields: Mapping[str, Any]
    """Those of :data:`CONFIGURABLE` that were sent."""
    ignored: Sequence[str]


@dataclass(frozen=True, slots=True)
class KeysPressed:
    digits: str


@dataclass(frozen=True, slots=True)
class TextTyped:
    text: str


@dataclass(frozen=True, slots=True)
class ToolAnswered:
    call_id: str
    output: str


@dataclass(frozen=True, slots=True)
class Ending:
    """The client wants to hang up."""


Action: TypeAlias = AudioReceived | Configured | KeysPressed | TextTyped | ToolAnswered | Ending


class OmniProtocol:
    """
    The states of one connection.

    Args:
        framing: How we send: ``tagged`` puts everything in tagged binary frames, ``raw`` sends bare PCM, and
            JSON as text.
        rate: Hz of the audio both ways.
    """

    def __init__(self, *, framing: Framing = "tagged", rate: int = 24_000) -> None:
        self._framing = framing
        self._rate = rate
        self._warned: set[str] = set()
        self._warnings: list[bytes | str] = []
        self._configured = False

    def receive(self, frame: str | bytes) -> Action | None:
        """
        What a frame asks for; None where it asks for nothing we know, which a warning tells.

        Raises:
            MalformedMessage: JSON that is none, or a member of a type it cannot have.
        """
        if isinstance(frame, str):
            return self._control(_object(frame))
        if frame[:1] == bytes([CONTROL]) and frame[1:2] == b"{":
            return self._control(_object(frame[1:]))
        return self._audio(frame)

    def warnings(self) -> list[bytes | str]:
        """What the client should be told about its own frames; each kind once a call."""
        told, self._warnings = self._warnings, []
        return told

    def warn(self, code: str, message: str) -> None:
        """Add a warning, unless one with this code was given before."""
        if code not in self._warned:
            self._warned.add(code)
            self._warnings.append(self.control({"event": "warning", "code": code, "message": message}))

    def audio_came_early(self) -> None:
        """Warn that audio came before ``configure``."""
        self.warn("audio_before_configure", "Audio came before configure; it is heard all the same.")

    # What we send

    def hello(self, server: str) -> bytes | str:
        audio = f"pcm16@{self._rate}"
        return self.control(
            {"event": "hello", "protocol": PROTOCOL, "audio_in": audio, "audio_out": audio, "server": server}
        )

    def control(self, body: Mapping[str, Any]) -> bytes | str:
        """A control frame."""
        return self._json(CONTROL, body)

    def transcript(self, role: str, text: str, *, final: bool, at_ms: int) -> bytes | str:
        """Words of one side; ``at_ms`` counts from the start of the call."""
        return self._json(TRANSCRIPT, {"role": role, "final": final, "text": text, "at_ms": at_ms})

    def audio(self, pcm: bytes) -> bytes:
        """The agent's PCM."""
        return pcm if self._framing == "raw" else bytes([AUDIO]) + pcm

    def _json(self, tag: int, body: Mapping[str, Any]) -> bytes | str:
        text = json.dumps(body, ensure_ascii=False)
        return text if self._framing == "raw" else bytes([tag]) + text.encode()

    # What we understand

    def _audio(self, frame: bytes) -> Action | None:
        if len(frame) % 2:
            if frame[0] != AUDIO:
                self.warn(
                    "odd_length_pcm",
                    "A frame with an odd number of bytes and no tag 0x01 is no 16-bit PCM; it was dropped.",
                )
                return None
            frame = frame[1:]
        elif self._framing == "tagged":
            self.warn(
                "untagged_audio",
                "Audio came without the tag byte 0x01. It was heard; other servers drop it.",
            )
        if not self._configured:
            self.audio_came_early()
        return AudioReceived(frame) if frame else None

    def _control(self, body: dict[str, Any]) -> Action | None:
        kind = body.get("type", body.get("event"))
        if "type" not in body and "event" in body:
            self.warn(
                "event_key", "A message was keyed by `event`. It was understood; other servers want `type`."
            )
        match kind:
            case "configure":
                return self._configure(body)
            case "dtmf":
                digits = str(body.get("digits", body.get("digit", "")))
                if not digits or not set(digits) <= DIGITS:
                    raise MalformedMessage(f"dtmf digits are of 0-9*#A-D, not {digits[:20]!r}")
                return KeysPressed(digits)
            case "input_text":
                text = body.get("text")
                if not isinstance(text, str) or not text.strip():
                    raise MalformedMessage("input_text needs text")
                return TextTyped(text)
            case "tool_result":
                return _tool_answered(body)
            case "session_ending":
                return Ending()
        self.warn("unknown_message", f"A message of type {str(kind)[:50]!r} was ignored.")
        return None

    def _configure(self, body: dict[str, Any]) -> Configured:
        self._configured = True
        members = {name: value for name, value in body.items() if name not in ("type", "event")}
        ignored = sorted(set(members) - CONFIGURABLE)
        for name in ignored:
            told = f"{name[:50]} is not a member of configure; it was ignored."
            self.warn(f"ignored_key:{name[:50]}", told)
        fields = {name: members[name] for name in CONFIGURABLE if name in members}
        for name, value in fields.items():
            wanted = list if name == "tools" else str
            if value is not None and not isinstance(value, wanted):
                raise MalformedMessage(f"configure: {name} is not a {wanted.__name__}")
        if not all(
            isinstance(tool, dict) and isinstance(tool.get("name"), str) for tool in fields.get("tools") or ()
        ):
            raise MalformedMessage("configure: a tool is an object with a name")
        if fields.get("kb_token") and not fields.get("kb_endpoint"):
            self.warn("kb_token_alone", "kb_token came without kb_endpoint; it was ignored.")
        return Configured(fields, ignored)


def _tool_answered(body: dict[str, Any]) -> ToolAnswered:
    call_id = body.get("call_id", body.get("id"))
    if not isinstance(call_id, str):
        raise MalformedMessage("tool_result needs the call_id of its tool_call")
    result = body.get("result", body.get("output", ""))
    return ToolAnswered(call_id, result if isinstance(result, str) else json.dumps(result))


def _object(data: str | bytes) -> dict[str, Any]:
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        raise MalformedMessage("a control frame is not JSON") from None
    if not isinstance(body, dict):
        raise MalformedMessage("a control frame is not a JSON object")
    return body
