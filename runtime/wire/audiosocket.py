"""
Asterisk's AudioSocket: frames of a kind, a length and a payload, on a bare TCP connection.

Asterisk dials us, names the call by a UUID, and sends 20 ms of linear PCM a frame; the kind tells the rate.
Towards Asterisk only audio and the hang-up are legal: **any other kind, and audio without samples, ends the
call**. Asterisk neither paces nor keeps what we send: one frame leaves every 20 ms, by our clock. There is no
mark and no clear, and none is needed, as nothing waits on the other side.

Source: Asterisk's documentation, "AudioSocket", and the table of kinds of ``res_audiosocket``; kinds above
0x10 need a current release.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from types import MappingProxyType
from uuid import UUID

from runtime.errors import MalformedMessage, UnexpectedMessage, UnsupportedFormat
from runtime.media.frame import PTIME
from runtime.wire import fields
from runtime.wire.telephony import (
    CallStarted,
    CallStopped,
    KeyPressed,
    MediaReceived,
    Packing,
    TelephonyEvent,
    WireMessage,
)

HANG_UP = 0x00
CALL_ID = 0x01
DTMF = 0x03
ERROR = 0xFF

RATES = MappingProxyType(
    {
        0x10: 8_000,
        0x11: 12_000,
        0x12: 16_000,
        0x13: 24_000,
        0x14: 32_000,
        0x15: 44_100,
        0x16: 48_000,
        0x17: 96_000,
        0x18: 192_000,
    }
)
"""Hz, by the kind of the frame."""

_HEAD = struct.Struct("!BH")


def framed(kind: int, payload: bytes = b"") -> bytes:
    """One frame; a payload has at most 65 535 bytes."""
    return _HEAD.pack(kind, len(payload)) + payload


class FrameReader:
    """Cut a TCP stream into frames. Every stream is one: lengths are as they are said, to 65 535 bytes."""

    def __init__(self) -> None:
        self._rest = b""

    def push(self, data: bytes) -> list[bytes]:
        """Take bytes as they come, and return the frames they complete, heads and all."""
        data = self._rest + data
        frames, at = [], 0
        while len(data) - at >= _HEAD.size:
            end = at + _HEAD.size + _HEAD.unpack_from(data, at)[1]
            if end > len(data):
                break
            frames.append(data[at:end])
            at = end
        self._rest = data[at:]
        return frames


def call_id(frame: bytes) -> UUID:
    """
    Whose call it is, from the first frame.

    Raises:
        MalformedMessage: The frame is not a UUID.
    """
    if len(frame) != _HEAD.size + 16 or frame[0] != CALL_ID:
        raise MalformedMessage("a connection begins with the UUID of its call")
    return UUID(bytes=frame[_HEAD.size :])


class AudioSocketStream:
    """
    One connection, after its UUID. No I/O: whole frames in by :meth:`receive`, frames out as bytes.

    The first audio tells the rate and so opens the call; it is heard with the second.
    """

    packing = Packing(seconds=PTIME, grain=PTIME, most_ahead=0.0)

    def __init__(self, call: UUID) -> None:
        self.stream_id: str | None = None
        self.stopped = False
        self._call = call
        self._kind = 0
        self._unheard = b""

    def receive(self, message: WireMessage) -> TelephonyEvent | None:
        """
        Understand one frame; None for those that tell nothing.

        Raises:
            MalformedMessage: Not a whole frame, half a sample, or no key.
            UnexpectedMessage: A second UUID, or anything after the hang-up.
            UnsupportedFormat: The rate changed in mid-call.
        """
        if isinstance(message, str) or len(message) < _HEAD.size:
            raise MalformedMessage("AudioSocket speaks frames")
        kind, length = _HEAD.unpack_from(message)
        payload = message[_HEAD.size :]
        if len(payload) != length:
            raise MalformedMessage(f"a frame of {length} bytes has {len(payload)}")
        if self.stopped:
            raise UnexpectedMessage("a frame after the hang-up")
        if kind in RATES:
            return self._media(kind, payload)
        match kind:
            case 0x00 | 0xFF:
                self.stopped = True
                return CallStopped()
            case 0x03:
                return KeyPressed(fields.key({"digit": payload.decode("latin-1")}))
            case 0x01:
                raise UnexpectedMessage("the call has its UUID already")
            case _:
                return None

    def replies(self) -> Sequence[WireMessage]:
        return ()

    def play(self, coded: bytes) -> bytes:
        """A frame of audio, which has at least one sample."""
        if self.stream_id is None or not coded:
            raise UnexpectedMessage("there is no audio to send, or no call yet")
        return framed(self._kind, coded)

    def mark(self, name: str) -> None:
        """There are none."""

    def clear(self) -> None:
        """There is none."""

    def hang_up(self) -> bytes:
        """Ends the application, not the call: that is for the dialplan."""
        return framed(HANG_UP)

    def transfer(self, to: str) -> bytes:
        """The same frame: the dialplan goes on behind it, which it does not when we just close."""
        return framed(HANG_UP)

    def _media(self, kind: int, payload: bytes) -> TelephonyEvent | None:
        fields.whole(payload, sample_bytes=2)
        if self.stream_id is None:
            self.stream_id, self._kind, self._unheard = str(self._call), kind, payload
            return CallStarted(self.stream_id, self.stream_id, "", {}, RATES[kind], "l16")
        if kind != self._kind:
            raise UnsupportedFormat(f"the rate changed from {RATES[self._kind]} to {RATES[kind]} Hz")
        heard, self._unheard = self._unheard + payload, b""
        return MediaReceived(heard, 0) if heard else None
