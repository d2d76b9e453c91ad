"""
Asterisk's chan_websocket: binary audio in the channel's codec, control in text.

Asterisk speaks JSON where the dial string has ``f(json)``, and plain ``EVENT name:value …`` otherwise; we
answer as it speaks. It paces and cuts what we send, and keeps about 20 s of it: ``MEDIA_XOFF`` asks us to
wait. A message may have :data:`LARGEST_MESSAGE` bytes, a larger one ends the call; what is left over from a
whole number of frames is dropped, so that the last message is filled up.

Source: Asterisk's documentation, "WebSocket channel driver", for 20.18, 22.8 and 23.2.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from runtime.errors import MalformedMessage, UnexpectedMessage, UnsupportedFormat
from runtime.media.frame import PTIME
from runtime.wire import fields
from runtime.wire.telephony import (
    CallStarted,
    Coding,
    FlowChanged,
    KeyPressed,
    MarkReturned,
    MediaReceived,
    Packing,
    TelephonyEvent,
    WireMessage,
)

SUBPROTOCOL = "media"

LARGEST_MESSAGE = 65_500
"""Bytes."""

_FORMATS: Mapping[str, tuple[Coding, int]] = {
    "ulaw": ("pcmu", 8_000),
    "alaw": ("pcma", 8_000),
    "slin": ("l16", 8_000),
    **{
        f"slin{name}": ("l16", rate)
        for name, rate in {"12": 12_000, "16": 16_000, "24": 24_000, "32": 32_000, "48": 48_000}.items()
    },
}


class ChanWebSocketStream:
    """One channel. No I/O: messages in by :meth:`receive`, messages out as text and bytes."""

    def __init__(self) -> None:
        self.stream_id: str | None = None
        self.packing = Packing(grain=PTIME)
        self._sample_bytes = 1
        self._json = True

    def receive(self, message: WireMessage) -> TelephonyEvent | None:
        """
        Understand one message; None for those that tell nothing.

        Raises:
            MalformedMessage: Text that is neither JSON nor an event, a missing field, or half a sample.
            UnexpectedMessage: Legal, but not now.
            UnsupportedFormat: A codec that is not spoken here.
        """
        if isinstance(message, bytes):
            self._require_start("audio")
            return (
                MediaReceived(fields.whole(message, sample_bytes=self._sample_bytes), 0) if message else None
            )
        speaks_json = message.lstrip().startswith("{")
        parsed = fields.json_object(message) if speaks_json else _plain(message)
        event = fields.text(parsed, "event")
        if event == "MEDIA_START":
            return self._start(parsed, speaks_json)
        self._require_start(event)
        match event:
            case "DTMF_END":
                return KeyPressed(fields.key(parsed))
            case "MEDIA_MARK_PROCESSED":
                return MarkReturned(fields.text(parsed, "correlation_id"))
            case "MEDIA_XOFF":
                return FlowChanged(open=False)
            case "MEDIA_XON":
                return FlowChanged(open=True)
            case _:
                return None  # QUEUE_DRAINED, STATUS, MEDIA_BUFFERING_COMPLETED, and whatever is added

    def replies(self) -> Sequence[WireMessage]:
        return ()

    def play(self, coded: bytes) -> bytes:
        return coded

    def mark(self, name: str) -> str:
        return self._command("MARK_MEDIA", name)

    def clear(self) -> str:
        return self._command("FLUSH_MEDIA")

    def hang_up(self) -> str:
        return self._command("HANGUP")

    def transfer(self, to: str) -> None:
        """There is no word for it."""

    def _start(self, message: Mapping[str, Any], speaks_json: bool) -> CallStarted:
        if self.stream_id is not None:
            raise UnexpectedMessage("the media has started already")
        name = fields.text(message, "format")
        if name not in _FORMATS:
            raise UnsupportedFormat(
                f"Asterisk's {name[:20]!r} is not spoken here",
                fix="dial with c(ulaw), c(alaw), c(slin), c(slin16) or c(slin24)",
            )
        coding, rate = _FORMATS[name]
        ptime = fields.number(message, "ptime") / 1000 if "ptime" in message else PTIME
        if not 0.01 <= ptime <= 0.12:
            raise UnsupportedFormat(f"a ptime of {ptime} s is not spoken here")
        variables = message.get("channel_variables")
        started = CallStarted(
            stream_id=fields.text(message, "connection_id"),
            call_id=str(message.get("channel_id") or message.get("channel") or ""),
            account_id="",
            parameters=fields.strings(message, "channel_variables") if isinstance(variables, dict) else {},
            rate=rate,
            coding=coding,
        )
        self.stream_id = started.stream_id
        self.packing = Packing(seconds=max(1, round(0.06 / ptime)) * ptime, grain=ptime)
        self._sample_bytes = 2 if coding == "l16" else 1
        self._json = speaks_json
        return started

    def _command(self, command: str, correlation_id: str | None = None) -> str:
        if self._json:
            told = {} if correlation_id is None else {"correlation_id": correlation_id}
            return json.dumps({"command": command, **told})
        return command if correlation_id is None else f"{command} {correlation_id}"

    def _require_start(self, event: str) -> None:
        if self.stream_id is None:
            raise UnexpectedMessage(f"{event[:40]} before the start")


def _plain(message: str) -> dict[str, Any]:
    """``EVENT name:value name:value``: values hold no spaces."""
    if len(message) > LARGEST_MESSAGE:
        raise MalformedMessage(f"{len(message)} characters in one message")
    event, *pairs = message.split() or [""]
    if not event.replace("_", "").isalpha() or not event.isupper():
        raise MalformedMessage(f"no event begins with {event[:40]!r}")
    told = dict(pair.partition(":")[::2] for pair in pairs)
    return {**told, "event": event}
