"""
Twilio Media Streams, bidirectional: JSON text messages around base64 mu-law at 8 kHz.

Twilio dials our WebSocket and speaks first: ``connected``, ``start``, then ``media`` every 20 ms, ``dtmf``
and ``mark`` as they happen, and ``stop``. We answer with ``media`` of any length, which Twilio plays in order
from a buffer of its own; a ``mark`` comes back when the audio before it has been played; ``clear`` empties
the buffer, and the marks that were in it come back at once. Numbers in Twilio's JSON are strings, and events
may be added: unknown ones are ignored.

Sources: Twilio's documentation, "Media Streams: WebSocket messages", "TwiML: Stream" and "Security:
validating requests".
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping, Sequence
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any
from urllib.parse import SplitResult, urlsplit
from xml.sax.saxutils import quoteattr

from runtime.errors import MalformedMessage, UnexpectedMessage, UnsupportedFormat
from runtime.media.g711 import G711_RATE
from runtime.wire.fields import KEYS, child, json_object, text
from runtime.wire.telephony import (
    CallStarted,
    CallStopped,
    KeyPressed,
    MarkReturned,
    MediaReceived,
    Packing,
    TelephonyEvent,
    WireMessage,
)

LARGEST_GAP = 2 * G711_RATE
"""Samples. A longer jump of the timestamp is a clock that was set, not audio that was lost."""

_MEDIA = re.compile(
    r'\{"event": ?"media", ?"sequenceNumber": ?"\d{1,15}", ?(?:"streamSid": ?"(\w{1,64})", ?)?'
    r'"media": ?\{"track": ?"inbound", ?"chunk": ?"\d{1,15}", ?"timestamp": ?"(\d{1,12})", ?'
    r'"payload": ?"([A-Za-z0-9+/]+={0,2})"\}(?:, ?"streamSid": ?"(\w{1,64})")?\}',
    re.ASCII,
)
"""
The message that comes fifty times a second, in the order of keys that Twilio uses and documents. Matching
takes a quarter of the time of parsing; any other spelling goes the long way.
"""


class TwilioStream:
    """
    One media stream. No I/O: messages in by :meth:`receive`, messages out as text.

    A message that breaks the protocol raises and changes nothing: the caller decides how many are too many.
    """

    packing = Packing()

    def __init__(self) -> None:
        self.stream_id: str | None = None
        """Set by ``start``; audio can be sent from then on."""
        self.stopped = False
        self.missing_samples = 0
        """Lost, by the timestamps."""
        self.late = 0
        """Media messages that were older than what had been heard; they are dropped."""
        # Timestamp at which the next media message is expected, in samples.
        self._next_sample: int | None = None
        self._media_head = ""

    def receive(self, message: WireMessage) -> TelephonyEvent | None:
        """
        Understand one message; None for those that tell nothing.

        Raises:
            MalformedMessage: Not JSON, or a field is missing or is not what it should be.
            UnexpectedMessage: Legal, but not now: media before the start, a second start.
            UnsupportedFormat: The stream is not mono mu-law at 8 kHz.
        """
        if not isinstance(message, str):
            raise MalformedMessage("Twilio speaks text")
        usual = _MEDIA.fullmatch(message)
        if usual is not None:
            before, timestamp, payload, behind = usual.groups()
            return self._media(before or behind, timestamp, payload)
        parsed = json_object(message)
        match parsed.get("event"):
            case "media":
                return self._long_media(parsed)
            case "start":
                return self._start(parsed)
            case "dtmf":
                return self._dtmf(parsed)
            case "mark":
                self._require_start("mark")
                return MarkReturned(text(child(parsed, "mark"), "name"))
            case "stop":
                self.stopped = True
                return CallStopped()
            case str():
                return None  # connected, and whatever Twilio adds
            case _:
                raise MalformedMessage("a message needs an event, as text")

    def replies(self) -> Sequence[WireMessage]:
        """Nothing: Twilio asks for no answers."""
        return ()

    def play(self, coded: bytes) -> str:
        """Mu-law to be played after what was sent before, any length."""
        return self.media(binascii.b2a_base64(coded, newline=False).decode("ascii"))

    def media(self, payload: str) -> str:
        """Audio to be played after what was sent before: base64 of mu-law, any length."""
        return f'{self._media_head}{payload}"}}}}'

    def mark(self, name: str) -> str:
        """A label that comes back when everything sent before it has been played."""
        return f'{{"event":"mark","streamSid":{self._quoted_id()},"mark":{{"name":{_quoted(name)}}}}}'

    def clear(self) -> str:
        """Drop what has been sent and not yet played. Its marks come back at once."""
        return f'{{"event":"clear","streamSid":{self._quoted_id()}}}'

    def hang_up(self) -> None:
        """Twilio has no word for it: its REST API ends the call, or what follows in the TwiML."""

    def _start(self, message: Mapping[str, Any]) -> CallStarted:
        if self.stream_id is not None:
            raise UnexpectedMessage("the stream has started already")
        start = child(message, "start")
        audio = child(start, "mediaFormat")
        found = (audio.get("encoding"), str(audio.get("sampleRate")), str(audio.get("channels")))
        if found != ("audio/x-mulaw", str(G711_RATE), "1"):
            raise UnsupportedFormat(f"only mono audio/x-mulaw at 8000 Hz is spoken here, not {found}")
        parameters = start.get("customParameters")
        if parameters is not None and not isinstance(parameters, dict):
            raise MalformedMessage("customParameters must be an object")
        stream_id = text(start if "streamSid" in start else message, "streamSid")
        started = CallStarted(
            stream_id=stream_id,
            call_id=text(start, "callSid"),
            account_id=str(start.get("accountSid") or ""),
            parameters={str(name): str(value) for name, value in (parameters or {}).items()},
            rate=G711_RATE,
        )
        self.stream_id = stream_id
        self._media_head = f'{{"event":"media","streamSid":{_quoted(stream_id)},"media":{{"payload":"'
        return started

    def _long_media(self, message: Mapping[str, Any]) -> MediaReceived | None:
        media = child(message, "media")
        if media.get("track", "inbound") != "inbound":
            return None
        timestamp = str(media.get("timestamp", ""))
        if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
            raise MalformedMessage(f"a timestamp counts milliseconds, not {timestamp[:40]!r}")
        stream_id = message.get("streamSid")
        if stream_id is not None and not isinstance(stream_id, str):
            raise MalformedMessage("streamSid is not text")
        return self._media(stream_id, timestamp, text(media, "payload"))

    def _media(self, stream_id: str | None, timestamp: str, encoded: str) -> MediaReceived | None:
        self._require_start("media")
        if stream_id is not None and stream_id != self.stream_id:
            raise UnexpectedMessage(f"media of another stream, {stream_id[:64]}")
        try:
            payload = binascii.a2b_base64(encoded, strict_mode=True)
        except (binascii.Error, ValueError) as error:
            raise MalformedMessage(f"the payload is not base64: {error}") from None
        at = int(timestamp) * G711_RATE // 1000
        missing = 0 if self._next_sample is None else at - self._next_sample
        if -LARGEST_GAP < missing < 0:
            self.late += 1
            return None
        if abs(missing) >= LARGEST_GAP:
            missing = 0
        self._next_sample = at + len(payload)
        self.missing_samples += missing
        return MediaReceived(payload, missing)

    def _dtmf(self, message: Mapping[str, Any]) -> KeyPressed:
        self._require_start("dtmf")
        digit = text(child(message, "dtmf"), "digit").upper()
        if digit not in KEYS:
            raise MalformedMessage(f"a telephone has no key {digit[:8]!r}")
        return KeyPressed(digit)

    def _require_start(self, event: str) -> None:
        if self.stream_id is None or self.stopped:
            raise UnexpectedMessage(f"{event} {'after the stop' if self.stopped else 'before the start'}")

    def _quoted_id(self) -> str:
        if self.stream_id is None:
            raise UnexpectedMessage("nothing can be sent before the stream has started")
        return _quoted(self.stream_id)


def twiml(stream_url: str, parameters: Mapping[str, str]) -> str:
    """
    The document that connects a call to us, in both directions.

    Args:
        stream_url: ``wss://…``, without a query: Twilio allows none, so that what we need to know travels as
            ``parameters``.
    """
    inside = "".join(
        f"<Parameter name={_attribute(name)} value={_attribute(value)}/>"
        for name, value in parameters.items()
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f"<Response><Connect><Stream url={_attribute(stream_url)}>{inside}</Stream></Connect></Response>"
    )


def _attribute(value: str) -> str:
    """A quoted attribute, without the characters XML 1.0 has no way to write (§2.2)."""
    return quoteattr(_NOT_XML.sub("", value))


_NOT_XML = re.compile("[^\\t\\n\\r\\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

SIGNATURE_HEADER = "x-twilio-signature"
SIGNATURE_SETTINGS_HEADER = "x-twilio-webhooks-signature-settings"

_DIGESTS = {"HMAC_SHA1": hashlib.sha1, "HMAC_SHA256": hashlib.sha256}
_DEFAULT_PORTS = {"https": 443, "wss": 443, "http": 80, "ws": 80}


def signature_algorithm(settings: str | None) -> str:
    """What the settings header names, ``key=…,algorithm=HMAC_SHA256``; HMAC_SHA1 where it names nothing."""
    for part in (settings or "").split(","):
        name, _, value = part.partition("=")
        if name.strip() == "algorithm" and value.strip():
            return value.strip().upper()
    return "HMAC_SHA1"


def signature(auth_token: str, url: str, form: Mapping[str, str], *, algorithm: str = "HMAC_SHA1") -> str:
    """
    What Twilio signs a request with: base64 of the HMAC of the URL and the sorted form, names and values.

    Raises:
        ValueError: An algorithm nobody knows.
    """
    if algorithm not in _DIGESTS:
        raise ValueError(f"no such signature algorithm: {algorithm}")
    signed = url + "".join(f"{name}{form[name]}" for name in sorted(form))
    digest = hmac.new(auth_token.encode(), signed.encode(), _DIGESTS[algorithm]).digest()
    return binascii.b2a_base64(digest, newline=False).decode()


def is_signed(
    auth_token: str,
    url: str,
    form: Mapping[str, str],
    given: str | None,
    *,
    algorithm: str = "HMAC_SHA1",
) -> bool:
    """
    Whether a request really comes from whoever knows the account's token.

    Args:
        url: As Twilio was told it, not as a proxy passes it on; ``wss://…`` for the upgrade. Twilio is not
            consistent about the port and a slash at the end, so each spelling counts.
        form: Fields of a POST; empty for a GET and for the upgrade.
        given: The signature header; None where there was none.
    """
    if given is None or algorithm not in _DIGESTS or not given.isascii():
        return False
    # Every spelling is tried, so that the time taken tells nothing.
    matches = [
        hmac.compare_digest(signature(auth_token, spelling, form, algorithm=algorithm), given)
        for spelling in _spellings(url)
    ]
    return any(matches)


def _spellings(url: str) -> Iterator[str]:
    parts = urlsplit(url)
    for address in {_without_port(parts), _with_port(parts)}:
        for path in {parts.path, parts.path.rstrip("/"), parts.path.rstrip("/") + "/"}:
            yield parts._replace(netloc=address, path=path).geturl()


def _without_port(parts: SplitResult) -> str:
    userinfo, at, address = parts.netloc.rpartition("@")
    return f"{userinfo}{at}{re.sub(r':[0-9]+$', '', address)}"


def _with_port(parts: SplitResult) -> str:
    if parts.port is not None:
        return parts.netloc
    return f"{parts.netloc}:{_DEFAULT_PORTS.get(parts.scheme, 443)}"
