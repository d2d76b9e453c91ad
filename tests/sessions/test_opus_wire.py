"""Opus lines are coded once, kept as packets, and cut into frames without being touched again."""

from __future__ import annotations

import asyncio

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.clock import ManualClock
from runtime.media.opus import OPUS_RATE, OpusDecoder, OpusEncoder
from sessions.peers.opus_wire import OPUS, OpusFrames, OpusLine
from tests.tts.inline import InlineEngine
from tts.engines.tone import ToneSynthesizer
from tts.phrases import PhraseBook, PhrasePart

HIGH = ToneSynthesizer().stock()[0].conditioning
PACKET = 480
"""Samples at 24 kHz."""


async def test_a_greeting_is_spoken_and_coded_once_for_all_calls() -> None:
    engine = InlineEngine()
    book = PhraseBook(engine, clock=ManualClock(), max_bytes=10**6)

    async def call() -> list[PhrasePart]:
        return [part async for part in book.recite("Good morning to you.", HIGH, OPUS)]

    first, *others = await asyncio.gather(*(call() for _ in range(5)))
    assert all(other == first for other in others)
    assert len(engine.requests) == 1

    frames = OpusFrames(position=960)
    packets = [frame for part in first for frame in frames.push(part.coded)]
    assert frames.flush() == ()
    assert [frame.pts for frame in packets] == [960 + n * PACKET for n in range(len(packets))]
    assert sum(part.samples for part in first) == len(packets) * PACKET
    decoder = OpusDecoder()
    sound = np.concatenate([decoder.decode(frame.payload) for frame in packets])
    assert len(sound) == len(packets) * PACKET * OPUS_RATE // 24_000
    assert np.abs(sound).max() > 3000
    # A packet of 24 kb/s is a fraction of its PCM: what a phrase costs to keep.
    assert sum(len(part.coded) for part in first) < len(sound) / 4


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 3000), max_size=12))
def test_any_cutting_of_a_line_makes_the_same_packets(sizes: list[int]) -> None:
    samples = (3000 * np.sin(np.arange(sum(sizes)) / 9)).astype(np.int16)
    line, frames, at = OpusLine(), OpusFrames(position=0), 0
    payloads: list[bytes] = []
    told = 0
    for size in sizes:
        coded, count = line.push(samples[at : at + size])
        payloads += [frame.payload for frame in frames.push(coded)]
        at, told = at + size, told + count
    coded, count = line.flush()
    payloads += [frame.payload for frame in frames.push(coded)]
    told += count
    whole = OpusEncoder(24_000)
    assert payloads == [*whole.push(samples), *whole.flush()]
    assert told == len(payloads) * PACKET
    assert 0 <= told - len(samples) < PACKET
