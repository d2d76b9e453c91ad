"""What a client's message asks of the call, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from runtime.wire.conversation import Item
from runtime.wire.realtime.config import AudioFormat, SessionConfig, ToolChoice


@dataclass(frozen=True, slots=True)
class Response:
    """One answer being made, with everything it was asked to be. Its events are already under way."""

    id: str
    in_conversation: bool
    """False for an out-of-band response (``conversation: "none"``): its items join no history."""
    history: Sequence[Item] | None
    """What the brain is shown *instead of* the conversation; None means the conversation itself."""
    instructions: str
    modality: Literal["audio", "text"]
    """``audio`` is spoken and transcribed; ``text`` is written only."""
    voice: str
    output_format: AudioFormat
    tools: tuple[Mapping[str, object], ...]
    """Function tools, as the client declared them: name, description, parameters (JSON Schema)."""
    tool_choice: ToolChoice
    max_output_tokens: int | None
    """None is without limit. The protocol enforces it: see :meth:`RealtimeProtocol.text_delta`."""
    metadata: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class SessionChanged:
    """The client changed the session; ``session.updated`` is on its way."""

    config: SessionConfig
    previous: SessionConfig


@dataclass(frozen=True, slots=True)
class ResolveVoice:
    """
    The client asked for another voice, and somebody must say whether it exists.

    Until :meth:`RealtimeProtocol.voice_resolved` or :meth:`RealtimeProtocol.voice_refused` is called, what
    the client sends further waits unread, so the answer must come, and soon.
    """

    voice: str
    """A built-in name, or an id such as ``voice_…``."""


@dataclass(frozen=True, slots=True)
class AppendAudio:
    """The caller's audio, in the session's input format: s16le mono at 24 kHz, or G.711 at 8 kHz."""

    audio: bytes


@dataclass(frozen=True, slots=True)
class CommitAudio:
    """
    The client ended the caller's turn by hand. The user item stands in the conversation already; recognise
    what was appended since the last commit and report it by :meth:`RealtimeProtocol.transcription_completed`.
    It does not start a response.
    """

    item_id: str
    seconds: float
    """Of audio in the turn."""


@dataclass(frozen=True, slots=True)
class ClearAudio:
    """Forget what was appended and not yet committed."""


@dataclass(frozen=True, slots=True)
class ItemCreated:
    """The client added an item to the conversation. It does not start a response."""

    item: Item
    audio: bytes | None
    """Recorded speech in a user message, in the session's input format, to be recognised; usually None."""


@dataclass(frozen=True, slots=True)
class ItemDeleted:
    item_id: str


@dataclass(frozen=True, slots=True)
class ItemTruncated:
    """The client says how much of an answer was heard; the conversation is already cut to it."""

    item_id: str
    heard: float
    """Seconds of the item's audio, clamped to what there is."""


@dataclass(frozen=True, slots=True)
class CreateResponse:
    """Make this answer. ``response.created`` is on its way."""

    response: Response


@dataclass(frozen=True, slots=True)
class CancelResponse:
    """Stop making this answer. ``response.done`` is on its way; late facts about it are ignored."""

    response_id: str


@dataclass(frozen=True, slots=True)
class ClearPlayback:
    """Drop the agent's audio that has not left yet (WebRTC). Report what was heard by
    :meth:`RealtimeProtocol.playback_cleared`."""

    response_id: str


@dataclass(frozen=True, slots=True)
class PressKey:
    """The caller pressed a key of the client's keypad."""

    digit: str
    """One of ``0-9*#A-D``."""


Action: TypeAlias = (
    SessionChanged
    | ResolveVoice
    | AppendAudio
    | CommitAudio
    | ClearAudio
    | ItemCreated
    | ItemDeleted
    | ItemTruncated
    | CreateResponse
    | CancelResponse
    | ClearPlayback
    | PressKey
)
