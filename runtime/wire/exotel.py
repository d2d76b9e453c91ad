"""
Exotel's Voicebot applet: Twilio's messages in snake case, around base64 of linear PCM at 8 kHz.

Audio goes back in multiples of 320 bytes, at least 3200 (200 ms) and at most 100 kB a message. Nothing is
signed: Exotel is let in by a name and a password in the address, or by its addresses.

Source: Exotel's documentation, "Voicebot applet: stream protocol".
"""

from __future__ import annotations

from runtime.media.frame import PTIME
from runtime.wire.media_stream import MediaStream, Spelling
from runtime.wire.telephony import Packing


class ExotelStream(MediaStream):
    """One stream. It ends the call by closing the socket: the flow goes on behind the applet."""

    spelling = Spelling(
        codings={"mulaw": "pcmu"},
        any_other="l16",  # told as "base64", "raw" or "slin", or not at all
        linear_rates=(8_000, 16_000, 24_000),
        fix="set sample-rate=8000, 16000 or 24000 behind the address of the applet",
        stream_id="stream_sid",
        call_id="call_sid",
        account_id="account_sid",
        media_format="media_format",
        sample_rate="sample_rate",
        parameters="custom_parameters",
        sequence="sequence_number",
    )
    # The least a message may hold is the whole grain of the last one, too.
    packing = Packing(seconds=10 * PTIME, grain=10 * PTIME)
