"""
Genesys AudioHook, protocol version 2, as the Audio Connector speaks it: JSON about the call, binary audio.

The client opens, the server chooses one of the media offered, and from then on each side numbers its
messages from 1 and tells the last number it saw of the other side. Audio is mu-law at 8 kHz, interleaved
where two channels were chosen; we choose the caller's alone where it is offered. Audio goes back as binary
mu-law, in few large messages, since their number is limited; the event ``barge_in`` drops what waits. There
are no marks: what was heard is told by the clock.

The handshake is signed, see :mod:`runtime.wire.http_signature`.

Sources: Genesys' developer documentation, "AudioHook: protocol reference", "session walkthrough" and "Audio
Connector".
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from runtime.errors import MalformedMessage, UnexpectedMessage, UnsupportedFormat
from runtime.media.frame import PTIME
from runtime.media.g711 import G711_RATE
from runtime.wire import fields
from runtime.wire.telephony import (
    CallStarted,
    CallStopped,
    KeyPressed,
    MediaReceived,
    Packing,
    TelephonyEvent,
    WireMessage,
)

VERSION = "2"

PROBE = "00000000-0000-0000-0000-000000000000"
"""Conversation of a connection that only tries whether we are there."""

LARGEST_GAP = 2.0
"""Seconds of discarded audio that are made up for by silence."""

TRANSFER = "transfer"
"""Output variable that tells an Architect flow where the caller is to go."""

_DURATION = re.compile(r"PT(\d{1,6}(?:\.\d{1,9})?)S", re.ASCII)


class AudioHookStream:
    """One session. No I/O: messages in by :meth:`receive`, messages out as text and bytes."""

    packing = Packing(seconds=10 * PTIME)  # 1600 bytes

    def __init__(self) -> None:
        self.stream_id: str | None = None
        self.stopped = False
        self._seq = 0
        self._client_seq = 0
        self._replies: list[str] = []
        self._channels = 1
        self._channel = 0
        self._missing = 0

    def receive(self, message: WireMessage) -> TelephonyEvent | None:
        """
        Understand one message; None for those that tell nothing.

        Raises:
            MalformedMessage: Not JSON, or a field is missing or is not what it should be.
            UnexpectedMessage: Out of sequence, before the open, or after the close.
            UnsupportedFormat: Another version, or no mu-law with the caller's channel was offered.
        """
        if isinstance(message, bytes):
            return self._media(message)
        parsed = fields.json_object(message)
        kind = fields.text(parsed, "type")
        if parsed.get("version") != VERSION:
            raise UnsupportedFormat(f"AudioHook version 2 is spoken here, not {parsed.get('version')!r:.20}")
        self._check_sequence(parsed, kind)
        parameters = fields.child(parsed, "parameters")
        event: TelephonyEvent | None = None
        match kind:
            case "open":
                event = self._open(parsed, parameters)
            case "ping":
                pass
            case "dtmf":
                event = KeyPressed(fields.key(parameters))
            case "discarded":
                self._discarded(parameters)
            case "close":
                self.stopped = True
                event = CallStopped()
        answer = {"ping": "pong", "update": "updated", "close": "closed"}.get(kind)
        if kind == "open":
            self._replies.append(self._opened())
        elif answer is not None:
            self._replies.append(self._message(answer, {}))
        return event

    def replies(self) -> Sequence[WireMessage]:
        replies, self._replies = self._replies, []
        return replies

    def play(self, coded: bytes) -> bytes:
        return coded

    def mark(self, name: str) -> None:
        """There are none."""

    def clear(self) -> str:
        return self._message("event", {"entities": [{"type": "barge_in", "data": {}}]})

    def hang_up(self) -> str:
        return self._message("disconnect", {"reason": "completed"})

    def transfer(self, to: str) -> str:
        """The flow that called us finds ``to`` in the output variable :data:`TRANSFER`, and acts on it."""
        return self._message("disconnect", {"reason": "completed", "outputVariables": {TRANSFER: to}})

    def _check_sequence(self, message: Mapping[str, Any], kind: str) -> None:
        if self.stopped:
            raise UnexpectedMessage(f"{kind[:20]} after the close")
        if (self.stream_id is None) != (kind == "open"):
            raise UnexpectedMessage(
                "the session is open already" if self.stream_id else f"{kind[:20]} before the open"
            )
        seq, server_seq = fields.number(message, "seq"), fields.number(message, "serverseq")
        if seq != self._client_seq + 1 or server_seq > self._seq:
            raise UnexpectedMessage(
                f"seq {seq} and serverseq {server_seq} do not follow {self._client_seq} and {self._seq}"
            )
        if self.stream_id is not None and message.get("id") != self.stream_id:
            raise UnexpectedMessage("a message of another session")
        # It counts from here on, whatever stands in it: the next one will be numbered after it.
        self._client_seq = seq

    def _open(self, message: Mapping[str, Any], parameters: Mapping[str, Any]) -> CallStarted | None:
        session = fields.text(message, "id")
        offered = parameters.get("media")
        if not isinstance(offered, list):
            raise MalformedMessage("media is missing, or is not a list")
        self._channels, self._channel = _best(offered)
        conversation = fields.text(parameters, "conversationId")
        participant = parameters.get("participant")
        told = fields.strings(parameters, "inputVariables")
        if isinstance(participant, dict):
            for name, field in (("from", "ani"), ("to", "dnis"), ("participant", "id")):
                if participant.get(field):
                    told.setdefault(name, str(participant[field]))
        self.stream_id = session
        if conversation == PROBE:
            return None
        return CallStarted(
            stream_id=session,
            call_id=conversation,
            account_id=str(parameters.get("organizationId") or ""),
            parameters=told,
            rate=G711_RATE,
        )

    def _opened(self) -> str:
        channels = ["external"] if self._channels == 1 else ["external", "internal"]
        if self._channels == 2 and self._channel == 1:
            channels.reverse()
        media = {"type": "audio", "format": "PCMU", "channels": channels, "rate": G711_RATE}
        return self._message("opened", {"startPaused": False, "media": [media]})

    def _discarded(self, parameters: Mapping[str, Any]) -> None:
        found = _DURATION.fullmatch(fields.text(parameters, "discarded"))
        if found is None:
            raise MalformedMessage("discarded is a duration, PT1.5S")
        self._missing += round(min(float(found[1]), LARGEST_GAP) * G711_RATE)

    def _media(self, payload: bytes) -> MediaReceived | None:
        if self.stream_id is None or self.stopped:
            raise UnexpectedMessage(f"audio {'after the close' if self.stopped else 'before the open'}")
        fields.whole(payload, sample_bytes=self._channels)
        missing, self._missing = self._missing, 0
        return MediaReceived(payload[self._channel :: self._channels], missing) if payload else None

    def _message(self, kind: str, parameters: Mapping[str, Any]) -> str:
        if self.stream_id is None:
            raise UnexpectedMessage("nothing can be sent before the session is open")
        self._seq += 1
        return json.dumps(
            {
                "version": VERSION,
                "type": kind,
                "seq": self._seq,
                "clientseq": self._client_seq,
                "id": self.stream_id,
                "parameters": parameters,
            }
        )


def _best(offered: Sequence[Any]) -> tuple[int, int]:
    """How many channels the best offer has, and which one is the caller's."""
    found = []
    for media in offered:
        if not isinstance(media, dict) or media.get("format") != "PCMU" or media.get("rate") != G711_RATE:
            continue
        channels = media.get("channels")
        if isinstance(channels, list) and len(channels) in (1, 2) and "external" in channels:
            found.append((len(channels), channels.index("external")))
    if not found:
        raise UnsupportedFormat("no mu-law at 8 kHz with the external channel was offered")
    return min(found)
