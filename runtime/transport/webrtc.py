"""
One WebRTC peer: its microphone, our voice, and a channel of text messages.

aiortc carries the connection (ICE, DTLS, SRTP, SCTP). Two of its habits are not used, because they cost a
thread's hop for every packet: we hand it Opus packets that are encoded already, which it then sends as they
are, and in the place of its jitter buffer, which holds 80 ms back, stands one of ours that gives a packet on
as soon as it is in order.

A peer that has gone silent is asked whether it is there, and one that has changed its network is found again
by an ICE restart (:mod:`runtime.transport.ice`), which aiortc by itself does not do.

Our packets are sent the moment the schedule lets them go; where it pauses, nothing is sent at all, and the
RTP timestamps move on with the clock, so that the peer plays silence of the right length.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import av
from aiortc import (
    RTCConfiguration,
    RTCDataChannel,
    RTCDtlsTransport,
    RTCIceServer,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from runtime.clock import Clock
from runtime.errors import InvalidRequest, TransportClosed
from runtime.media.conceal import Concealer
from runtime.media.frame import PTIME, Pcm
from runtime.media.jitter import JitterBuffer, Lost
from runtime.media.opus import OPUS_RATE, OpusDecoder
from runtime.transport.ice import IcePath
from runtime.transport.presence import Presence
from runtime.wire.signaling import IceDescription, read_ice, restarted, write_fragment

log = logging.getLogger(__name__)

EVENTS_CHANNEL = "oai-events"
"""Label of the data channel on which OpenAI's clients speak; the first of any label is taken."""

PACKET_TICKS = round(PTIME * OPUS_RATE)
"""RTP ticks of one packet."""

TIME_BASE = Fraction(1, OPUS_RATE)

GAP = 0.06
"""Seconds without a packet of ours after which the stream has paused and its timestamps follow the clock."""

REORDER = 3
"""Packets that may wait behind a missing one: 60 ms until it is given up."""

LONGEST_FILL = 0.5
"""Seconds of a gap in the caller's audio that are made up for; beyond, time is simply lost."""

BACKLOG_BYTES = 1 << 20
"""Of messages that the peer has not taken; with more it has stopped reading."""

BACKLOG_MESSAGES = 1024
"""From the peer that may wait to be read; with more it is no client but a flood."""

CONNECT_SECONDS = 20.0
"""Within which the peer must have connected and opened its channel."""

OnAudio = Callable[[Pcm], None]


class VoiceTrack(MediaStreamTrack):
    """Our voice, as packets that are ready to be sent."""

    kind = "audio"

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._begun = clock.now()
        self._ticks = 0
        self._packets: asyncio.Queue[av.Packet[Any]] = asyncio.Queue()

    def send(self, packets: Sequence[bytes]) -> None:
        """Send packets of 20 ms now."""
        now = round((self._clock.now() - self._begun) * OPUS_RATE)
        if now - self._ticks > GAP * OPUS_RATE:
            self._ticks = now // PACKET_TICKS * PACKET_TICKS
        for payload in packets:
            packet = av.Packet(payload)
            packet.pts = self._ticks
            packet.time_base = TIME_BASE
            self._ticks += PACKET_TICKS
            self._packets.put_nowait(packet)

    async def recv(self) -> av.Packet[Any]:
        if self.readyState != "live":
            raise MediaStreamError
        return await self._packets.get()


class CallerAudio:
    """
    The caller's packets in order, decoded, their losses concealed. Stands in for aiortc's jitter buffer.

    Args:
        hear: Given mono PCM at 48 kHz.
        seen: Told of every packet, before it is in order.
    """

    def __init__(self, hear: OnAudio, seen: Callable[[], None] = lambda: None) -> None:
        self._hear = hear
        self._seen = seen
        self._order: JitterBuffer[tuple[int, bytes]] = JitterBuffer(depth=REORDER, modulus=1 << 16)
        self._decoder = OpusDecoder()
        self._concealer = Concealer(OPUS_RATE)
        self._due: int | None = None
        """RTP timestamp of the next sample."""

    @property
    def lost(self) -> int:
        """Packets given up so far."""
        return self._order.lost

    def add(self, packet: Any) -> tuple[bool, None]:
        """Called by aiortc with each RTP packet; leaves it nothing to decode."""
        self._seen()
        for arrived in self._order.push(packet.sequence_number, (packet.timestamp, packet._data)):
            if not isinstance(arrived, Lost):
                self._play(*arrived)
        return False, None

    def _play(self, timestamp: int, payload: bytes) -> None:
        try:
            samples = self._decoder.decode(payload)
        except ValueError:
            return
        gap = 0 if self._due is None else (timestamp - self._due) & 0xFFFFFFFF
        self._due = (timestamp + len(samples)) & 0xFFFFFFFF
        if 0 < gap <= LONGEST_FILL * OPUS_RATE:
            self._hear(self._concealer.lost(gap))
        self._hear(self._concealer.heard(samples))


class WebRtcConnection:
    """
    Answer one offer, and carry what follows.

    It can be spoken to like an ASGI WebSocket that was accepted (:meth:`send`, :meth:`receive`): the text
    messages of the events channel go through there.

    A disconnect has code 1000 where we hung up, and 1006 where the peer has gone.

    Args:
        ice_servers: STUN and TURN, as aiortc takes them; empty uses host addresses only.
    """

    def __init__(self, *, clock: Clock, ice_servers: Sequence[Mapping[str, Any]] = ()) -> None:
        self._servers = [RTCIceServer(**server) for server in ice_servers]
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=self._servers))
        self._ice: IcePath | None = None
        self._answer = ""
        self._connection_id = secrets.token_hex(8)
        self._version = 0
        self._presence = Presence(
            clock, self._ask, on_lost=lambda: self.on_quiet(), on_found=lambda: self.on_heard()
        )
        self._watching: asyncio.Task[None] | None = None
        self.on_quiet: Callable[[], None] = _nothing
        """Called when the peer has fallen silent and does not answer: it hears us no more, for now."""
        self.on_heard: Callable[[], None] = _nothing
        """Called when it is back."""
        self._voice = VoiceTrack(clock)
        self._caller: CallerAudio | None = None
        self._hear: OnAudio = _unheard
        self._channel: RTCDataChannel | None = None
        self._opened = asyncio.Event()
        self._messages: asyncio.Queue[str | bytes | None] = asyncio.Queue()
        self._closed = False
        self._close_code = 1006
        self._connection.on("datachannel", self._on_channel)
        self._connection.on("connectionstatechange", self._on_state)

    @property
    def packets_lost(self) -> int:
        """Of the caller's audio."""
        return self._caller.lost if self._caller else 0

    def listen(self, hear: OnAudio) -> None:
        """Give the caller's audio to ``hear`` from now on: mono PCM at 48 kHz, 20 ms at a time."""
        self._hear = hear

    async def answer(self, offer: str) -> str:
        """
        The complete answer: its candidates are all gathered, since nobody will trickle them.

        Args:
            offer: From :func:`runtime.wire.signaling.read_offer`: Opus is all its audio can be.

        Raises:
            InvalidRequest: The offer cannot be answered.
        """
        try:
            await self._connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        except Exception as error:  # aiortc and its SDP parser raise whatever the text makes them trip over
            await self.close()
            raise InvalidRequest(f"The offer could not be read: {error}", param="sdp") from error
        for transceiver in self._connection.getTransceivers():
            if transceiver.kind != "audio" or self._caller is not None:
                transceiver.direction = "inactive"
                continue
            transceiver.direction = "sendrecv"
            transceiver.sender.replaceTrack(self._voice)
            self._caller = CallerAudio(lambda pcm: self._hear(pcm), self._presence.seen)
            replace_jitter_buffer(transceiver.receiver, self._caller)
            self._attach_ice(transceiver.sender.transport)
        await self._connection.setLocalDescription(await self._connection.createAnswer())
        self._answer = self._connection.localDescription.sdp
        return self._answer

    def _attach_ice(self, transport: RTCDtlsTransport) -> None:
        """An offer that does not bundle its sections has several paths; those are not restarted."""
        sctp = self._connection.sctp
        if sctp is not None and sctp.transport is transport:
            self._ice = IcePath(transport.transport, servers=self._servers, on_lost=self._path_lost)

    @property
    def etag(self) -> str:
        """Of the ICE session that is answered now, as RFC 9725 §4.3.1 has it: another with each restart."""
        return f'"{self._connection_id}-{self._version}"'

    async def restart(self, offer: str) -> str:
        """
        Answer an offer that restarts ICE; the call goes on when the peer is found on its new path.

        Args:
            offer: Whole. Only its ICE side is read: nothing else of a call can be changed.

        Raises:
            InvalidRequest: It has no ICE side, or the same one as before.
        """
        ice = await self._restart(read_ice(offer))
        self._answer = restarted(self._answer, ice, version=self._version)
        return self._answer

    async def patch(self, fragment: str) -> str | None:
        """
        The same by a fragment, answered by one; None where it only brought further candidates.

        Raises:
            InvalidRequest: It has no ICE side.
        """
        peer = read_ice(fragment)
        path = self._path()
        if peer.username == path.remote_username:
            await path.add_candidates(peer.candidates)
            return None
        ice = await self._restart(peer)
        self._answer = restarted(self._answer, ice, version=self._version)
        return write_fragment(ice, self._answer)

    async def _restart(self, peer: IceDescription) -> IceDescription:
        path = self._path()
        if peer.username == path.remote_username:
            raise InvalidRequest(
                "The offer has the a=ice-ufrag of before: call restartIce() before making it.", param="sdp"
            )
        ours = await path.prepare()
        path.seek(peer)
        self._version += 1
        return ours

    def _path(self) -> IcePath:
        if self._ice is None or self._closed:
            raise InvalidRequest("This call has no connection that could be restarted.", param="sdp")
        return self._ice

    async def opened(self) -> None:
        """
        Wait until the peer has connected and opened its channel.

        Raises:
            TransportClosed: It did not in time.
        """
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._opened.wait()
        except TimeoutError:
            await self.close()
            raise TransportClosed(f"the peer did not connect within {CONNECT_SECONDS:g} s") from None
        if self._closed:
            raise TransportClosed("the peer went away before it had connected")
        self._watching = asyncio.create_task(self._presence.watch(), name="watch a WebRTC peer")

    def send_packets(self, packets: Sequence[bytes]) -> None:
        """Our voice: Opus packets of 20 ms, sent at once."""
        self._voice.send(packets)

    async def receive(self) -> dict[str, Any]:
        """The next message, as ASGI tells of it."""
        message = await self._messages.get()
        if message is None:
            return {"type": "websocket.disconnect", "code": self._close_code}
        kind = "bytes" if isinstance(message, bytes) else "text"
        return {"type": "websocket.receive", kind: message}

    async def send(self, message: Mapping[str, Any]) -> None:
        """Send a text message or close, as ASGI asks for it. Dropped once closed."""
        if message["type"] == "websocket.close":
            await self.hang_up()
        elif self._channel is not None and self._channel.readyState == "open":
            if self._channel.bufferedAmount > BACKLOG_BYTES:
                log.info("a WebRTC peer has stopped reading")
                await self.close()
                return
            self._channel.send(message["text"])

    async def hang_up(self) -> None:
        """Close because somebody wants it so."""
        self._close_code = 1000
        await self.close()

    async def close(self) -> None:
        """Let go of the peer. Harmless twice."""
        if not self._closed:
            self._closed = True
            self._messages.put_nowait(None)
            self._opened.set()
            if self._watching is not None:
                self._watching.cancel()
            if self._ice is not None:
                await self._ice.close()
            await self._connection.close()

    async def _ask(self) -> bool:
        return self._ice is not None and await self._ice.answers()

    def _path_lost(self) -> None:
        if not self._closed:
            self._closing = asyncio.create_task(self.close(), name="close a lost WebRTC peer")

    def _on_channel(self, channel: RTCDataChannel) -> None:
        if self._channel is None:
            self._channel = channel
            channel.on("message", self._on_message)
            channel.on("close", self._on_channel_closed)
            self._opened.set()

    async def _on_message(self, message: str | bytes) -> None:
        self._messages.put_nowait(message)
        if self._messages.qsize() > BACKLOG_MESSAGES:
            log.info("a WebRTC peer sends faster than it can be read")
            await self.close()

    async def _on_channel_closed(self) -> None:
        await self.close()

    async def _on_state(self) -> None:
        if self._connection.connectionState in ("failed", "closed"):
            await self.close()


def replace_jitter_buffer(receiver: RTCRtpReceiver, caller: CallerAudio) -> None:
    """aiortc has no way to say so: the attribute is private, and its version is pinned."""
    name = "_RTCRtpReceiver__jitter_buffer"
    assert hasattr(receiver, name), "this version of aiortc keeps its jitter buffer elsewhere"
    setattr(receiver, name, caller)


def _nothing() -> None:
    pass


def _unheard(pcm: Pcm) -> None:
    """Audio that comes before anybody listens."""
