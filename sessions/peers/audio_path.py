"""How a Realtime session's audio travels: as events on its socket, or as media beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from runtime.media.frame import PTIME, EncodedFrame, Pcm
from runtime.media.g711 import encode_alaw, encode_mulaw
from runtime.media.opus import OPUS_RATE
from runtime.transport.webrtc import WebRtcConnection
from runtime.wire.conversation import WordTime
from runtime.wire.realtime.config import AudioFormat
from runtime.wire.realtime.protocol import RealtimeProtocol
from sessions.peers.blocks import BlockEncoder
from sessions.peers.opus_wire import OpusFrames
from sessions.peers.peer import FrameEncoder
from tts.phrases import WireFormat

LARGEST_DELTA = 2
"""Blocks of audio in one event at most: 40 to 200 ms."""

MEDIA_LEAD = 2 * PTIME
"""Seconds. A peer's jitter buffer shrinks what runs far ahead, by speeding it up: so hardly any."""


def pcm_bytes(samples: Pcm) -> bytes:
    """As s16le."""
    return samples.astype("<i2", copy=False).tobytes()


WIRES: Mapping[str, WireFormat] = {
    "audio/pcm": WireFormat("pcm/24000", 24_000, pcm_bytes),
    "audio/pcmu": WireFormat("pcmu/8000", 8_000, encode_mulaw),
    "audio/pcma": WireFormat("pcma/8000", 8_000, encode_alaw),
}


class AudioPath(Protocol):
    """The agent's voice on its way out, and the caller's on its way in."""

    transport: str
    """What metrics call it."""
    lead: float
    """Seconds by which audio may leave before it is due."""
    caller_rate: int | None
    """Hz of the caller's PCM; None is that of the session's input format."""

    def encoder(self, wanted: AudioFormat, position: int) -> FrameEncoder: ...

    def send(self, response_id: str, frames: Sequence[EncodedFrame], words: Sequence[WordTime]) -> None:
        """Audio is due: it leaves, and the protocol is told."""
        ...

    def finished(self, response_id: str) -> None:
        """A response is over, and so is its audio."""
        ...

    def listen(self, hear: Callable[[Pcm], None]) -> None:
        """Give the caller's audio to ``hear``, where it does not come as events."""
        ...


class EventAudio:
    """On the socket, in base64, a good deal ahead of its time: the client plays it."""

    transport = "realtime_websocket"
    caller_rate: int | None = None

    def __init__(self, protocol: RealtimeProtocol, *, lead: float) -> None:
        self._protocol = protocol
        self.lead = lead

    def encoder(self, wanted: AudioFormat, position: int) -> BlockEncoder:
        return BlockEncoder(WIRES[wanted.type], sample_bytes=wanted.sample_bytes, position=position)

    def send(self, response_id: str, frames: Sequence[EncodedFrame], words: Sequence[WordTime]) -> None:
        """What is due together is sent together, up to :data:`LARGEST_DELTA`."""
        for group in _groups(frames):
            self._protocol.responses.audio_delta(response_id, b"".join(group), words=words)
            words = ()

    def finished(self, response_id: str) -> None:
        pass

    def listen(self, hear: Callable[[Pcm], None]) -> None:
        pass


class MediaAudio:
    """On a WebRTC peer's tracks, in Opus: we play it, so we say when it starts and stops."""

    transport = "realtime_webrtc"
    lead = MEDIA_LEAD
    caller_rate: int | None = OPUS_RATE

    def __init__(self, protocol: RealtimeProtocol, connection: WebRtcConnection) -> None:
        self._protocol = protocol
        self._connection = connection
        self._hear: Callable[[Pcm], None] = _unheard

    def move_to(self, connection: WebRtcConnection) -> None:
        """The caller has come back on another connection: speak and listen there."""
        self._connection.listen(_unheard)
        self._connection = connection
        connection.listen(self._hear)

    def encoder(self, wanted: AudioFormat, position: int) -> OpusFrames:
        return OpusFrames(position=position)

    def send(self, response_id: str, frames: Sequence[EncodedFrame], words: Sequence[WordTime]) -> None:
        self._connection.send_packets([frame.payload for frame in frames])
        seconds = sum(frame.samples for frame in frames) / OpusFrames.wire.rate
        self._protocol.responses.media_delta(response_id, seconds, words=words)

    def finished(self, response_id: str) -> None:
        self._protocol.responses.playback_drained(response_id)

    def listen(self, hear: Callable[[Pcm], None]) -> None:
        def received(samples: Pcm) -> None:
            self._protocol.input.received(len(samples) / OPUS_RATE)
            hear(samples)

        self._hear = received
        self._connection.listen(received)


def _unheard(pcm: Pcm) -> None:
    """Audio for which there is nobody yet, or nobody any more."""


def _groups(frames: Sequence[EncodedFrame]) -> Iterator[list[bytes]]:
    group: list[bytes] = []
    for frame in frames:
        if len(group) == LARGEST_DELTA:
            yield group
            group = []
        group.append(frame.payload)
    if group:
        yield group
