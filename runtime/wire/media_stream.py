"""
What Twilio's media streams and their cousins have in common: JSON events around base64 of a line's audio.

``start`` names the stream, the call and the codec; then come ``media``, ``dtmf`` and marks, and ``stop`` ends
it. Carriers differ in how they spell the fields, in the codecs they have, in how they number their media,
and in a word or two; :class:`Spelling` says how, and a carrier's own file says where.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from json.encoder import encode_basestring_ascii as quoted
from typing import Any, ClassVar

from runtime.errors import UnexpectedMessage, UnsupportedFormat
from runtime.media.g711 import G711_RATE
from runtime.media.line_codec import LineCodec, line_codec
from runtime.wire import fields
from runtime.wire.arrival import Arrival, AsItComes
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

REMEMBERED_KEYS = 32
"""Messages with a key whose numbers are remembered, so that one that comes twice is no second key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spelling:
    """How one carrier spells what they all say."""

    codings: Mapping[str, Coding]
    """By the encoding, in lower case, without ``audio/``, ``x-`` and what follows an ``@``."""
    any_other: Coding | None = None
    """What every other encoding is taken for; None refuses it."""
    linear_rates: tuple[int, ...] = ()
    """Hz of linear PCM; G.711 has one rate."""
    fix: str
    """What to change where the codec is not spoken here."""
    stream_id: str = "streamSid"
    call_id: str = "callSid"
    account_id: str = "accountSid"
    media_format: str = "mediaFormat"
    sample_rate: str = "sampleRate"
    parameters: str = "customParameters"
    sequence: str = "sequenceNumber"
    returned_mark: str = "mark"
    """The event by which a mark comes back."""


class MediaStream:
    """
    One stream of such a carrier. No I/O: messages in by :meth:`receive`, messages out as text.

    A message that breaks the protocol raises and changes nothing: the caller decides how many are too many.
    """

    spelling: ClassVar[Spelling]
    packing = Packing()

    def __init__(self) -> None:
        self.stream_id: str | None = None
        """Set by ``start``; audio can be sent from then on."""
        self.stopped = False
        self._arrived: Arrival | None = None
        self._sample_bytes = 1
        self._media_head = ""
        self._key_numbers: deque[str] = deque(maxlen=REMEMBERED_KEYS)

    @property
    def late(self) -> int:
        """Media messages that were older than what had been heard; they are dropped."""
        return self._arrived.late if self._arrived is not None else 0

    def receive(self, message: WireMessage) -> TelephonyEvent | None:
        """
        Understand one message; None for those that tell nothing.

        Raises:
            MalformedMessage: Not JSON, or a field is missing or is not what it should be.
            UnexpectedMessage: Legal, but not now: media before the start, a second start.
            UnsupportedFormat: A codec, rate or number of channels that is not spoken here.
        """
        parsed = fields.json_object(message)
        event = fields.text(parsed, "event")
        if event == "start":
            return self._start(parsed)
        if event == "stop":
            self.stopped = True
            return CallStopped()
        if event not in ("media", "dtmf", self.spelling.returned_mark):
            return None  # connected, and whatever is added
        self._require_start(event)
        if event == "media":
            return self._media(parsed)
        if event == "dtmf":
            return self._key(parsed)
        return MarkReturned(self._mark_name(parsed))

    def replies(self) -> Sequence[WireMessage]:
        """Nothing: these carriers ask for no answers."""
        return ()

    def play(self, coded: bytes) -> str:
        """Audio, coded as the start said, to be played after what was sent before."""
        return f'{self._media_head}{fields.base64_text(coded)}"}}}}'

    def mark(self, name: str) -> str:
        """A label that comes back when everything sent before it has been played."""
        return f'{{"event":"mark",{self._address()},"mark":{{"name":{quoted(name)}}}}}'

    def clear(self) -> str:
        """Drop what has been sent and not yet played. Its marks come back at once."""
        return f'{{"event":"clear",{self._address()}}}'

    def hang_up(self) -> None:
        """The stream has no word for it: closing the socket ends the call, or the carrier's REST API."""

    def transfer(self, to: str) -> None:
        """The stream has no word for it either."""

    # What a carrier may do in its own way

    def _arrival(self, codec: LineCodec) -> Arrival:
        """What puts the caller's audio in order."""
        return AsItComes()

    def _head(self, started: CallStarted) -> str:
        """An outgoing media message, up to its payload."""
        return f'{{"event":"media",{self._address()},"media":{{"payload":"'

    def _mark_name(self, message: Mapping[str, Any]) -> str:
        return fields.text(fields.child(message, "mark"), "name")

    def _parameters(self, message: Mapping[str, Any], start: Mapping[str, Any]) -> dict[str, str]:
        """What the dialling document attached, and who calls whom where the start says so."""
        parameters = fields.strings(start, self.spelling.parameters)
        for name in ("from", "to"):
            if start.get(name):
                parameters.setdefault(name, str(start[name]))
        return parameters

    # What all do alike

    def _start(self, message: Mapping[str, Any]) -> CallStarted:
        if self.stream_id is not None:
            raise UnexpectedMessage("the stream has started already")
        start = fields.child(message, "start")
        spelling = self.spelling
        coding, rate = self._coding(fields.child(start, spelling.media_format))
        started = CallStarted(
            stream_id=fields.text(start if spelling.stream_id in start else message, spelling.stream_id),
            call_id=fields.text(start, spelling.call_id),
            account_id=str(start.get(spelling.account_id) or ""),
            parameters=self._parameters(message, start),
            rate=rate,
            coding=coding,
        )
        codec = line_codec(coding, rate)
        self.stream_id = started.stream_id
        self._sample_bytes = codec.sample_bytes
        self._arrived = self._arrival(codec)
        self._media_head = self._head(started)
        return started

    def _coding(self, audio: Mapping[str, Any]) -> tuple[Coding, int]:
        """How the audio is coded, and at how many Hz."""
        spelling = self.spelling
        name = str(audio.get("encoding")).lower().removeprefix("audio/").removeprefix("x-").partition("@")[0]
        coding = spelling.codings.get(name, spelling.any_other)
        rate = fields.number(audio, spelling.sample_rate)
        rates = spelling.linear_rates if coding == "l16" else (G711_RATE,)
        if coding is None or rate not in rates or str(audio.get("channels", 1)) != "1":
            named = " and ".join(spelling.codings)
            hertz = ", ".join(str(each) for each in sorted({G711_RATE, *spelling.linear_rates}))
            raise UnsupportedFormat(
                f"only mono {named} at {hertz} Hz is spoken here, not {dict(audio)}", fix=spelling.fix
            )
        return coding, rate

    def _media(self, message: Mapping[str, Any]) -> MediaReceived | None:
        media = fields.child(message, "media")
        if media.get("track", "inbound") not in ("inbound", "inbound_track"):
            return None
        stream_id = message.get(self.spelling.stream_id)
        if stream_id is not None and stream_id != self.stream_id:
            raise UnexpectedMessage(f"media of another stream, {str(stream_id)[:64]}")
        assert self._arrived is not None
        return self._arrived.push(media, fields.audio(media, "payload", sample_bytes=self._sample_bytes))

    def _key(self, message: Mapping[str, Any]) -> KeyPressed | None:
        """The key; None where the same message came before, by its number."""
        pressed = KeyPressed(fields.key(fields.child(message, "dtmf")))
        number = message.get(self.spelling.sequence)
        if number is not None:
            if str(number) in self._key_numbers:
                return None
            self._key_numbers.append(str(number))
        return pressed

    def _require_start(self, event: str) -> None:
        if self.stream_id is None or self.stopped:
            raise UnexpectedMessage(f"{event} {'after the stop' if self.stopped else 'before the start'}")

    def _address(self) -> str:
        if self.stream_id is None:
            raise UnexpectedMessage("nothing can be sent before the stream has started")
        return f'"{self.spelling.stream_id}":{quoted(self.stream_id)}'
