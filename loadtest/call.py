"""One caller: speaks on schedule, and writes down when audio arrives."""

from __future__ import annotations

import asyncio
import base64
import json
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from loadtest.player import Player
from loadtest.socket import ClientSocket, Refused, connect
from runtime.media.frame import Pcm
from runtime.media.g711 import encode_mulaw


@dataclass(frozen=True, slots=True)
class Script:
    """What a caller says, over and over: audio, cut in packets, of which the first are speech."""

    packets: Sequence[bytes]
    """Base64, ready for the message."""
    speaking: int
    """How many of them, from the first, are speech."""


@dataclass(slots=True)
class Record:
    """What became of one call."""

    refused: str = ""
    """Why it never came up; empty where it did."""
    closed: int = 0
    """Close code, where the server hung up before we did."""
    answered: float = 0.0
    """Seconds from dialling to the first audio."""
    gaps: list[float] = field(default_factory=list)
    """Seconds from the end of each of our turns to the first audio of the answer."""
    arrivals: array[float] = field(default_factory=lambda: array("d"))
    """Monotonic seconds of each message with audio."""
    seconds: array[float] = field(default_factory=lambda: array("d"))
    """How much audio was in it."""


class Call(Protocol):
    """A caller on some protocol."""

    record: Record
    player: Player
    ptime: float
    """Seconds of audio in each packet we send."""

    async def dial(self) -> None:
        """Come up. What stands against it is in :attr:`record`."""
        ...

    def speak(self, now: float) -> None:
        """Send the next packet."""
        ...

    def hang_up(self) -> None: ...


class TwilioCall:
    """
    Twilio's side of a media stream, marks and all.

    Args:
        url: ``ws://…/telephony/twilio/{agent_id}``.
        number: Tells the calls apart.
    """

    ptime = 0.020

    def __init__(self, url: str, script: Script, *, number: int) -> None:
        self.record = Record()
        self.player = Player()
        self._url = url
        self._script = script
        self._number = number
        self._sid = f"MZ{number:032x}"
        self._socket: ClientSocket | None = None
        self._sent = number * 37  # so that callers do not speak in chorus
        self._first = self._sent
        self._dialled = 0.0
        self._spoke_until: float | None = None
        # Samples in a media message of this many bytes: headers are of one length a stream.
        self._sizes: dict[int, float] = {}

    async def dial(self) -> None:
        loop = asyncio.get_running_loop()
        self._dialled = loop.time()
        try:
            self._socket = await connect(self._url, self._receive, self._closed)
        except (Refused, OSError) as error:
            self.record.refused = str(error)
            return
        audio = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}
        start = {
            "accountSid": "AC0",
            "streamSid": self._sid,
            "callSid": f"CA{self._number:032x}",
            "tracks": ["inbound"],
            "mediaFormat": audio,
            "customParameters": {},
        }
        self._send({"event": "connected", "protocol": "Call", "version": "1.0.0"})
        self._send({"event": "start", "sequenceNumber": "1", "start": start, "streamSid": self._sid})

    def speak(self, now: float) -> None:
        socket = self._socket
        if socket is None:
            return
        chunk = self._sent - self._first
        place = self._sent % len(self._script.packets)
        if place == self._script.speaking:
            self._spoke_until = now
        self._sent += 1
        socket.send_text(
            b'{"event":"media","sequenceNumber":"%d","media":{"track":"inbound","chunk":"%d","timestamp":"%d",'
            b'"payload":"%b"},"streamSid":"%b"}'
            % (chunk + 2, chunk + 1, 20 * chunk, self._script.packets[place], self._sid.encode())
        )

    def hang_up(self) -> None:
        if self._socket is not None:
            self._send({"event": "stop", "streamSid": self._sid, "stop": {"callSid": "CA"}})
            self._socket.close()
            self._socket = None

    def _send(self, message: dict[str, object]) -> None:
        if self._socket is not None:
            self._socket.send_text(json.dumps(message).encode())

    def _receive(self, message: bytes, at: float) -> None:
        seconds = self._sizes.get(len(message))
        if seconds is None or b'"media"' not in message[:24]:
            seconds = self._read(message)
            if seconds is None:
                return
            self._sizes[len(message)] = seconds
        record = self.record
        if not record.arrivals:
            record.answered = at - self._dialled
        if self._spoke_until is not None:
            record.gaps.append(at - self._spoke_until)
            self._spoke_until = None
        record.arrivals.append(at)
        record.seconds.append(seconds)
        self.player.arrive(at, seconds)

    def _read(self, message: bytes) -> float | None:
        """Seconds of audio in a message; None for the other kinds, which are obeyed."""
        event = json.loads(message)
        match event["event"]:
            case "media":
                return len(base64.b64decode(event["media"]["payload"])) / 8_000
            case "mark":
                asyncio.get_running_loop().call_at(self.player.dry_at, self._send, event)
            case "clear":
                self.player.pause()
        return None

    def _closed(self, code: int) -> None:
        if self._socket is not None:
            self.record.closed = code
            self._socket = None


def mulaw_script(speech: Pcm, silence: Pcm) -> Script:
    """Packets of 20 ms of mu-law at 8 kHz."""
    samples = encode_mulaw(speech), encode_mulaw(silence)
    packets = [
        base64.b64encode(coded[at : at + 160]) for coded in samples for at in range(0, len(coded) - 159, 160)
    ]
    return Script(packets, len(samples[0]) // 160)
