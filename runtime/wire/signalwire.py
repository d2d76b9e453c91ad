"""
SignalWire's cXML streams: Twilio's messages, in mu-law, A-law, or linear PCM up to 24 kHz.

The codec is the stream's own choice, by the attribute ``codec`` of the document: ``PCMU``, ``PCMA`` or
``L16@24000h``. Webhooks are signed as Twilio's are, in a header of another name.

Sources: SignalWire's documentation, "cXML: Stream" and "Webhook signatures". How ``mediaFormat`` spells its
encodings is not documented in one place, so every usual spelling is understood.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from runtime.errors import UnexpectedMessage, UnsupportedFormat
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

SIGNATURE_HEADER = "x-signalwire-signature"
"""Holds what :func:`runtime.wire.twilio.signature` makes with the account's signing key."""

LARGEST_GAP = 2.0
"""Seconds. A longer jump of the timestamp is a clock that was set, not audio that was lost."""

_CODINGS: Mapping[str, Coding] = {
    "mulaw": "pcmu",
    "pcmu": "pcmu",
    "alaw": "pcma",
    "pcma": "pcma",
    "l16": "l16",
}
_RATES = {"pcmu": (8_000,), "pcma": (8_000,), "l16": (8_000, 16_000, 24_000)}


class SignalWireStream:
    """One media stream. No I/O: messages in by :meth:`receive`, messages out as text."""

    packing = Packing()

    def __init__(self) -> None:
        self.stream_id: str | None = None
        self.stopped = False
        self.late = 0
        """Media messages that were older than what had been heard; they are dropped."""
        self._rate = 8_000
        self._sample_bytes = 1
        # Timestamp at which the next media message is expected, in samples.
        self._next_sample: int | None = None
        self._media_head = ""

    def receive(self, message: WireMessage) -> TelephonyEvent | None:
        """
        Understand one message; None for those that tell nothing.

        Raises:
            MalformedMessage: Not JSON, or a field is missing or is not what it should be.
            UnexpectedMessage: Legal, but not now.
            UnsupportedFormat: A codec, rate or number of channels that is not spoken here.
        """
        parsed = fields.json_object(message)
        event = fields.text(parsed, "event")
        if event == "start":
            return self._start(parsed)
        if event not in ("media", "dtmf", "mark", "stop"):
            return None
        if self.stream_id is None or self.stopped:
            raise UnexpectedMessage(f"{event} {'after the stop' if self.stopped else 'before the start'}")
        match event:
            case "media":
                return self._media(fields.child(parsed, "media"))
            case "dtmf":
                return KeyPressed(fields.key(fields.child(parsed, "dtmf")))
            case "mark":
                return MarkReturned(fields.text(fields.child(parsed, "mark"), "name"))
            case _:
                self.stopped = True
                return CallStopped()

    def replies(self) -> Sequence[WireMessage]:
        return ()

    def play(self, coded: bytes) -> str:
        return f'{self._media_head}{fields.base64_text(coded)}"}}}}'

    def mark(self, name: str) -> str:
        return json.dumps({"event": "mark", "streamSid": self._id(), "mark": {"name": name}})

    def clear(self) -> str:
        return json.dumps({"event": "clear", "streamSid": self._id()})

    def hang_up(self) -> None:
        """The stream has no word for it: what follows in the document does it."""

    def _start(self, message: Mapping[str, Any]) -> CallStarted:
        if self.stream_id is not None:
            raise UnexpectedMessage("the stream has started already")
        start = fields.child(message, "start")
        audio = fields.child(start, "mediaFormat")
        name = str(audio.get("encoding")).lower().removeprefix("audio/").removeprefix("x-")
        coding = _CODINGS.get(name.partition("@")[0])
        rate = fields.number(audio, "sampleRate")
        if coding is None or rate not in _RATES[coding] or str(audio.get("channels", 1)) != "1":
            raise UnsupportedFormat(
                f"only mono PCMU, PCMA and L16 are spoken here, not {dict(audio)}",
                fix='set codec="L16@24000h" or codec="PCMU"',
            )
        started = CallStarted(
            stream_id=fields.text(start if "streamSid" in start else message, "streamSid"),
            call_id=fields.text(start, "callSid"),
            account_id=str(start.get("accountSid") or ""),
            parameters=fields.strings(start, "customParameters"),
            rate=rate,
            coding=coding,
        )
        self.stream_id = started.stream_id
        self._rate = rate
        self._sample_bytes = 2 if coding == "l16" else 1
        self._media_head = (
            f'{{"event":"media","streamSid":{json.dumps(started.stream_id)},"media":{{"payload":"'
        )
        return started

    def _media(self, media: Mapping[str, Any]) -> MediaReceived | None:
        if media.get("track", "inbound") != "inbound":
            return None
        at = fields.number(media, "timestamp") * self._rate // 1000
        payload = fields.audio(media, "payload", sample_bytes=self._sample_bytes)
        missing = 0 if self._next_sample is None else at - self._next_sample
        if -LARGEST_GAP * self._rate < missing < 0:
            self.late += 1
            return None
        if abs(missing) >= LARGEST_GAP * self._rate:
            missing = 0
        self._next_sample = at + len(payload) // self._sample_bytes
        return MediaReceived(payload, missing)

    def _id(self) -> str:
        if self.stream_id is None:
            raise UnexpectedMessage("nothing can be sent before the stream has started")
        return self.stream_id


def cxml(stream_url: str, parameters: Mapping[str, str], *, codec: str = "L16@24000h") -> str:
    """
    The document that connects a call to us, in both directions.

    Args:
        stream_url: ``wss://…``.
        codec: ``PCMU``, ``PCMA`` or ``L16@24000h``.
    """
    inside = "".join(
        f"<Parameter name={attribute(name)} value={attribute(value)}/>" for name, value in parameters.items()
    )
    return document(
        f"<Response><Connect><Stream url={attribute(stream_url)} codec={attribute(codec)}"
        f' realtime="true">{inside}</Stream></Connect></Response>'
    )
