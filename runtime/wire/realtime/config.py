"""What a session is set to: its values, and how they are shown to the client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

JsonObject: TypeAlias = Mapping[str, Any]
"""A parsed JSON object."""

ToolChoice: TypeAlias = str | JsonObject
"""``auto``, ``none``, ``required``, or ``{"type": "function", "name": …}``."""

Modality: TypeAlias = Literal["audio", "text"]
"""``audio`` is spoken and transcribed; ``text`` is written only."""

WIRE_RATE = 24_000
"""Hz: the only rate of ``audio/pcm`` on this wire."""

BUILT_IN_VOICES = frozenset(
    ["alloy", "ash", "ballad", "cedar", "coral", "echo", "fable"]
    + ["marin", "nova", "onyx", "sage", "shimmer", "verse"]
)
"""Names that OpenAI's SDKs send, some of them unasked."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class AudioFormat(_Value):
    """How audio is written on the wire: s16le mono at 24 kHz, or one byte a sample at 8 kHz (G.711)."""

    type: Literal["audio/pcm", "audio/pcmu", "audio/pcma"] = "audio/pcm"

    @property
    def rate(self) -> int:
        """Hz."""
        return WIRE_RATE if self.type == "audio/pcm" else 8_000

    @property
    def sample_bytes(self) -> int:
        return 2 if self.type == "audio/pcm" else 1

    @property
    def bytes_per_second(self) -> int:
        return self.rate * self.sample_bytes

    def seconds(self, size: int) -> float:
        """How long ``size`` bytes sound."""
        return size / self.bytes_per_second

    def to_json(self) -> JsonObject:
        return {"type": self.type, "rate": self.rate} if self.type == "audio/pcm" else {"type": self.type}


class ServerVad(_Value):
    """The caller's turn ends after a silence of fixed length."""

    type: Literal["server_vad"] = "server_vad"
    threshold: float = Field(default=0.5, ge=0, le=1)
    prefix_padding_ms: int = Field(default=300, ge=0, le=10_000)
    silence_duration_ms: int = Field(default=500, ge=0, le=10_000)
    idle_timeout_ms: int | None = Field(default=None, ge=1_000, le=600_000)
    """Milliseconds after the agent's last audio was played; then the agent speaks again of its own accord."""
    create_response: bool = True
    interrupt_response: bool = True


class SemanticVad(_Value):
    """The caller's turn ends when what was said sounds finished."""

    type: Literal["semantic_vad"] = "semantic_vad"
    eagerness: Literal["low", "medium", "high", "auto"] = "auto"
    """Longest wait: 8, 4 and 2 s for low, medium and high; auto is medium."""
    create_response: bool = True
    interrupt_response: bool = True


TurnDetection: TypeAlias = Annotated[ServerVad | SemanticVad, Field(discriminator="type")]


class Transcription(_Value):
    """That the caller's words are reported, and hints for the recogniser."""

    model: str | None = None
    language: str | None = None
    """ISO 639-1 or BCP-47."""
    prompt: str | None = None


class SessionConfig(_Value):
    """Everything about a session that its client can see or set."""

    type: Literal["realtime", "transcription"] = "realtime"
    model: str = ""
    """The agent's name, as the client asked for it."""
    instructions: str = ""
    modality: Modality = "audio"
    voice: str = ""
    """A built-in name, or an id such as ``voice_…``."""
    speed: float = Field(default=1.0, ge=0.25, le=1.5)
    input_format: AudioFormat = AudioFormat()
    output_format: AudioFormat = AudioFormat()
    turn_detection: TurnDetection | None = ServerVad()
    """None: the client commits each turn by hand."""
    transcription: Transcription | None = None
    """None: the caller's words are recognised for the agent but not reported."""
    noise_reduction: Literal["near_field", "far_field"] | None = None
    tools: tuple[JsonObject, ...] = ()
    tool_choice: ToolChoice = "auto"
    max_output_tokens: int | None = Field(default=None, ge=1, le=4096)
    """None is without limit."""

    def to_json(self, *, session_id: str, expires_at: int | None) -> JsonObject:
        """
        The session as the client is shown it, in the narrow shape that all known validators accept.

        Voices are plain strings; only the three members of a transcription that every client knows appear.
        """
        detector = self.turn_detection.model_dump() if self.turn_detection else None
        transcription = self.transcription.model_dump(exclude_none=True) if self.transcription else None
        hearing = {
            "format": self.input_format.to_json(),
            "transcription": transcription,
            "noise_reduction": {"type": self.noise_reduction} if self.noise_reduction else None,
            "turn_detection": detector,
        }
        head: dict[str, object] = {"type": self.type, "id": session_id}
        if expires_at is not None:
            head |= {"expires_at": expires_at}
        if self.type == "transcription":
            return head | {"object": "realtime.transcription_session", "audio": {"input": hearing}}
        speaking = {"format": self.output_format.to_json(), "voice": self.voice, "speed": self.speed}
        return head | {
            "object": "realtime.session",
            "model": self.model,
            "instructions": self.instructions,
            "output_modalities": [self.modality],
            "audio": {"input": hearing, "output": speaking},
            "tools": [dict(tool) for tool in self.tools],
            "tool_choice": self.tool_choice if isinstance(self.tool_choice, str) else dict(self.tool_choice),
            "max_output_tokens": self.max_output_tokens or "inf",
        }
