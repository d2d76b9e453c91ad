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
import contextlib
import hashlib
import hmac
import json
from collections.abc import Mapping
from json.encoder import encode_basestring_ascii as quoted
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from runtime.wire import fields
from runtime.wire.call_control import Command, Destination
from runtime.wire.media_stream import MediaStream, Spelling
from runtime.wire.telephony import CallStarted
from runtime.wire.xml import attribute, content, document


class PlivoStream(MediaStream):
    """One audio stream; ``keepCallAlive`` ends with its socket."""

    spelling = Spelling(
        codings={"mulaw": "pcmu", "l16": "l16"},
        linear_rates=(8_000, 16_000),
        fix='set contentType="audio/x-l16;rate=16000"',
        stream_id="streamId",
        call_id="callId",
        account_id="accountId",
        returned_mark="playedStream",
    )

    def mark(self, name: str) -> str:
        return f'{{"event":"checkpoint",{self._address()},"name":{quoted(name)}}}'

    def clear(self) -> str:
        return f'{{"event":"clearAudio",{self._address()}}}'

    def _head(self, started: CallStarted) -> str:
        content_type = "audio/x-mulaw" if started.coding == "pcmu" else "audio/x-l16"
        return (
            f'{{"event":"playAudio","media":{{"contentType":"{content_type}",'
            f'"sampleRate":{started.rate},"payload":"'
        )

    def _mark_name(self, message: Mapping[str, Any]) -> str:
        return fields.text(message, "name")

    def _parameters(self, message: Mapping[str, Any], start: Mapping[str, Any]) -> dict[str, str]:
        return _headers(str(message.get("extra_headers") or ""))


def _headers(given: str) -> dict[str, str]:
    """Extra headers: ``{"a": "1"}``, ``{a=1;b=2}`` or ``a=1,b=2``; Plivo's texts and its library differ."""
    with contextlib.suppress(ValueError, RecursionError):
        parsed = json.loads(given)
        if isinstance(parsed, dict):
            return {str(name): str(value) for name, value in parsed.items()}
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


def dial_xml(to: Destination) -> str | None:
    """The document that dials somebody else; None for a name, which is nothing that can be dialled."""
    tag = {"number": "Number", "sip": "User"}.get(to.kind)
    if tag is None:
        return None
    return document(f"<Response><Dial><{tag}>{content(to.value)}</{tag}></Dial></Response>")


class PlivoControl:
    """
    The REST API of calls.

    Args:
        root: Address of the API, ``https://api.plivo.com``.
        auth_id: Of the account.
        auth_token: Of the account.
    """

    def __init__(self, root: str, *, auth_id: str, auth_token: str) -> None:
        self._root = root
        self._login = (auth_id, auth_token)

    def hang_up(self, call: CallStarted, *, now: float) -> Command:
        return Command(method="DELETE", url=self._url(call), login=self._login)

    def transfer(self, call: CallStarted, to: Destination, *, document: str, now: float) -> Command | None:
        if dial_xml(to) is None:
            return None
        body = {"legs": "aleg", "aleg_url": document, "aleg_method": "POST"}
        return Command(method="POST", url=self._url(call), body=body, login=self._login)

    def _url(self, call: CallStarted) -> str:
        account, call_id = quote(self._login[0], safe=""), quote(call.call_id, safe="")
        return f"{self._root}/v1/Account/{account}/Call/{call_id}/"


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
