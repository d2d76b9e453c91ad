"""
A WebRTC caller that costs little: connected by aiortc, but fed and heard past it.

ICE, DTLS and SRTP are aiortc's, as is the connection of events. Its tasks for each packet are not used: our
packets are Opus that was encoded before the run, protected and sent from the crowd's one timer, and of what
arrives only the time is written down. That is done on aiortc's inner parts, of the version that
constraints.txt names.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack

from loadtest.call import Ear, Record, Script
from loadtest.framings import TALK_ON
from runtime.media.frame import PTIME, Pcm
from runtime.media.opus import OPUS_RATE, OpusEncoder

PATIENCE = 30.0
"""Seconds within which a call must be up."""

RTP_VERSION = 0x80
"""First byte of a packet without padding and extension (RFC 3550 §5.1)."""

RTCP_TYPES = range(192, 224)
"""Second bytes that are RTCP's (RFC 5761 §4)."""


class Mute(AudioStreamTrack):
    """A microphone that never has anything: what is sent is sent past it."""

    async def recv(self) -> Any:
        await asyncio.Event().wait()


class WebRtcCall:
    """
    One call.

    Args:
        url: ``http://host:port``.
        agent: Who is called.
        number: Tells the calls apart.
        steady: Whether the agent talks without end, and is to be told to.
        key: API key.
    """

    def __init__(self, url: str, script: Script, *, agent: str, number: int, steady: bool, key: str) -> None:
        self._url = f"{url}/v1/realtime/calls"
        self._agent = agent
        self._steady = steady
        self._headers = {"content-type": "application/sdp", "authorization": f"Bearer {key}"}
        self._ear = Ear(script, number=number)
        self.record: Record = self._ear.record
        self._connection: RTCPeerConnection | None = None
        self._send: Any = None
        self._address: Any = None
        self._protect: Any = None
        self._head = self._ssrc = b""
        self._sequence = number & 0xFFFF
        self._timestamp = 0
        self._leaving: asyncio.Future[None] | None = None

    async def dial(self) -> None:
        self._ear.dialled = asyncio.get_running_loop().time()
        connection = RTCPeerConnection()
        try:
            async with asyncio.timeout(PATIENCE):
                await self._connect(connection)
        except (OSError, httpx.HTTPError, TimeoutError, ValueError) as error:
            self.record.refused = repr(error)
            await connection.close()

    def speak(self, now: float) -> None:
        if self._connection is None:
            return
        payload = self._ear.packet(now)
        number = self._sequence.to_bytes(2, "big") + self._timestamp.to_bytes(4, "big")
        self._send(self._protect(self._head + number + self._ssrc + payload), self._address)
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._timestamp = (self._timestamp + round(PTIME * OPUS_RATE)) & 0xFFFFFFFF

    def hang_up(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            self._leaving = asyncio.ensure_future(connection.close())

    async def _connect(self, connection: RTCPeerConnection) -> None:
        sender = connection.addTrack(Mute())
        channel = connection.createDataChannel("oai-events")
        if self._steady:
            channel.on("open", lambda: channel.send(TALK_ON))
        connected = asyncio.Event()
        connection.on("connectionstatechange", connected.set)
        await connection.setLocalDescription(await connection.createOffer())
        async with httpx.AsyncClient(timeout=PATIENCE) as client:
            answer = await client.post(
                self._url,
                params={"model": self._agent},
                content=connection.localDescription.sdp,
                headers=self._headers,
            )
        if answer.status_code != 201:
            raise OSError(f"{answer.status_code} {answer.reason_phrase}")
        await connection.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
        while connection.connectionState != "connected":
            connected.clear()
            await connected.wait()
            if connection.connectionState in ("failed", "closed"):
                raise OSError(f"the connection {connection.connectionState}")
        self._go_past(connection, sender)

    def _go_past(self, connection: RTCPeerConnection, sender: Any) -> None:
        """Find the socket beneath, and take its packets before aiortc does."""
        dtls = sender.transport
        pair = dtls.transport._connection._nominated[1]
        protocol = pair.protocol
        codec = connection.getTransceivers()[0]._codecs[0]
        self._ssrc = sender._ssrc.to_bytes(4, "big")
        self._head = bytes((RTP_VERSION, codec.payloadType or 0))
        self._protect = dtls._tx_srtp.protect
        self._send = protocol.transport.sendto
        self._address = pair.remote_addr
        below = protocol.datagram_received
        hear = self._ear.hear

        def datagram_received(data: bytes, address: Any) -> None:
            if data[0] & 0xC0 == RTP_VERSION and data[1] not in RTCP_TYPES:
                hear(time.monotonic(), PTIME)
            else:
                below(data, address)

        protocol.datagram_received = datagram_received
        self._connection = connection
        connection.on("connectionstatechange", self._state_changed)

    def _state_changed(self) -> None:
        if self._connection is not None and self._connection.connectionState in ("failed", "closed"):
            self.record.closed = 1006
            self._connection = None


def opus_script(speech: Pcm, silence: Pcm) -> Script:
    """Packets of 20 ms, of samples at 48 kHz."""
    encoder = OpusEncoder(OPUS_RATE)
    talk = encoder.push(speech)
    return Script([*talk, *encoder.push(silence)], len(talk))
