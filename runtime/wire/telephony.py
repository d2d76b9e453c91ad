"""
What a carrier's media stream can tell us, and what can be told to it, whatever the carrier's own words.

Each file of this package that speaks to a telephone network has one :class:`CarrierStream`: messages in by
``receive``, messages out as text or bytes, no I/O. A carrier that lacks a word (a mark, a clear, a hang-up)
answers None, and the session does without: it then trusts its clock, and keeps little on the way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from runtime.media.frame import PTIME

WireMessage: TypeAlias = str | bytes
"""A text or a binary message."""

Coding: TypeAlias = Literal["pcmu", "pcma", "l16"]
"""G.711 mu-law or A-law, or 16-bit linear PCM with the low byte first."""


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
    coding: Coding = "pcmu"
    """Of the caller's audio, and of ours."""


@dataclass(frozen=True, slots=True)
class MediaReceived:
    """Some of the caller's audio."""

    payload: bytes
    """Encoded as the stream's start said, in whole samples."""
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
class FlowChanged:
    """The carrier's buffer is full, or can take more again."""

    open: bool


@dataclass(frozen=True, slots=True)
class CallStopped:
    """The carrier ended the stream: the caller hung up, or the document moved on."""


TelephonyEvent: TypeAlias = (
    CallStarted | MediaReceived | KeyPressed | MarkReturned | FlowChanged | CallStopped
)


@dataclass(frozen=True, slots=True)
class Packing:
    """How a carrier wants our audio cut, and how far ahead of its time."""

    seconds: float = 5 * PTIME
    """In a message, at most. Most carriers take any length, and few messages cost less than many."""
    grain: float = 0.0
    """The last message is filled up with silence to a multiple of this, seconds; 0: any length will do."""
    most_ahead: float | None = None
    """Seconds by which audio may leave before it is due, where the carrier has no clear; None: no bound."""


class CarrierStream(Protocol):
    """One carrier's protocol, fresh for each call."""

    @property
    def stream_id(self) -> str | None:
        """Set by the carrier's start; audio can be sent from then on."""
        ...

    @property
    def packing(self) -> Packing: ...

    def receive(self, message: WireMessage) -> TelephonyEvent | None:
        """
        Understand one message; None for those that tell nothing.

        Raises:
            PeerError: It breaks the protocol; nothing has changed.
        """
        ...

    def replies(self) -> Sequence[WireMessage]:
        """What the protocol itself has to add to what was received, or cleared; each is given once."""
        ...

    def play(self, coded: bytes) -> WireMessage:
        """Audio, coded as the start said, to be played after what was sent before."""
        ...

    def mark(self, name: str) -> WireMessage | None:
        """A label that comes back when everything sent before it has been played."""
        ...

    def clear(self) -> WireMessage | None:
        """Drop what has been sent and not yet played."""
        ...

    def hang_up(self) -> WireMessage | None:
        """End the call; None where closing the socket is all there is to say."""
        ...

    def transfer(self, to: str) -> WireMessage | None:
        """Hand the caller on, to a number, an address or a queue; None where there is no word for it."""
        ...
