"""What a carrier's media stream can tell us: frozen values, whatever the carrier's own words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias


@dataclass(frozen=True, slots=True)
class CallStarted:
    """The stream is up, and audio will follow."""

    stream_id: str
    call_id: str
    account_id: str
    parameters: Mapping[str, str]
    """What the dialling document attached to the stream."""
    rate: int
    """Hz of the caller's audio, and of ours."""


@dataclass(frozen=True, slots=True)
class MediaReceived:
    """Some of the caller's audio."""

    payload: bytes
    """Encoded as the stream's start said."""
    missing: int
    """Samples lost right before it, by the carrier's own count; 0 but for a gap."""


@dataclass(frozen=True, slots=True)
class KeyPressed:
    digit: str
    """One of ``0-9*#A-D``."""


@dataclass(frozen=True, slots=True)
class MarkReturned:
    """Everything sent before the mark was played, or was dropped by a clear."""

    name: str


@dataclass(frozen=True, slots=True)
class CallStopped:
    """The carrier ended the stream: the caller hung up, or the document moved on."""


TelephonyEvent: TypeAlias = CallStarted | MediaReceived | KeyPressed | MarkReturned | CallStopped


class CarrierStream(Protocol):
    """One carrier's protocol: each file of this package that speaks to a telephone network has this shape."""

    @property
    def stream_id(self) -> str | None:
        """Set by the carrier's start; audio can be sent from then on."""
        ...

    def receive(self, text: str) -> TelephonyEvent | None:
        """
        Understand one message; None for those that tell nothing.

        Raises:
            PeerError: It breaks the protocol; nothing has changed.
        """
        ...

    def media(self, payload: str) -> str:
        """Base64 of encoded audio, to be played after what was sent before."""
        ...

    def mark(self, name: str) -> str:
        """A label that comes back when everything sent before it has been played."""
        ...

    def clear(self) -> str:
        """Drop what has been sent and not yet played."""
        ...
