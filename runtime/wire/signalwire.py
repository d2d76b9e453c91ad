"""
SignalWire's cXML streams: Twilio's messages, in mu-law, A-law, or linear PCM up to 24 kHz.

The codec is the stream's own choice, by the attribute ``codec`` of the document: ``PCMU``, ``PCMA`` or
``L16@24000h``. Webhooks are signed as Twilio's are, in a header of another name.

The REST API is spelled as Twilio's, but takes the address of a document where Twilio takes the document:
:class:`runtime.wire.twilio.TwilioControl` serves both.

Sources: SignalWire's documentation, "cXML: Stream", "Webhook signatures" and "Update a call".
How ``mediaFormat`` spells its encodings is not documented in one place: every usual spelling is understood.
"""

from __future__ import annotations

from collections.abc import Mapping

from runtime.media.line_codec import LineCodec
from runtime.wire.arrival import ByTimestamp
from runtime.wire.media_stream import MediaStream, Spelling
from runtime.wire.xml import attribute, document

SIGNATURE_HEADER = "x-signalwire-signature"
"""Holds what :func:`runtime.wire.twilio.signature` makes with the account's signing key."""


class SignalWireStream(MediaStream):
    """One media stream."""

    spelling = Spelling(
        codings={"pcmu": "pcmu", "mulaw": "pcmu", "pcma": "pcma", "alaw": "pcma", "l16": "l16"},
        linear_rates=(8_000, 16_000, 24_000),
        fix='set codec="L16@24000h" or codec="PCMU"',
    )

    def _arrival(self, codec: LineCodec) -> ByTimestamp:
        return ByTimestamp(codec)


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
