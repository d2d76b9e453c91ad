"""
Exotel's Voicebot applet: Twilio's messages in snake case, around base64 of linear PCM at 8 kHz.

Audio goes back in multiples of 320 bytes, at least 3200 (200 ms) and at most 100 kB a message. Nothing is
signed: Exotel is let in by a name and a password in the address, or by its addresses.

Source: Exotel's documentation, "Voicebot applet: stream protocol".
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from runtime.errors import UnexpectedMessage, UnsupportedFormat
from runtime.media.frame import PTIME
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

RATES = (8_000, 16_000, 24_000)
"""Hz of linear PCM; the applet's usual one is the first."""


class ExotelStream:
    """One stream. No I/O: messages in by :meth:`receive`, messages out as text."""

    # The least a message may hold is the whole grain of the last one, too.
    packing = Packing(seconds=10 * PTIME, grain=10 * PTIME)

    def __init__(self) -> None:
        self.stream_id: str | None = None
        self.stopped = False
        self._sample_bytes = 2
        self._media_head = ""

    def receive(self, message: WireMessage) -> TelephonyEvent | None:
        """
        Understand one message; None for those that tell nothing.

        Raises:
            MalformedMessage: Not JSON, or a field is missing or is not what it should be.
            UnexpectedMessage: Legal, but not now.
            UnsupportedFormat: Neither linear PCM nor mu-law.
        """
        parsed = fields.json_object(message)
        event = fields.text(parsed, "event")
        if event == "start":
            return self._start(parsed)
        if event not in ("media", "dtmf", "mark", "stop"):
            return None  # connected, and whatever Exotel adds
        if self.stream_id is None or self.stopped:
            raise UnexpectedMessage(f"{event} {'after the stop' if self.stopped else 'before the start'}")
        match event:
            case "media":
                media = fields.child(parsed, "media")
                return MediaReceived(fields.audio(media, "payload", sample_bytes=self._sample_bytes), 0)
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
        return json.dumps({"event": "mark", "stream_sid": self._id(), "mark": {"name": name}})

    def clear(self) -> str:
        return json.dumps({"event": "clear", "stream_sid": self._id()})

    def hang_up(self) -> None:
        """The stream has no word for it: the flow goes on behind the applet when the socket closes."""

    def _start(self, message: Mapping[str, Any]) -> CallStarted:
        if self.stream_id is not None:
            raise UnexpectedMessage("the stream has started already")
        start = fields.child(message, "start")
        audio = fields.child(start, "media_format")
        encoding = str(audio.get("encoding") or "base64").lower()
        rate = fields.number(audio, "sample_rate")
        coding: Coding = "pcmu" if "mulaw" in encoding else "l16"
        if rate not in RATES or (coding == "pcmu" and rate != 8_000):
            raise UnsupportedFormat(f"only linear PCM and mu-law are spoken here, not {dict(audio)}")
        parameters = fields.strings(start, "custom_parameters")
        for name in ("from", "to"):
            if start.get(name):
                parameters.setdefault(name, str(start[name]))
        started = CallStarted(
            stream_id=fields.text(start if "stream_sid" in start else message, "stream_sid"),
            call_id=fields.text(start, "call_sid"),
            account_id=str(start.get("account_sid") or ""),
            parameters=parameters,
            rate=rate,
            coding=coding,
        )
        self.stream_id = started.stream_id
        self._sample_bytes = 2 if coding == "l16" else 1
        self._media_head = (
            f'{{"event":"media","stream_sid":{json.dumps(started.stream_id)},"media":{{"payload":"'
        )
        return started

    def _id(self) -> str:
        if self.stream_id is None:
            raise UnexpectedMessage("nothing can be sent before the stream has started")
        return self.stream_id
