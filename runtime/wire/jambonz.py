"""
jambonz' verb ``listen``: one JSON message about the call, then binary linear PCM, with events between.

We must choose the subprotocol :data:`SUBPROTOCOL`. With ``bidirectionalAudio.streaming`` audio goes back as
binary of the same kind, at any length. ``killAudio`` drops what waits, and ``clearMarks`` the marks in it.
Marks are known to newer releases only; older ones ignore both, and what was heard is then told by the clock.

Source: jambonz' documentation, "listen" and "WebSocket audio", and for marks its release notes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from runtime.errors import UnexpectedMessage, UnsupportedFormat
from runtime.wire import fields
from runtime.wire.call_control import Command, Destination
from runtime.wire.telephony import (
    CallStarted,
    KeyPressed,
    MarkReturned,
    MediaReceived,
    Packing,
    TelephonyEvent,
    WireMessage,
)

SUBPROTOCOL = "audio.jambonz.org"

RATES = (8_000, 16_000, 24_000, 48_000, 64_000)
"""Hz."""


class JambonzStream:
    """One listen. No I/O: messages in by :meth:`receive`, messages out as text and bytes."""

    packing = Packing()

    def __init__(self) -> None:
        self.stream_id: str | None = None
        self._replies: list[str] = []

    def receive(self, message: WireMessage) -> TelephonyEvent | None:
        """
        Understand one message; None for those that tell nothing.

        Raises:
            MalformedMessage: Text that is not JSON, a missing field, or half a sample.
            UnexpectedMessage: Audio before the message about the call.
            UnsupportedFormat: Stereo, or a rate that jambonz does not have.
        """
        if isinstance(message, bytes):
            if self.stream_id is None:
                raise UnexpectedMessage("audio before the start")
            return MediaReceived(fields.whole(message, sample_bytes=2), 0) if message else None
        parsed = fields.json_object(message)
        if self.stream_id is None:
            return self._start(parsed)
        match parsed.get("event") or parsed.get("type"):
            case "dtmf":
                return KeyPressed(fields.key(parsed, "dtmf"))
            case "mark":
                data = parsed["data"] if isinstance(parsed.get("data"), dict) else parsed
                return None if data.get("event") == "cleared" else MarkReturned(fields.text(data, "name"))
            case _:
                return None  # playDone, and whatever jambonz adds

    def replies(self) -> Sequence[WireMessage]:
        replies, self._replies = self._replies, []
        return replies

    def play(self, coded: bytes) -> bytes:
        return coded

    def mark(self, name: str) -> str:
        return json.dumps({"type": "mark", "data": {"name": name}})

    def clear(self) -> str:
        self._replies.append('{"type":"clearMarks"}')
        return '{"type":"killAudio"}'

    def hang_up(self) -> str:
        return '{"type":"disconnect"}'

    def transfer(self, to: str) -> None:
        """There is no word for it."""

    def _start(self, message: Mapping[str, Any]) -> CallStarted:
        call_id = fields.text(message, "callSid")
        rate = fields.number(message, "sampleRate")
        if rate not in RATES or message.get("mixType", "mono") not in ("mono", "mixed"):
            raise UnsupportedFormat(
                f"only mono at {RATES} Hz is spoken here, not {message.get('mixType')!r:.20} at {rate} Hz",
                fix='set "mixType": "mono" and "sampleRate": 16000',
            )
        parameters = {
            name: str(message[name])
            for name in ("from", "to", "direction", "callerName")
            if isinstance(message.get(name), str)
        }
        metadata = message.get("metadata")
        if isinstance(metadata, dict):
            parameters |= {str(name): str(value) for name, value in metadata.items()}
        self.stream_id = call_id
        return CallStarted(call_id, call_id, str(message.get("accountSid") or ""), parameters, rate, "l16")


def dial_verbs(to: Destination) -> list[dict[str, Any]]:
    """The application that dials somebody else; a name is a user that is registered with jambonz."""
    target = {
        "number": {"type": "phone", "number": to.value},
        "sip": {"type": "sip", "sipUri": to.value},
        "name": {"type": "user", "name": to.value},
    }[to.kind]
    return [{"verb": "dial", "target": [target]}, {"verb": "hangup"}]


class JambonzControl:
    """
    Live call control.

    Args:
        root: Address of the API, ``https://jambonz.example.com/api`` or as it is installed, up to ``/v1``.
        key: API key of the account.
    """

    def __init__(self, root: str, *, key: str) -> None:
        self._root = root
        self._key = key

    def hang_up(self, call: CallStarted, *, now: float) -> None:
        """The stream itself says so."""

    def transfer(self, call: CallStarted, to: Destination, *, document: str, now: float) -> Command:
        account, call_id = quote(call.account_id, safe=""), quote(call.call_id, safe="")
        url = f"{self._root}/v1/Accounts/{account}/Calls/{call_id}"
        return Command(method="POST", url=url, body={"call_hook": document}, bearer=self._key)


def listen_verbs(
    stream_url: str, parameters: Mapping[str, str], *, rate: int = 16_000
) -> list[dict[str, Any]]:
    """
    The application that connects a call to us, in both directions.

    Args:
        stream_url: ``wss://…``; a query is allowed.
        parameters: Come back as ``metadata``.
        rate: Hz both ways, one of :data:`RATES`.
    """
    listen = {
        "verb": "listen",
        "url": stream_url,
        "mixType": "mono",
        "sampleRate": rate,
        "passDtmf": True,
        "bidirectionalAudio": {"enabled": True, "streaming": True, "sampleRate": rate},
        "metadata": dict(parameters),
    }
    return [{"verb": "answer"}, listen, {"verb": "hangup"}]
