"""
What a WebRTC call's audio costs, ours against aiortc's own path, in processor time of this process.

Out: PCM to packets in the sender's hands. In: packets to mono PCM in order. The connection itself (ICE, SRTP,
sockets) is aiortc's in both cases, and left out.
"""

from __future__ import annotations

import asyncio
import queue
import resource
import threading
from collections.abc import Callable
from fractions import Fraction

import av
import numpy as np
import soxr
from aiortc import RTCRtpCodecParameters
from aiortc.codecs.opus import OpusEncoder as AiortcEncoder
from aiortc.jitterbuffer import JitterBuffer
from aiortc.rtcrtpreceiver import decoder_worker
from aiortc.rtp import RtpPacket

from runtime.cli.reference import synthesise_reference
from runtime.clock import SystemClock
from runtime.media.frame import SPEAKING_RATE, Pcm
from runtime.media.opus import OPUS_RATE, OpusEncoder
from runtime.transport.webrtc import CallerAudio, VoiceTrack

SECONDS = 60
FRAME = OPUS_RATE // 50


def main() -> None:
    speech, rate = synthesise_reference()
    speech = np.tile(speech, SECONDS * rate // len(speech) + 1)[: SECONDS * rate]
    narrow = soxr.resample(speech, rate, SPEAKING_RATE).astype(np.int16)
    wide = soxr.resample(speech, rate, OPUS_RATE).astype(np.int16)

    theirs_out, packets = _cost(lambda: asyncio.run(_aiortc_out(wide)))
    ours_out, _ = _cost(lambda: asyncio.run(_ours_out(narrow)))
    theirs_in, _ = _cost(lambda: asyncio.run(_aiortc_in(packets)))
    ours_in, _ = _cost(lambda: _ours_in(packets))
    print("| ms of processor per second of audio | ours | aiortc | ratio |")
    print("|---|---|---|---|")
    for way, ours, theirs in (
        ("out", ours_out, theirs_out),
        ("in", ours_in, theirs_in),
        ("both", ours_out + ours_in, theirs_out + theirs_in),
    ):
        print(f"| {way} | {ours:.2f} | {theirs:.2f} | {ours / theirs:.2f} |")


def _cost(work: Callable[[], list[bytes]]) -> tuple[float, list[bytes]]:
    before = resource.getrusage(resource.RUSAGE_SELF)
    made = work()
    after = resource.getrusage(resource.RUSAGE_SELF)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return spent / SECONDS * 1000, made


async def _aiortc_out(samples: Pcm) -> list[bytes]:
    """As its sender does: each frame to the executor and back."""
    loop, encoder = asyncio.get_running_loop(), AiortcEncoder()
    packets: list[bytes] = []
    for at in range(0, len(samples), FRAME):
        frame = av.AudioFrame.from_ndarray(samples[None, at : at + FRAME], format="s16", layout="mono")
        frame.sample_rate = OPUS_RATE
        frame.pts = at
        frame.time_base = Fraction(1, OPUS_RATE)
        made, _ = await loop.run_in_executor(None, encoder.encode, frame, False)
        packets += made
    return packets


async def _ours_out(samples: Pcm) -> list[bytes]:
    encoder, track = OpusEncoder(SPEAKING_RATE), VoiceTrack(SystemClock())
    packets: list[bytes] = []
    for at in range(0, len(samples), SPEAKING_RATE // 4):
        for packet in encoder.push(samples[at : at + SPEAKING_RATE // 4]):
            track.send([packet])
            packets.append(bytes(await track.recv()))
    return packets


async def _aiortc_in(packets: list[bytes]) -> list[bytes]:
    """As its receiver does: a jitter buffer, a thread, a queue; and the caller's down-mix."""
    codec = RTCRtpCodecParameters(mimeType="audio/opus", clockRate=OPUS_RATE, channels=2, payloadType=111)
    waiting: queue.Queue[object] = queue.Queue()
    decoded: asyncio.Queue[av.AudioFrame | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    thread = threading.Thread(target=decoder_worker, args=(loop, waiting, decoded, threading.Event()))
    thread.start()
    buffer = JitterBuffer(capacity=16, prefetch=4)
    for n, packet in enumerate(packets):
        arrived = RtpPacket(sequence_number=n & 0xFFFF, timestamp=n * FRAME)
        arrived._data = packet  # type: ignore[attr-defined]
        _, ready = buffer.add(arrived)
        if ready is not None:
            waiting.put((codec, ready))
            frame = await decoded.get()
            assert frame is not None
            frame.to_ndarray().reshape(-1, 2).mean(axis=1)
    waiting.put(None)
    thread.join()
    return []


def _ours_in(packets: list[bytes]) -> list[bytes]:
    audio = CallerAudio(lambda pcm: None)
    for n, packet in enumerate(packets):
        arrived = RtpPacket(sequence_number=n & 0xFFFF, timestamp=n * FRAME)
        arrived._data = packet  # type: ignore[attr-defined]
        audio.add(arrived)
    return []
