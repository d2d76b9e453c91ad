"""
Telnyx media streaming, bidirectional in mode ``rtp``: Twilio's messages in snake case, in no certain order.

Media messages carry a chunk number by which they are put in order here; one that stays away while
:data:`runtime.wire.arrival.DEPTH` later ones wait is given up. Audio goes back in the codec of the stream, as
G.711 or as linear PCM with the low byte first, 20 ms to 30 s a message.

Webhooks are signed with Ed25519 over ``timestamp|body``; the socket is not signed at all.

Sources: Telnyx's documentation, "Stream call media over WebSocket", "TeXML: Stream" and "Webhook signing".
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from json.encoder import encode_basestring_ascii as quoted
from urllib.parse import quote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from runtime.media.line_codec import LineCodec
from runtime.wire.arrival import ByChunk
from runtime.wire.call_control import Command, Destination
from runtime.wire.media_stream import MediaStream, Spelling
from runtime.wire.telephony import CallStarted
from runtime.wire.xml import attribute, document


class TelnyxStream(MediaStream):
    """One media stream. What is sent to it names no stream: there is one a socket."""

    spelling = Spelling(
        codings={"pcmu": "pcmu", "pcma": "pcma", "l16": "l16"},
        linear_rates=(8_000, 16_000, 24_000),
        fix="set bidirectionalCodec to one of these, and codec to the same",
        stream_id="stream_id",
        call_id="call_control_id",
        account_id="user_id",
        media_format="media_format",
        sample_rate="sample_rate",
        parameters="custom_parameters",
        sequence="sequence_number",
    )

    def mark(self, name: str) -> str:
        return f'{{"event":"mark","mark":{{"name":{quoted(name)}}}}}'

    def clear(self) -> str:
        return '{"event":"clear"}'

    def _arrival(self, codec: LineCodec) -> ByChunk:
        return ByChunk(codec)

    def _head(self, started: CallStarted) -> str:
        return '{"event":"media","media":{"payload":"'


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


class TelnyxControl:
    """
    Call Control commands; calls of a TeXML application have the same ids.

    Args:
        root: Address of the API, ``https://api.telnyx.com``.
        key: API key.
    """

    def __init__(self, root: str, *, key: str) -> None:
        self._root = root
        self._key = key

    def hang_up(self, call: CallStarted, *, now: float) -> Command:
        return self._command(call, "hangup", {})

    def transfer(self, call: CallStarted, to: Destination, *, document: str, now: float) -> Command | None:
        return None if to.kind == "name" else self._command(call, "transfer", {"to": to.value})

    def _command(self, call: CallStarted, action: str, body: Mapping[str, str]) -> Command:
        url = f"{self._root}/v2/calls/{quote(call.call_id, safe='')}/actions/{action}"
        return Command(method="POST", url=url, body=body, bearer=self._key)


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
