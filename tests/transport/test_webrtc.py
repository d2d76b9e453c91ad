from __future__ import annotations

import asyncio
from dataclasses import dataclass

import numpy as np
import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.clock import ManualClock, SystemClock
from runtime.errors import InvalidRequest, TransportClosed
from runtime.media.frame import Pcm
from runtime.media.opus import OPUS_RATE, OpusEncoder
from runtime.transport import webrtc
from runtime.transport.webrtc import CallerAudio, VoiceTrack, WebRtcConnection
from runtime.wire.signaling import read_offer
from tests.webrtc_caller import WebRtcCaller

PACKET = 960


@dataclass
class Rtp:
    """The part of aiortc's RtpPacket that a jitter buffer reads."""

    sequence_number: int
    timestamp: int
    _data: bytes


def tone(seconds: float, rate: int = OPUS_RATE) -> Pcm:
    return (8000 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate)).astype(np.int16)


def packets(seconds: float, *, first: int = 65_530, origin: int = 0xFFFFF000) -> list[Rtp]:
    """A stream whose numbers and timestamps both wrap soon."""
    payloads = OpusEncoder(OPUS_RATE).push(tone(seconds))
    return [
        Rtp((first + n) & 0xFFFF, (origin + n * PACKET) & 0xFFFFFFFF, payload)
        for n, payload in enumerate(payloads)
    ]


def heard_of(arriving: list[Rtp]) -> tuple[Pcm, CallerAudio]:
    heard: list[Pcm] = []
    audio = CallerAudio(heard.append)
    for packet in arriving:
        assert audio.add(packet) == (False, None)
    return (np.concatenate(heard) if heard else np.zeros(0, np.int16)), audio


# The caller's audio


def test_packets_in_order_are_heard_at_once() -> None:
    stream = packets(0.2)
    heard, audio = heard_of(stream)
    assert len(heard) == len(stream) * PACKET
    assert audio.lost == 0


def test_a_swap_is_mended_without_a_loss() -> None:
    stream = packets(0.4)
    swapped = [*stream[:5], stream[6], stream[5], *stream[7:]]
    heard, audio = heard_of(swapped)
    assert np.array_equal(heard, heard_of(stream)[0])
    assert audio.lost == 0


def test_a_loss_keeps_the_time() -> None:
    stream = packets(0.6)
    heard, audio = heard_of(stream[:10] + stream[12:])
    assert len(heard) == len(stream) * PACKET
    assert audio.lost == 2


def test_a_pause_of_the_sender_is_silence_of_the_same_length() -> None:
    stream = packets(0.4)
    later = [Rtp(p.sequence_number, (p.timestamp + 4800) & 0xFFFFFFFF, p._data) for p in stream[10:]]
    heard, audio = heard_of(stream[:10] + later)
    assert len(heard) == len(stream) * PACKET + 4800
    assert audio.lost == 0


def test_a_very_long_pause_is_not_made_up_for() -> None:
    stream = packets(0.2)
    later = [Rtp(p.sequence_number, (p.timestamp + 3_000_000) & 0xFFFFFFFF, p._data) for p in stream[5:]]
    assert len(heard_of(stream[:5] + later)[0]) == len(stream) * PACKET


def test_garbage_in_a_packet_is_a_loss() -> None:
    stream = packets(0.2)
    stream[3] = Rtp(stream[3].sequence_number, stream[3].timestamp, b"\xff" * 40)
    assert len(heard_of(stream)[0]) == len(stream) * PACKET


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 65_535), st.integers(0, 0xFFFFFFFF), st.binary(max_size=30)), max_size=30
    )
)
def test_any_packets_are_borne(arriving: list[tuple[int, int, bytes]]) -> None:
    heard, _ = heard_of([Rtp(*packet) for packet in arriving])
    assert len(heard) <= len(arriving) * (0.5 + 0.12) * OPUS_RATE


# Our voice


async def test_packets_of_a_spurt_follow_each_other() -> None:
    track = VoiceTrack(ManualClock())
    track.send([b"a", b"b"])
    track.send([b"c"])
    assert [(await track.recv()).pts for _ in range(3)] == [0, 960, 1920]


async def test_after_a_pause_timestamps_have_moved_on_with_the_clock() -> None:
    clock = ManualClock()
    track = VoiceTrack(clock)
    track.send([b"a"])
    clock.advance(1.0)
    track.send([b"b", b"c"])
    assert [(await track.recv()).pts for _ in range(3)] == [0, 48_000, 48_960]


async def test_a_late_packet_keeps_its_place() -> None:
    clock = ManualClock()
    track = VoiceTrack(clock)
    for _ in range(10):
        track.send([b"x"])
        clock.advance(0.02)
    clock.advance(0.03)
    track.send([b"late"])
    assert [(await track.recv()).pts for _ in range(11)] == [960 * n for n in range(11)]


# A whole connection


async def test_voice_text_and_microphone_go_both_ways() -> None:
    connection, caller = WebRtcConnection(clock=SystemClock()), WebRtcCaller()
    heard: list[Pcm] = []
    connection.listen(heard.append)
    try:
        answer = await connection.answer(await caller.offer())
        await caller.connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        await connection.opened()
        await caller.ready()
        caller.channel.send("from the caller")
        assert await connection.receive() == {"type": "websocket.receive", "text": "from the caller"}
        await connection.send({"type": "websocket.send", "text": '{"type": "from us"}'})
        await caller.hear("from us")

        caller.microphone.say(tone(0.5))
        voice = OpusEncoder(24_000).push(tone(1.0, 24_000))
        for start in range(0, len(voice), 2):
            connection.send_packets(voice[start : start + 2])
            await asyncio.sleep(0.04)
        await asyncio.sleep(0.3)
        assert np.abs(np.concatenate(heard)).max() > 6000
        assert np.abs(caller.audio).max() > 6000
        loud = np.abs(caller.audio.astype(np.int32)) > 1000
        assert loud.sum() / OPUS_RATE > 0.6

        await connection.close()
        await connection.close()
        assert (await connection.receive())["type"] == "websocket.disconnect"
        await asyncio.wait_for(caller.closed.wait(), 10)
        await connection.send({"type": "websocket.send", "text": "too late"})
    finally:
        await caller.close()
        await connection.close()


async def test_a_peer_that_never_comes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webrtc, "CONNECT_SECONDS", 0.05)
    connection, caller = WebRtcConnection(clock=SystemClock()), WebRtcCaller()
    try:
        await connection.answer(await caller.offer())
        with pytest.raises(TransportClosed, match="did not connect"):
            await connection.opened()
    finally:
        await caller.close()


async def test_an_offer_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        await WebRtcConnection(clock=SystemClock()).answer("v=0\r\nm=audio x\r\n")


async def test_video_is_declined_and_the_audio_goes_on() -> None:
    connection, peer = WebRtcConnection(clock=SystemClock()), RTCPeerConnection()
    try:
        peer.createDataChannel("oai-events")
        peer.addTransceiver("video", direction="sendonly")
        peer.addTransceiver("audio", direction="sendrecv")
        await peer.setLocalDescription(await peer.createOffer())
        answer = await connection.answer(read_offer(peer.localDescription.sdp))
        video = answer[answer.index("m=video") :]
        assert "a=inactive" in video.split("m=audio")[0]
        assert "opus/48000" in answer
        assert "PCMU" not in answer
    finally:
        await peer.close()
        await connection.close()
