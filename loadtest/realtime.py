"""A caller on the OpenAI Realtime WebSocket."""

from __future__ import annotations

import asyncio
import base64
import json

from loadtest.call import Record, Script
from loadtest.player import Player
from loadtest.socket import ClientSocket, Refused, connect
from runtime.media.frame import Pcm

RATE = 24_000


class RealtimeCall:
    """
    A client that streams its microphone and plays what comes back.

    Args:
        url: ``ws://…/v1/realtime?model=agent_…``.
        number: Tells the calls apart.
        key: Bearer token.
    """

    ptime = 0.040

    def __init__(self, url: str, script: Script, *, number: int, key: str) -> None:
        self.record = Record()
        self.player = Player()
        self._url = url
        self._script = script
        self._key = key
        self._socket: ClientSocket | None = None
        self._sent = number * 37
        self._dialled = 0.0
        self._spoke_until: float | None = None

    async def dial(self) -> None:
        self._dialled = asyncio.get_running_loop().time()
        try:
            self._socket = await connect(
                self._url, self._receive, self._closed, headers={"Authorization": f"Bearer {self._key}"}
            )
        except (Refused, OSError) as error:
            self.record.refused = str(error)

    def speak(self, now: float) -> None:
        if self._socket is None:
            return
        place = self._sent % len(self._script.packets)
        if place == self._script.speaking:
            self._spoke_until = now
        self._sent += 1
        self._socket.send_text(
            b'{"type":"input_audio_buffer.append","audio":"%b"}' % self._script.packets[place]
        )

    def hang_up(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _receive(self, message: bytes, at: float) -> None:
        if b"output_audio.delta" not in message[:120]:
            if b"speech_started" in message[:120]:
                self.player.pause()
            return
        seconds = len(base64.b64decode(json.loads(message)["delta"])) / 2 / RATE
        if not self.record.arrivals:
            self.record.answered = at - self._dialled
        if self._spoke_until is not None:
            self.record.gaps.append(at - self._spoke_until)
            self._spoke_until = None
        self.record.arrivals.append(at)
        self.record.seconds.append(seconds)
        self.player.arrive(at, seconds)

    def _closed(self, code: int) -> None:
        if self._socket is not None:
            self.record.closed = code
            self._socket = None


def pcm_script(speech: Pcm, silence: Pcm) -> Script:
    """Packets of 40 ms of PCM at 24 kHz."""
    size = round(RATE * RealtimeCall.ptime)
    blocks = [speech[at : at + size] for at in range(0, len(speech) - size + 1, size)]
    pause = [silence[at : at + size] for at in range(0, len(silence) - size + 1, size)]
    packets = [base64.b64encode(block.astype("<i2").tobytes()) for block in (*blocks, *pause)]
    return Script(packets, len(blocks))
