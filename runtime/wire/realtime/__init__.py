"""The OpenAI Realtime protocol, GA dialect, without a socket."""

from runtime.wire.realtime.actions import (
    Action,
    AppendAudio,
    CancelResponse,
    ClearAudio,
    ClearPlayback,
    CommitAudio,
    CreateResponse,
    ItemCreated,
    ItemDeleted,
    ItemTruncated,
    PressKey,
    ResolveVoice,
    Response,
    SessionChanged,
)
from runtime.wire.realtime.config import AudioFormat, SemanticVad, ServerVad, SessionConfig, Transcription
from runtime.wire.realtime.outbox import encode
from runtime.wire.realtime.protocol import RealtimeProtocol

__all__ = [
    "Action",
    "AppendAudio",
    "AudioFormat",
    "CancelResponse",
    "ClearAudio",
    "ClearPlayback",
    "PressKey",
    "CommitAudio",
    "CreateResponse",
    "ItemCreated",
    "ItemDeleted",
    "ItemTruncated",
    "RealtimeProtocol",
    "ResolveVoice",
    "Response",
    "SemanticVad",
    "ServerVad",
    "SessionChanged",
    "SessionConfig",
    "Transcription",
    "encode",
]
