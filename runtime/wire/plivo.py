"""
Plivo audio streams, bidirectional: JSON in camel case around base64 of mu-law or linear PCM.

There is no ``connected``: ``start`` comes first. What Twilio calls a mark is a ``checkpoint``, and comes back
as ``playedStream``.

Webhooks carry signature V3: base64 of HMAC-SHA256 over the address, the parameters and a nonce.

Sources: Plivo's documentation, "Audio Streaming: Stream events" and "Stream XML"; the order of what is signed
is that of Plivo's own library.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

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
from runtime.wire.xml import attribute, content, document

_CODINGS: Mapping[str, Coding] = {"audio/x-mulaw": "pcmu", "audio/x-l16": "l16"}
_CONTENT_TYPES: Mapping[Coding, str] = {coding: name for name, coding in _CODINGS.items()}
_RATES = {"pcmu": (8_000,), "l16": (8_000, 16_000)}


class PlivoStream:
    """One audio stream. No I/O: messages in by :meth:`receive`, messages out as text."""

    packing = Packing()

    def __init__(self) -> None:
        self.stream_id: str | None = None
        self.stopped = False
        self._sample_bytes = 1
        self._media_head = ""

    def receive(self, message: WireMessage) -> TelephonyEvent | None:
        """
        Understand one message; None for those that tell nothing.

        Raises:
            MalformedMessage: Not JSON, or a field is missing or is not what it should be.
            UnexpectedMessage: Legal, but not now.
            UnsupportedFormat: Neither mu-law nor linear PCM at 8 or 16 kHz.
        """
        parsed = fields.json_object(message)
        event = fields.text(parsed, "event")
        if event == "start":
            return self._start(parsed)
        if event not in ("media", "dtmf", "playedStream", "stop"):
            return None  # clearedAudio, and whatever Plivo adds
        if self.stream_id is None or self.stopped:
            raise UnexpectedMessage(f"{event} {'after the stop' if self.stopped else 'before the start'}")
        match event:
            case "media":
                media = fields.child(parsed, "media")
                if media.get("track", "inbound") != "inbound":
                    return None
                return MediaReceived(fields.audio(media, "payload", sample_bytes=self._sample_bytes), 0)
            case "dtmf":
                return KeyPressed(fields.key(fields.child(parsed, "dtmf")))
            case "playedStream":
                return MarkReturned(fields.text(parsed, "name"))
            case _:
                self.stopped = True
                return CallStopped()

    def replies(self) -> Sequence[WireMessage]:
        return ()

    def play(self, coded: bytes) -> str:
        return f'{self._media_head}{fields.base64_text(coded)}"}}}}'

    def mark(self, name: str) -> str:
        return json.dumps({"event": "checkpoint", "streamId": self._id(), "name": name})

    def clear(self) -> str:
        return json.dumps({"event": "clearAudio", "streamId": self._id()})

    def hang_up(self) -> None:
        """The stream has no word for it: ``keepCallAlive`` ends with the socket."""

    def _start(self, message: Mapping[str, Any]) -> CallStarted:
        if self.stream_id is not None:
            raise UnexpectedMessage("the stream has started already")
        start = fields.child(message, "start")
        audio = fields.child(start, "mediaFormat")
        coding = _CODINGS.get(str(audio.get("encoding")))
        rate = fields.number(audio, "sampleRate")
        if coding is None or rate not in _RATES[coding]:
            raise UnsupportedFormat(
                f"only audio/x-mulaw at 8000 Hz and audio/x-l16 are spoken here, not {dict(audio)}",
                fix='set contentType="audio/x-l16;rate=16000"',
            )
        started = CallStarted(
            stream_id=fields.text(start, "streamId"),
            call_id=fields.text(start, "callId"),
            account_id=str(start.get("accountId") or ""),
            parameters=_headers(str(message.get("extra_headers") or "")),
            rate=rate,
            coding=coding,
        )
        self.stream_id = started.stream_id
        self._sample_bytes = 2 if coding == "l16" else 1
        self._media_head = (
            f'{{"event":"playAudio","media":{{"contentType":"{_CONTENT_TYPES[coding]}",'
            f'"sampleRate":{rate},"payload":"'
        )
        return started

    def _id(self) -> str:
        if self.stream_id is None:
            raise UnexpectedMessage("nothing can be sent before the stream has started")
        return self.stream_id


def _headers(given: str) -> dict[str, str]:
    """Extra headers, ``{a=1;b=2}`` or ``a=1,b=2``."""
    pairs = (part.partition("=") for part in given.strip("{} ").replace(",", ";").split(";"))
    return {name.strip(): value.strip() for name, separator, value in pairs if separator}


def answer_xml(stream_url: str, parameters: Mapping[str, str], *, rate: int = 16_000) -> str:
    """
    The document that connects a call to us, in both directions, as linear PCM.

    Args:
        stream_url: ``wss://…``; a query is allowed.
        parameters: Come back in ``extra_headers``: letters, digits and what telephone numbers need; what
            else stands in a value is left out.
        rate: Hz, 8000 or 16000.
    """
    headers = ",".join(f"{name}={_header_value(value)}" for name, value in parameters.items())
    return document(
        f'<Response><Stream bidirectional="true" keepCallAlive="true"'
        f' contentType="audio/x-l16;rate={rate}" extraHeaders={attribute(headers)}>'
        f"{content(stream_url)}</Stream></Response>"
    )


def _header_value(value: str) -> str:
    return "".join(letter for letter in value if letter.isascii() and (letter.isalnum() or letter in "+_-."))


SIGNATURE_HEADER = "x-plivo-signature-v3"
NONCE_HEADER = "x-plivo-signature-v3-nonce"


def signature(auth_token: str, method: str, url: str, form: Mapping[str, str], nonce: str) -> str:
    """
    Signature V3 of a request.

    Args:
        method: ``GET`` or ``POST``.
        url: As Plivo was told it.
        form: Fields of a POST.
    """
    parts = urlsplit(url)
    query = {name: values for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
    posted = dict(form) if method.upper() == "POST" else {}
    if method.upper() == "GET":
        query = {**{name: [value] for name, value in form.items()}, **query}
    asked = "&".join(f"{name}={value}" for name in sorted(query) for value in sorted(query[name]))
    signed = f"{parts.scheme}://{parts.netloc}{parts.path}"
    if asked or posted:
        signed += f"?{asked}"
    if asked and posted:
        signed += "."
    signed += "".join(f"{name}{posted[name]}" for name in sorted(posted))
    digest = hmac.new(auth_token.encode(), f"{signed}.{nonce}".encode(), hashlib.sha256).digest()
    return binascii.b2a_base64(digest, newline=False).decode()


def is_signed(
    auth_token: str, method: str, url: str, form: Mapping[str, str], *, given: str | None, nonce: str | None
) -> bool:
    """Whether one of the signatures ``given``, separated by commas, fits."""
    if not given or not nonce or not given.isascii():
        return False
    wanted = signature(auth_token, method, url, form, nonce)
    matches = [hmac.compare_digest(wanted, each.strip()) for each in given.split(",")]
    return any(matches)
