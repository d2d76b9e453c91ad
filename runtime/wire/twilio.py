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
from collections.abc import Iterator, Mapping
from urllib.parse import SplitResult, quote, urlsplit

from runtime.errors import MalformedMessage, UnexpectedMessage
from runtime.media.line_codec import LineCodec
from runtime.wire.arrival import ByTimestamp
from runtime.wire.call_control import Command, Destination
from runtime.wire.media_stream import MediaStream, Spelling
from runtime.wire.telephony import CallStarted, TelephonyEvent, WireMessage
from runtime.wire.xml import attribute, content, document

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


class TwilioStream(MediaStream):
    """One media stream."""

    spelling = Spelling(codings={"mulaw": "pcmu"}, fix="leave the codec to Twilio")

    def receive(self, message: WireMessage) -> TelephonyEvent | None:
        usual = _MEDIA.fullmatch(message) if isinstance(message, str) else None
        if usual is None:
            return super().receive(message)
        self._require_start("media")
        before, timestamp, encoded, behind = usual.groups()
        stream_id = before or behind
        if stream_id is not None and stream_id != self.stream_id:
            raise UnexpectedMessage(f"media of another stream, {stream_id}")
        try:
            payload = binascii.a2b_base64(encoded, strict_mode=True)
        except ValueError as error:
            raise MalformedMessage(f"the payload is not base64: {error}") from None
        return self._by_timestamp.at(int(timestamp), payload)

    @property
    def missing_samples(self) -> int:
        """Lost, by the timestamps."""
        return self._by_timestamp.missing_samples

    def _arrival(self, codec: LineCodec) -> ByTimestamp:
        self._by_timestamp = ByTimestamp(codec)
        return self._by_timestamp


def twiml(stream_url: str, parameters: Mapping[str, str]) -> str:
    """
    The document that connects a call to us, in both directions.

    Args:
        stream_url: ``wss://…``, without a query: Twilio allows none, so that what we need to know travels as
            ``parameters``.
    """
    inside = "".join(
        f"<Parameter name={attribute(name)} value={attribute(value)}/>" for name, value in parameters.items()
    )
    return document(
        f"<Response><Connect><Stream url={attribute(stream_url)}>{inside}</Stream></Connect></Response>"
    )


def dial_xml(to: Destination) -> str | None:
    """The document that dials somebody else; None for a name, which is nothing that can be dialled."""
    inside = {"number": content(to.value), "sip": f"<Sip>{content(to.value)}</Sip>"}.get(to.kind)
    return None if inside is None else document(f"<Response><Dial>{inside}</Dial></Response>")


class TwilioControl:
    """
    The REST API of calls, 2010-04-01, or another that is spelled as Twilio's.

    Args:
        root: Address of the API, up to ``/Accounts``.
        account: SID of the account.
        token: Its auth token, or the secret of an API key.
        inline: Whether a document can be given as it is; else its address is.
    """

    def __init__(self, root: str, *, account: str, token: str, inline: bool = True) -> None:
        self._root = root
        self._account = account
        self._token = token
        self._inline = inline

    def hang_up(self, call: CallStarted, *, now: float) -> Command:
        return self._update(call, {"Status": "completed"})

    def transfer(self, call: CallStarted, to: Destination, *, document: str, now: float) -> Command | None:
        dialled = dial_xml(to)
        if dialled is None:
            return None
        return self._update(call, {"Twiml": dialled} if self._inline else {"Url": document, "Method": "POST"})

    def _update(self, call: CallStarted, form: Mapping[str, str]) -> Command:
        url = (
            f"{self._root}/Accounts/{quote(self._account, safe='')}/Calls/{quote(call.call_id, safe='')}.json"
        )
        return Command(method="POST", url=url, form=form, login=(self._account, self._token))


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
