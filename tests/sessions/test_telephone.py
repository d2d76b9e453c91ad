"""A telephone caller, seen from the session and from the line, on a clock that moves when told."""

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
from runtime.errors import AtCapacity
from runtime.media.frame import Pcm
from runtime.media.g711 import encode_mulaw
from runtime.server.telephony import refusal
from runtime.transport.loopback import LoopbackLine
from runtime.wire.conversation import Message, WordTime
from runtime.wire.telephony import CallStarted
from runtime.wire.twilio import TwilioStream
from sessions.agent import AgentProfile
from sessions.peers.peer import ReplyOrder
from sessions.peers.telephone import FASTEST, TOO_MANY_FAULTS, TelephonePeer

PROFILE = AgentProfile(id="agent_1", tenant_id="t", name="Ann", voice_ref="tone-low")


class Call:
    """Writes down what the peer asks of its session."""

    def __init__(self) -> None:
        self.heard: list[Pcm] = []
        self.keys = ""
        self.greeted = 0

    def hear(self, pcm: Pcm) -> None:
        self.heard.append(pcm)

    def press(self, digit: str) -> None:
        self.keys += digit

    def greet(self) -> None:
        self.greeted += 1

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"a telephone never asks for {name}")


class Line(LoopbackLine):
    def tell(self, **message: object) -> None:
        self.say(json.dumps(message))

    def start(self) -> None:
        audio = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}
        self.tell(event="start", start={"streamSid": "MZ1", "callSid": "CA1", "mediaFormat": audio})

    def media(self, timestamp: int, payload: bytes = b"\xff" * 160) -> None:
        coded = base64.b64encode(payload).decode()
        self.tell(event="media", media={"timestamp": str(timestamp), "payload": coded})

    def events(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in map(json.loads, self.sent) if message["event"] == kind]


@asynccontextmanager
async def up(clock: ManualClock, **options: Any) -> AsyncIterator[tuple[TelephonePeer, Line, Call]]:
    line, call = Line(), Call()
    peer = TelephonePeer(line, TwilioStream(), PROFILE, clock=clock, lead=0.16, **options)
    reading = asyncio.create_task(peer.read(call))
    await asyncio.sleep(0)
    line.start()
    try:
        yield peer, line, call
    finally:
        line.hang_up()
        await reading


def speak(peer: TelephonePeer, seconds: float, *, words: str = "one two three four") -> ReplyOrder:
    """Send a message of which every word takes as long as the others."""
    order = peer.begin_reply()
    peer.words(order, words)
    encoder = peer.encoder(order, 0)
    tone = (8_000 * np.sin(np.arange(round(8_000 * seconds)) / 5)).astype(np.int16)
    frames = [*encoder.push(encode_mulaw(tone)), *encoder.flush()]
    spans, at = [], 0
    for word in words.split():
        spans.append((at, at + len(word)))
        at += len(word) + 1
    each = seconds / len(spans)
    times = [WordTime(each * n, each * (n + 1), span) for n, span in enumerate(spans)]
    for frame in frames:
        begin, end = frame.pts / 8_000, (frame.pts + frame.samples) / 8_000
        peer.send_frames(order, [frame], [t for t in times if begin <= t.start < end])
    return order


def last_words(peer: TelephonePeer) -> str:
    item = peer.conversation.items[-1]
    assert isinstance(item, Message)
    return item.text


async def test_the_start_opens_the_call_and_tells_who_calls(clock: ManualClock) -> None:
    started: list[CallStarted] = []
    async with up(clock, on_start=started.append) as (_, _, call):
        assert call.greeted == 1
        assert [who.call_id for who in started] == ["CA1"]


async def test_the_caller_is_heard_and_what_was_lost_is_silence(clock: ManualClock) -> None:
    async with up(clock) as (_, line, call):
        line.media(0)
        line.media(60)
        assert [len(pcm) for pcm in call.heard] == [160, 320, 160]


async def test_keys_reach_the_session(clock: ManualClock) -> None:
    async with up(clock) as (_, line, call):
        for digit in "12#":
            line.tell(event="dtmf", dtmf={"digit": digit})
        assert call.keys == "12#"


async def test_audio_faster_than_any_telephone_is_dropped(clock: ManualClock) -> None:
    async with up(clock) as (_, line, call):
        for n in range(2_000):
            line.media(20 * n)
        assert sum(map(len, call.heard)) <= FASTEST * 8_000
        clock.advance(5.0)
        before = len(call.heard)
        line.media(20 * 2_000)
        assert len(call.heard) == before + 1


async def test_packets_are_whole_messages_with_marks_between(clock: ManualClock) -> None:
    async with up(clock) as (peer, line, _):
        speak(peer, 1.0)
        audio = b"".join(base64.b64decode(m["media"]["payload"]) for m in line.events("media"))
        assert len(audio) == 8_000
        marks = [int(m["mark"]["name"]) for m in line.events("mark")]
        assert marks == sorted(marks)
        assert all(gap >= 1_600 for gap in np.diff([0, *marks]))


async def test_a_cut_clears_the_far_buffer_and_keeps_what_was_heard(clock: ManualClock) -> None:
    async with up(clock) as (peer, line, _):
        order = speak(peer, 2.0)
        peer.playback_cut(order, 1.0)
        peer.reply_finished(order, "interrupted")
        assert line.events("clear") == [{"event": "clear", "streamSid": "MZ1"}]
        assert last_words(peer) == "one two"


async def test_marks_that_come_back_late_say_that_less_was_heard(clock: ManualClock) -> None:
    async with up(clock) as (peer, line, _):
        order = speak(peer, 2.0)
        for mark in line.events("mark")[:3]:
            clock.advance(int(mark["mark"]["name"]) / 8_000 + 0.5 - (clock.now() - 100.0))
            line.tell(**mark)
        peer.playback_cut(order, 1.0)
        assert last_words(peer) == "one"


async def test_marks_that_the_clear_sends_back_do_not_count(clock: ManualClock) -> None:
    async with up(clock) as (peer, line, _):
        order = speak(peer, 2.0)
        peer.playback_cut(order, 0.5)
        for mark in line.events("mark"):
            line.tell(**mark)
        assert last_words(peer) == "one"


async def test_stop_ends_the_reading(clock: ManualClock) -> None:
    async with up(clock) as (_, line, _):
        line.tell(event="stop", stop={"callSid": "CA1"})
        await asyncio.sleep(0.01)
        assert line.closed is not None
        assert line.closed.close_code == 1000


async def test_hanging_up_tells_the_carrier_first(clock: ManualClock) -> None:
    told: list[str] = []

    async def end_call(started: CallStarted) -> None:
        told.append(started.call_id)

    async with up(clock, end_call=end_call) as (peer, line, _):
        peer.hang_up("completed")
        peer.hang_up("completed")
        await asyncio.sleep(0.01)
        assert told == ["CA1"]
        assert line.closed is not None


async def test_a_line_that_only_garbles_is_given_up(clock: ManualClock) -> None:
    async with up(clock) as (_, line, _):
        for _ in range(TOO_MANY_FAULTS):
            line.say("{")
        await asyncio.sleep(0)
        assert line.closed is None
        line.say(b"\x00")
        await asyncio.sleep(0.01)
        assert line.closed is not None
        assert line.closed.close_code == 1007


def test_a_refusal_says_when_to_call_again() -> None:
    answer = refusal(AtCapacity("The server is full.", retry_after=5.0))
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert answer.body == b"The server is full."


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(100.0)
