"""One caller: speaks on schedule, and writes down when audio arrives."""

from __future__ import annotations

import asyncio
import base64
import json
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit

from loadtest.framings import Framing, Message
from loadtest.player import Player
from loadtest.socket import CallerSocket, Refused, connect, connect_audiosocket
from runtime.media.frame import Pcm
from runtime.media.line_codec import line_codec

HEAD = 200
"""Characters of a message within which its kind is told."""


@dataclass(frozen=True, slots=True)
class Script:
    """What a caller says, over and over: audio, cut in packets, of which the first are speech."""

    packets: Sequence[Any]
    """Ready for the message."""
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

    async def dial(self) -> None:
        """Come up. What stands against it is in :attr:`record`."""
        ...

    def speak(self, now: float) -> None:
        """Send the next packet."""
        ...

    def hang_up(self) -> None: ...


class Ear:
    """
    Writes down what a caller hears, and how long the answers let it wait.

    Args:
        number: Of the caller: where in the script it begins, so that callers do not speak in chorus.
    """

    def __init__(self, script: Script, *, number: int) -> None:
        self.record = Record()
        self.player = Player()
        self.dialled = 0.0
        self._script = script
        self._next = number * 37
        self._spoke_until: float | None = None

    def packet(self, now: float) -> Any:
        """The next packet of the script."""
        place = self._next % len(self._script.packets)
        if place == self._script.speaking:
            self._spoke_until = now
        self._next += 1
        return self._script.packets[place]

    def hear(self, at: float, seconds: float) -> None:
        """So much audio arrived."""
        record = self.record
        if not record.arrivals:
            record.answered = at - self.dialled
        if self._spoke_until is not None:
            record.gaps.append(at - self._spoke_until)
            self._spoke_until = None
        record.arrivals.append(at)
        record.seconds.append(seconds)
        self.player.arrive(at, seconds)


class FramedCall:
    """
    The far side of a stream, marks and all, in whatever framing.

    Args:
        url: ``ws://…``, or ``audiosocket://host:port/uuid``.
        name: The call's own.
        number: Tells the calls apart.
        steady: Whether the agent talks without end, and is to be told to.
        headers: Of the upgrade.
    """

    def __init__(
        self,
        framing: Framing,
        url: str,
        script: Script,
        *,
        name: str,
        number: int,
        steady: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._framing = framing
        self._url = url
        self._headers = dict(headers or {})
        if framing.subprotocol is not None:
            self._headers["Sec-WebSocket-Protocol"] = framing.subprotocol
        self._name = name
        self._opening = (*framing.start(name), *(framing.uninterrupted if steady else ()))
        self._ear = Ear(script, number=number)
        self.record = self._ear.record
        self._socket: CallerSocket | None = None
        self._chunk = 0
        codec = line_codec(framing.coding, framing.rate)
        self._bytes_per_second = codec.rate * codec.sample_bytes
        # Seconds in a message with audio of this many characters: heads are of one length a stream.
        self._sizes: dict[int, float] = {}

    async def dial(self) -> None:
        self._ear.dialled = asyncio.get_running_loop().time()
        try:
            if urlsplit(self._url).scheme == "audiosocket":
                self._socket = await connect_audiosocket(self._url, self._receive, self._closed)
            else:
                self._socket = await connect(self._url, self._receive, self._closed, headers=self._headers)
        except (Refused, OSError) as error:
            self.record.refused = str(error)
            return
        self._send(*self._opening)

    def speak(self, now: float) -> None:
        if self._socket is not None:
            packet = self._ear.packet(now)
            self._socket.send(self._framing.media(self._name, self._chunk, packet))
            self._chunk += 1

    def hang_up(self) -> None:
        if self._socket is not None:
            self._send(*self._framing.stop(self._name))
            socket, self._socket = self._socket, None
            socket.close()

    def _send(self, *messages: Message) -> None:
        if self._socket is not None:
            for message in messages:
                self._socket.send(message)

    def _receive(self, message: Message, at: float) -> None:
        sound = self._framing.sound
        if isinstance(message, bytes):
            if sound is None:
                self._ear.hear(at, len(message) / self._bytes_per_second)
        elif sound is not None and sound in message[:HEAD]:
            seconds = self._sizes.get(len(message))
            if seconds is None:
                audio = base64.b64decode(self._framing.payload(json.loads(message)))
                seconds = self._sizes[len(message)] = len(audio) / self._bytes_per_second
            self._ear.hear(at, seconds)
        else:
            self._obey(message)

    def _obey(self, message: str) -> None:
        framing, player = self._framing, self._ear.player
        if framing.clears is not None and framing.clears in message[:HEAD]:
            player.pause()
            return
        told = json.loads(message)
        mark = framing.mark(told)
        if mark is not None:
            answer = framing.played(self._name, mark)
            asyncio.get_running_loop().call_at(player.dry_at, self._send, answer)

    def _closed(self, code: int) -> None:
        if self._socket is not None:
            self._socket = None
            if self.record.arrivals:
                self.record.closed = code
            else:
                self.record.refused = f"hung up with {code} before a word"


def script(framing: Framing, speech: Pcm, silence: Pcm) -> Script:
    """What is said, in packets of the framing; the samples are at its rate."""
    codec = line_codec(framing.coding, framing.rate)
    size = round(framing.ptime * framing.rate) * codec.sample_bytes
    talk, rest = (
        [framing.packed(coded[at : at + size]) for at in range(0, len(coded) - size + 1, size)]
        for coded in (codec.encode(speech), codec.encode(silence))
    )
    return Script([*talk, *rest], len(talk))
