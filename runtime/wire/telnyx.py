"""
Telnyx media streaming, bidirectional in mode ``rtp``: Twilio's messages in snake case, in no certain order.

Media messages carry a chunk number by which they are put in order here; one that stays away while
:data:`DEPTH` later ones wait is given up. Audio goes back in the codec of the stream, as G.711 or as linear
PCM with the low byte first, 20 ms to 30 s a message.

Webhooks are signed with Ed25519 over ``timestamp|body``; the socket is not signed at all.

Sources: Telnyx's documentation, "Stream call media over WebSocket", "TeXML: Stream" and "Webhook signing".
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from runtime.errors import UnexpectedMessage, UnsupportedFormat
from runtime.media.jitter import JitterBuffer, Lost
from runtime.media.line_codec import LineCodec, line_codec
from runtime.wire import fields
from runtime.wire.telephony import (
    CallStarted,
    CallStopped,
    Coding,
    KeyPressed,
    MarkReturned,
    MediaReceived,
    Packing,
    TelephonyEvent,
    WireMessage,
)
from runtime.wire.xml import attribute, document

DEPTH = 4
"""Messages that may wait behind a missing one: 80 ms."""

RESTART = 100
"""Chunks. A longer jump is a new count, not a loss of two seconds."""

_CODINGS: Mapping[str, Coding] = {"PCMU": "pcmu", "PCMA": "pcma", "L16": "l16"}
_RATES = {"pcmu": (8_000,), "pcma": (8_000,), "l16": (8_000, 16_000, 24_000)}


class TelnyxStream:
    """One media stream. No I/O: messages in by :meth:`receive`, messages out as text."""

    packing = Packing()

    def __init__(self) -> None:
        self.stream_id: str | None = None
        self.stopped = False
        self._codec: LineCodec | None = None
        self._order: JitterBuffer[bytes] = JitterBuffer(depth=DEPTH, reset_after=RESTART)

    @property
    def late(self) -> int:
        """Media messages that came after they were given up, or twice; they are dropped."""
        return self._order.late

    def receive(self, message: WireMessage) -> TelephonyEvent | None:
        """
        Understand one message; None for those that tell nothing.

        Raises:
            MalformedMessage: Not JSON, or a field is missing or is not what it should be.
            UnexpectedMessage: Legal, but not now.
            UnsupportedFormat: Neither G.711 nor linear PCM.
        """
        parsed = fields.json_object(message)
        match fields.text(parsed, "event"):
            case "start":
                return self._start(parsed)
            case "media":
                return self._media(fields.child(parsed, "media"))
            case "dtmf":
                self._require_start("dtmf")
                return KeyPressed(fields.key(fields.child(parsed, "dtmf")))
            case "mark":
                self._require_start("mark")
                return MarkReturned(fields.text(fields.child(parsed, "mark"), "name"))
            case "stop":
                self.stopped = True
                return CallStopped()
            case _:
                return None  # connected, error (about a message of ours), and whatever is added

    def replies(self) -> Sequence[WireMessage]:
        return ()

    def play(self, coded: bytes) -> str:
        return f'{{"event":"media","media":{{"payload":"{fields.base64_text(coded)}"}}}}'

    def mark(self, name: str) -> str:
        return f'{{"event":"mark","mark":{{"name":{json.dumps(name)}}}}}'

    def clear(self) -> str:
        return '{"event":"clear"}'

    def hang_up(self) -> None:
        """The stream has no word for it: the document ends, or a call-control command does it."""

    def _start(self, message: Mapping[str, Any]) -> CallStarted:
        if self.stream_id is not None:
            raise UnexpectedMessage("the stream has started already")
        start = fields.child(message, "start")
        audio = fields.child(start, "media_format")
        coding = _CODINGS.get(str(audio.get("encoding")).upper())
        rate = fields.number(audio, "sample_rate")
        if coding is None or rate not in _RATES[coding] or str(audio.get("channels", 1)) != "1":
            raise UnsupportedFormat(
                f"only mono PCMU, PCMA and L16 are spoken here, not {dict(audio)}",
                fix="set bidirectionalCodec to one of these, and codec to the same",
            )
        parameters = fields.strings(start, "custom_parameters")
        for name in ("from", "to"):
            if start.get(name):
                parameters.setdefault(name, str(start[name]))
        started = CallStarted(
            stream_id=fields.text(message if "stream_id" in message else start, "stream_id"),
            call_id=fields.text(start, "call_control_id"),
            account_id=str(start.get("user_id") or ""),
            parameters=parameters,
            rate=rate,
            coding=coding,
        )
        self.stream_id = started.stream_id
        self._codec = line_codec(coding, rate)
        return started

    def _media(self, media: Mapping[str, Any]) -> MediaReceived | None:
        self._require_start("media")
        assert self._codec is not None
        if media.get("track", "inbound") not in ("inbound", "inbound_track"):
            return None
        chunk = fields.number(media, "chunk")
        payload = fields.audio(media, "payload", sample_bytes=self._codec.sample_bytes)
        missing, heard = 0, b""
        for part in self._order.push(chunk, payload):
            if not isinstance(part, Lost):
                heard += part
            elif heard:
                heard += self._codec.silence * (part.count * len(payload) // self._codec.sample_bytes)
            else:
                missing += part.count * len(payload) // self._codec.sample_bytes
        return MediaReceived(heard, missing) if heard else None

    def _require_start(self, event: str) -> None:
        if self.stream_id is None or self.stopped:
            raise UnexpectedMessage(f"{event} {'after the stop' if self.stopped else 'before the start'}")


def texml(stream_url: str, parameters: Mapping[str, str]) -> str:
    """
    The document that connects a call to us, in both directions, as mu-law.

    Args:
        stream_url: ``wss://…``; a query is allowed.
    """
    inside = "".join(
        f"<Parameter name={attribute(name)} value={attribute(value)}/>" for name, value in parameters.items()
    )
    return document(
        f'<Response><Connect><Stream url={attribute(stream_url)} track="inbound_track" codec="PCMU"'
        f' bidirectionalMode="rtp" bidirectionalCodec="PCMU">{inside}</Stream></Connect></Response>'
    )


SIGNATURE_HEADER = "telnyx-signature-ed25519"
TIMESTAMP_HEADER = "telnyx-timestamp"

OLDEST = 300.0
"""Seconds that a webhook's timestamp may lie off."""


def is_signed(
    public_key: str, body: bytes, *, signature: str | None, timestamp: str | None, now: float
) -> bool:
    """
    Whether a webhook comes from Telnyx, and is fresh.

    Args:
        public_key: Of the account, base64.
        body: As it came.
        now: Unix seconds.

    Raises:
        ValueError: ``public_key`` is not one.
    """
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key, validate=True))
    if not signature or not timestamp or not (timestamp.isascii() and timestamp.isdigit()):
        return False
    if len(timestamp) > 15 or abs(now - int(timestamp)) > OLDEST:
        return False
    try:
        key.verify(binascii.a2b_base64(signature), timestamp.encode() + b"|" + body)
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True
