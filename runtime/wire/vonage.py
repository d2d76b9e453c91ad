"""
Vonage Voice WebSocket: binary linear PCM, 20 ms a message, with a little JSON between.

The first text names the content type and carries the headers of the call-control object, flattened. Audio
goes back in messages of the same size; Vonage queues about a minute of it. A ``notify`` comes back when
playback reaches it, which is a mark.

Webhooks, and the socket where the endpoint asks for it, carry a JWT signed with HS256; a webhook's names the
SHA-256 of its body.

Sources: Vonage's documentation, "Voice API: WebSockets", "NCCO reference: connect" and "Signed webhooks";
RFC 7519.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from runtime.errors import MalformedMessage, UnexpectedMessage, UnsupportedFormat
from runtime.media.frame import PTIME
from runtime.wire import fields
from runtime.wire.call_control import Command, Destination
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

RATES = (8_000, 16_000, 24_000)
"""Hz."""

_CONTENT_TYPE = re.compile(r"audio/l16; ?rate=(\d{4,5})", re.ASCII | re.IGNORECASE)


class VonageStream:
    """One socket. No I/O: messages in by :meth:`receive`, messages out as text and bytes."""

    packing = Packing(seconds=PTIME, grain=PTIME)

    def __init__(self) -> None:
        self.stream_id: str | None = None
        self.stopped = False

    def receive(self, message: WireMessage) -> TelephonyEvent | None:
        """
        Understand one message; None for those that tell nothing.

        Raises:
            MalformedMessage: Text that is not JSON, a missing field, or half a sample.
            UnexpectedMessage: Legal, but not now.
            UnsupportedFormat: Not linear PCM at 8, 16 or 24 kHz.
        """
        if isinstance(message, bytes):
            self._require_start("audio")
            return MediaReceived(fields.whole(message, sample_bytes=2), 0) if message else None
        parsed = fields.json_object(message)
        match fields.text(parsed, "event"):
            case "websocket:connected":
                return self._start(parsed)
            case "websocket:dtmf":
                self._require_start("dtmf")
                return KeyPressed(fields.key(parsed))
            case "websocket:notify":
                self._require_start("notify")
                return MarkReturned(fields.text(fields.child(parsed, "payload"), "mark"))
            case "websocket:disconnected":
                self.stopped = True
                return CallStopped()
            case _:
                return None  # websocket:cleared, and whatever Vonage adds

    def replies(self) -> Sequence[WireMessage]:
        return ()

    def play(self, coded: bytes) -> bytes:
        return coded

    def mark(self, name: str) -> str:
        return json.dumps({"action": "notify", "payload": {"mark": name}})

    def clear(self) -> str:
        return '{"action":"clear"}'

    def hang_up(self) -> None:
        """The socket has no word for it: the call goes on with the next action, or ends."""

    def transfer(self, to: str) -> None:
        """There is no word for it."""

    def _start(self, message: Mapping[str, Any]) -> CallStarted:
        if self.stream_id is not None:
            raise UnexpectedMessage("the stream has started already")
        content_type = fields.text(message, "content-type")
        found = _CONTENT_TYPE.fullmatch(content_type)
        if found is None or int(found[1]) not in RATES:
            raise UnsupportedFormat(
                f"only audio/l16 at 8, 16 or 24 kHz is spoken here, not {content_type[:80]!r}"
            )
        told = {
            name: str(value)
            for name, value in message.items()
            if name not in ("event", "content-type") and isinstance(value, str | int)
        }
        call_id = told.get("uuid", "")
        self.stream_id = call_id or "vonage"
        return CallStarted(self.stream_id, call_id, "", told, int(found[1]), "l16")

    def _require_start(self, event: str) -> None:
        if self.stream_id is None or self.stopped:
            raise UnexpectedMessage(f"{event} {'after the end' if self.stopped else 'before the start'}")


def ncco(stream_url: str, parameters: Mapping[str, str], *, rate: int = 16_000) -> list[dict[str, Any]]:
    """
    The call-control object that connects a call to us.

    Args:
        stream_url: ``wss://…``; a query is allowed.
        parameters: Come back in the first message.
        rate: Hz, one of :data:`RATES`.
    """
    endpoint = {
        "type": "websocket",
        "uri": stream_url,
        "content-type": f"audio/l16;rate={rate}",
        "headers": dict(parameters),
    }
    return [{"action": "connect", "endpoint": [endpoint]}]


TOKEN_SECONDS = 300
"""How long a token of ours is good for; it is used at once."""


def rsa_key(pem: str) -> rsa.RSAPrivateKey:
    """
    An application's private key; its line ends may be written as ``\\n``.

    Raises:
        ValueError: It is no RSA key in PEM.
    """
    key = serialization.load_pem_private_key(pem.replace("\\n", "\n").encode(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError("it is no RSA key")
    return key


class VonageControl:
    """
    The REST API of calls.

    Args:
        root: Address of the API, ``https://api.nexmo.com`` or that of a region.
        application_id: Of the Voice application that the calls belong to.
        private_key: Of the application: RSA, PEM.

    Raises:
        ValueError: ``private_key`` is not one.
    """

    def __init__(self, root: str, *, application_id: str, private_key: str) -> None:
        self._root = root
        self._application_id = application_id
        self._key = rsa_key(private_key)

    def hang_up(self, call: CallStarted, *, now: float) -> Command | None:
        return self._modify(call, {"action": "hangup"}, now=now)

    def transfer(self, call: CallStarted, to: Destination, *, document: str, now: float) -> Command | None:
        if to.kind == "name":
            return None
        dialled = (
            {"type": "phone", "number": to.value.lstrip("+")}
            if to.kind == "number"
            else {"type": "sip", "uri": to.value}
        )
        actions = [{"action": "connect", "endpoint": [dialled]}]
        moved = {"action": "transfer", "destination": {"type": "ncco", "ncco": actions}}
        return self._modify(call, moved, now=now)

    def _modify(self, call: CallStarted, body: Mapping[str, Any], *, now: float) -> Command | None:
        """None for a call whose id no answer document of ours has passed on."""
        if not call.call_id:
            return None
        url = f"{self._root}/v1/calls/{quote(call.call_id, safe='')}"
        return Command(method="PUT", url=url, body=body, bearer=self._token(now))

    def _token(self, now: float) -> str:
        """A JWT of the application, RS256 (RFC 7518 §3.3)."""
        body = {
            "application_id": self._application_id,
            "iat": int(now),
            "exp": int(now) + TOKEN_SECONDS,
            "jti": secrets.token_hex(16),
        }
        parts = (json.dumps(each, separators=(",", ":")) for each in ({"alg": "RS256", "typ": "JWT"}, body))
        signed = ".".join(_packed(part.encode()) for part in parts)
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_packed(signature)}"


CLOCK_SKEW = 60.0
"""Seconds by which a token's clock may run ahead of ours."""

OLDEST = 300.0
"""Seconds after which a token that does not say when it ends is too old."""


def claims(secret: str, authorization: str | None, *, now: float) -> Mapping[str, Any] | None:
    """
    What a bearer token says; None where there is none, or it is forged or too old.

    Args:
        authorization: The header, ``Bearer …``.
        now: Unix seconds.
    """
    scheme, _, token = (authorization or "").partition(" ")
    parts = token.strip().split(".")
    if scheme.lower() != "bearer" or len(parts) != 3 or not token.isascii():
        return None
    signed = f"{parts[0]}.{parts[1]}".encode()
    wanted = _packed(hmac.digest(secret.encode(), signed, "sha256"))
    if not hmac.compare_digest(wanted, parts[2]):
        return None
    try:
        header, body = (fields.json_object(_unpacked(part)) for part in parts[:2])
        issued = fields.number(body, "iat")
        ends = fields.number(body, "exp") if "exp" in body else issued + OLDEST
    except (ValueError, MalformedMessage):
        return None
    if header.get("alg") != "HS256" or issued > now + CLOCK_SKEW or ends < now:
        return None
    return body


def is_signed(secret: str, authorization: str | None, body: bytes, *, now: float) -> bool:
    """Whether a webhook comes from Vonage; a body must be the one that was signed, a GET has none."""
    told = claims(secret, authorization, now=now)
    if told is None:
        return False
    if not body:
        return True
    given = str(told.get("payload_hash", ""))
    return given.isascii() and hmac.compare_digest(hashlib.sha256(body).hexdigest(), given.lower())


def _unpacked(part: str) -> str:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode()


def _packed(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
