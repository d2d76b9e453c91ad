"""What is noted and taped of a call, on the wires that code audio differently."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest

from runtime.clock import ManualClock
from runtime.media.frame import EncodedFrame
from runtime.media.g711 import encode_mulaw
from runtime.media.line_codec import line_codec
from runtime.server.call_log import turns_of
from runtime.transport.loopback import LoopbackLine
from runtime.wire.conversation import Message, WordTime
from runtime.wire.twilio import TwilioStream
from sessions.agent import AgentProfile
from sessions.peers.audio_path import WIRES
from sessions.peers.blocks import BlockEncoder
from sessions.peers.noted import NotedPeer, TapedEncoder
from sessions.peers.opus_wire import OpusFrames
from sessions.peers.peer import FrameEncoder, TurnTaking
from sessions.peers.telephone import CarrierEncoder, TelephonePeer
from sessions.tape import Tape
from sessions.tape_file import RECORDING_RATE, Side, decoded

PROFILE = AgentProfile(id="agent_1", tenant_id="t", name="Ann", voice_ref="tone-low")


def carrier_encoder(coding: str, rate: int) -> FrameEncoder:
    return CarrierEncoder(LoopbackLine(), TwilioStream(), line_codec(coding, rate), position=0)


ENCODERS: dict[str, FrameEncoder] = {
    "blocks of PCM": BlockEncoder(WIRES["audio/pcm"], sample_bytes=2, position=0),
    "blocks of mu-law": BlockEncoder(WIRES["audio/pcmu"], sample_bytes=1, position=0),
    "Opus": OpusFrames(position=0),
    "a telephone": carrier_encoder("pcmu", 8_000),
    "a wide line": carrier_encoder("l16", 16_000),
}


@pytest.mark.parametrize("name", ENCODERS)
def test_what_leaves_is_what_was_said_whatever_the_wire(name: str) -> None:
    encoder = TapedEncoder(ENCODERS[name], position=0)
    rate = encoder.wire.rate
    said = (np.sin(np.arange(rate) * (2_000 / rate)) * 8_000).astype(np.int16)
    coder = encoder.wire.coder() if encoder.wire.coder is not None else None
    frames: list[EncodedFrame] = []
    for at in range(0, rate, 777):
        piece = said[at : at + 777]
        frames += encoder.push(encoder.wire.code(piece) if coder is None else coder.push(piece)[0])
    frames += encoder.push(b"" if coder is None else coder.flush()[0])
    frames += encoder.flush()
    side = Side()
    side.push([encoder.left(frames[at : at + 3]) for at in range(0, len(frames), 3)])
    side.flush()
    lasted = (frames[-1].pts + frames[-1].samples) / rate
    assert encoder.seconds_left == pytest.approx(lasted)
    assert side.samples == pytest.approx(lasted * RECORDING_RATE, abs=20)
    heard = side.pop(RECORDING_RATE)[1_000:15_000].astype(float)
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
    assert np.argmax(spectrum) * RECORDING_RATE / len(heard) == pytest.approx(2_000 / (2 * np.pi), abs=2)
    assert np.sqrt(np.mean(heard**2)) == pytest.approx(8_000 / np.sqrt(2), rel=0.05)


class Call:
    """Takes what a peer's reader gives it."""

    def __init__(self) -> None:
        self.heard = 0

    def hear(self, pcm: np.ndarray[Any, Any]) -> None:
        self.heard += len(pcm)

    def take_turns(self, how: TurnTaking) -> None:
        pass

    def greet(self) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"nobody asks for {name} here")


class Caller:
    """On Twilio's line, at a peer that is noted and taped."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.line = LoopbackLine()
        self.tape = Tape(began=clock.now())
        inner = TelephonePeer(self.line, TwilioStream(), PROFILE, clock=clock, lead=0.16)
        self.peer = NotedPeer(inner, clock=clock, tape=self.tape)
        self.session = Call()

    def tell(self, event: str, number: int, **body: object) -> None:
        message = {"event": event, "sequenceNumber": str(number), "streamSid": "MZ1", event: body}
        self.line.say(json.dumps(message))

    @asynccontextmanager
    async def call(self) -> AsyncIterator[None]:
        reading = asyncio.create_task(self.peer.read(self.session))
        await self.heard()
        self.line.say(json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"}))
        audio = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}
        start = {"streamSid": "MZ1", "callSid": "CA1", "accountSid": "AC1", "tracks": ["inbound"]}
        self.tell("start", 1, **start, mediaFormat=audio, customParameters={})
        await self.heard()
        yield
        self.line.hang_up()
        await reading

    async def heard(self) -> None:
        """Let the peer read what was said."""
        for _ in range(5):
            await asyncio.sleep(0)


async def test_a_telephone_call_is_noted_and_taped_and_cut_where_it_was_cut(clock: ManualClock) -> None:
    caller = Caller(clock)
    peer = caller.peer
    async with caller.call():
        order = peer.begin_reply()
        assert peer.words(order, "Good morning.") == "Good morning."
        encoder = peer.encoder(order, 0)
        frames = [*encoder.push(encode_mulaw(np.full(8_000, 5_000, np.int16))), *encoder.flush()]
        clock.advance(2.0)
        for packet in frames:
            peer.send_frames(order, [packet], ())
            clock.advance(packet.samples / 8_000)
        peer.playback_cut(order, 0.6)
        peer.reply_finished(order, "interrupted")
        clock.advance(1.0)
        item = peer.turn_taken(0.8)
    (greeting,) = [one for one in peer.conversation if isinstance(one, Message) and one.role == "assistant"]
    assert peer.times[greeting.id] == pytest.approx((2.0, 3.0), abs=0.001)
    assert peer.times[item] == pytest.approx((3.2, 4.0), abs=0.001)
    _, agent = caller.tape.rest(clock.now())
    samples = np.concatenate([decoded(sound) for sound in agent])
    loud = np.flatnonzero(np.abs(samples) > 1_000)
    assert loud[[0, -1]].tolist() == pytest.approx([16_000, 16_000 + 4_800], abs=1)
    assert len(samples) == 4 * 8_000


async def test_a_transcript_tells_what_was_meant_what_was_heard_and_when(clock: ManualClock) -> None:
    caller = Caller(clock)
    peer = caller.peer
    async with caller.call():
        order = peer.begin_reply()
        peer.words(order, "One two ")
        peer.words(order, "three four.")
        encoder = peer.encoder(order, 0)
        frames = [*encoder.push(encode_mulaw(np.full(8_000, 5_000, np.int16))), *encoder.flush()]
        clock.advance(2.0)
        words = [
            WordTime(n / 4, (n + 1) / 4, span) for n, span in enumerate([(0, 3), (4, 7), (8, 13), (14, 18)])
        ]
        for packet in frames:
            begin, end = packet.pts / 8_000, (packet.pts + packet.samples) / 8_000
            peer.send_frames(order, [packet], [word for word in words if begin <= word.start < end])
            clock.advance(packet.samples / 8_000)
        peer.playback_cut(order, 0.6)
        peer.words(order, " Five.")
        peer.reply_finished(order, "interrupted")
    (turn,) = turns_of(peer.conversation, peer.times, peer.meant)
    assert turn["text"] == turn["text_heard"] == "One two"
    assert turn["text_generated"] == "One two three four. Five."
    assert turn["words"] == [
        {"word": "One", "start_ms": 2000, "end_ms": 2250},
        {"word": "two", "start_ms": 2250, "end_ms": 2500},
    ]


async def test_the_caller_is_heard_and_taped(clock: ManualClock) -> None:
    caller = Caller(clock)
    payload = base64.b64encode(encode_mulaw(np.full(160, 4_000, np.int16))).decode()
    async with caller.call():
        for number in range(50):
            clock.advance(0.02)
            where = {"chunk": str(number + 1), "timestamp": str(20 * number)}
            caller.tell("media", number + 2, track="inbound", payload=payload, **where)
            await caller.heard()
    heard, _ = caller.tape.rest(clock.now())
    assert caller.session.heard == 8_000
    assert sum(np.count_nonzero(decoded(sound)) for sound in heard) == 8_000
