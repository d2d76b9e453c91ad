"""
FreeSWITCH's mod_audio_stream: binary linear PCM, with whatever text its user sends.

The module says nothing of its own about the call: rate and playback are ours to be told, in the address. The
first message opens the call; metadata, where it is a JSON object, is what the caller brings along. Keys come
only where the dialplan sends them, as ``{"event":"dtmf","digit":"5"}``.

Audio goes back as the JSON ``streamAudio`` of the open edition, which has neither marks nor a clear, or as
bare binary where the module takes that. What was heard is told by the clock, and little is sent ahead.

Source: the module's README.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from urllib.parse import quote

from runtime.errors import UnsupportedFormat
from runtime.media.frame import PTIME
from runtime.wire import fields
from runtime.wire.call_control import Command, Destination
from runtime.wire.telephony import (
    CallStarted,
    KeyPressed,
    MediaReceived,
    Packing,
    TelephonyEvent,
    WireMessage,
)

RATES = (8_000, 16_000)
"""Hz."""


class AudioStreamStream:
    """
    One stream. No I/O: messages in by :meth:`receive`, messages out as text or bytes.

    Args:
        rate: Hz, of :data:`RATES`, as the module was told.
        binary: Whether the module plays bare binary.

    Raises:
        UnsupportedFormat: Another rate.
    """

    packing = Packing(seconds=10 * PTIME, most_ahead=PTIME)

    def __init__(self, *, rate: int = 8_000, binary: bool = False) -> None:
        if rate not in RATES:
            raise UnsupportedFormat(f"mod_audio_stream has no {rate} Hz", fix="ask for rate=8000 or 16000")
        self.stream_id: str | None = None
        self._rate = rate
        self._binary = binary
        # The first packet opens the call, and is heard with the second.
        self._unheard = b""

    def receive(self, message: WireMessage) -> TelephonyEvent | None:
        """
        Understand one message; None for those that tell nothing.

        Raises:
            MalformedMessage: Half a sample, or text after the first that is not JSON.
        """
        if isinstance(message, bytes):
            fields.whole(message, sample_bytes=2)
            if self.stream_id is None:
                self._unheard = message
                return self._start({})
            payload, self._unheard = self._unheard + message, b""
            return MediaReceived(payload, 0) if payload else None
        if self.stream_id is None:
            return self._start(_metadata(message))
        parsed = fields.json_object(message)
        return KeyPressed(fields.key(parsed)) if parsed.get("event") == "dtmf" else None

    def replies(self) -> Sequence[WireMessage]:
        return ()

    def play(self, coded: bytes) -> WireMessage:
        if self._binary:
            return coded
        return (
            '{"type":"streamAudio","data":{"audioDataType":"raw","sampleRate":'
            f'{self._rate},"audioData":"{fields.base64_text(coded)}"}}}}'
        )

    def mark(self, name: str) -> None:
        """There are none."""

    def clear(self) -> None:
        """There is none."""

    def hang_up(self) -> None:
        """The module has no word for it: the dialplan goes on when the socket closes."""

    def transfer(self, to: str) -> None:
        """There is no word for it."""

    def _start(self, told: dict[str, str]) -> CallStarted:
        call_id = told.get("uuid", "")
        self.stream_id = call_id or "freeswitch"
        return CallStarted(self.stream_id, call_id, "", told, self._rate, "l16")


class FreeSwitchControl:
    """
    API commands by mod_xml_rpc. The call is known where the metadata of the stream is ``{"uuid": …}``.

    Args:
        root: Where the module listens, ``http://user:password@127.0.0.1:8080``.
    """

    def __init__(self, root: str) -> None:
        self._root = root

    def hang_up(self, call: CallStarted, *, now: float) -> Command | None:
        return self._command("uuid_kill", call)

    def transfer(self, call: CallStarted, to: Destination, *, document: str, now: float) -> Command | None:
        """To an extension of the dialplan; a SIP address is bridged to as it is."""
        way = [to.value]
        if to.kind == "sip":
            address = to.value.partition(":")[2].partition(";")[0]
            way = [f"bridge:sofia/external/{address}", "inline"]
        return self._command("uuid_transfer", call, *way)

    def _command(self, name: str, call: CallStarted, *words: str) -> Command | None:
        if not call.call_id:
            return None
        return Command(
            method="GET", url=f"{self._root}/txtapi/{name}?{quote(' '.join((call.call_id, *words)))}"
        )


def _metadata(message: str) -> dict[str, str]:
    try:
        parsed = json.loads(message)
    except (ValueError, RecursionError):
        return {"metadata": message[:1_000]}
    if not isinstance(parsed, dict):
        return {"metadata": message[:1_000]}
    return {str(name): str(value) for name, value in parsed.items()}
