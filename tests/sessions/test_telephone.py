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
from runtime.wire.audiohook import AudioHookStream
from runtime.wire.chan_websocket import ChanWebSocketStream
from runtime.wire.conversation import Message, WordTime
from runtime.wire.telephony import CallStarted
from runtime.wire.twilio import TwilioStream
from runtime.wire.vonage import VonageStream
from sessions.agent import AgentProfile
from sessions.peers.peer import ReplyOrder, TurnTaking
from sessions.peers.telephone import FASTEST, LAST_WORDS, MARK_SECONDS, TOO_MANY_FAULTS, TelephonePeer
from tests.media.tones import key, quiet
from tests.wire.test_carriers import CARRIERS

PROFILE = AgentProfile(id="agent_1", tenant_id="t", name="Ann", voice_ref="tone-low")


class Call:
    """Writes down what the peer asks of its session."""

    def __init__(self) -> None:
        self.heard: list[Pcm] = []
        self.keys = ""
        self.greeted = 0
        self.turns: TurnTaking | None = None

    def hear(self, pcm: Pcm) -> None:
        self.heard.append(pcm)

    def press(self, digit: str) -> None:
        self.keys += digit

    def greet(self) -> None:
        self.greeted += 1

    def take_turns(self, how: TurnTaking) -> None:
        self.turns = how

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"a telephone never asks for {name}")


class CarrierDesk:
    """Writes down what it is asked."""

    def __init__(self, *, obeys: bool = True) -> None:
        self.asked: list[tuple[str, str]] = []
        self._obeys = obeys

    async def hang_up(self, call: CallStarted) -> bool:
        self.asked.append(("hang up", call.call_id))
        return self._obeys

    async def transfer(self, call: CallStarted, to: str) -> bool:
        self.asked.append((f"to {to}", call.call_id))
        return self._obeys


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


async def test_a_key_that_is_heard_and_then_signalled_is_pressed_once(clock: ManualClock) -> None:
    sound = np.concatenate([quiet(0.2), key("5", 0.12, level=-15.0), quiet(0.2)])
    coded = encode_mulaw(np.rint(sound * 32_767).astype(np.int16))
    async with up(clock, keys_in_band=True) as (_, line, call):
        for n in range(len(coded) // 160):
            line.media(20 * n, coded[160 * n : 160 * (n + 1)])
            clock.advance(0.02)
        assert call.keys == "5"
        line.tell(event="dtmf", dtmf={"digit": "5"})
        assert call.keys == "5"
        line.tell(event="dtmf", dtmf={"digit": "5"})
        assert call.keys == "55", "from then on only what is signalled counts"


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
        assert all(gap >= MARK_SECONDS * 8_000 for gap in np.diff([0, *marks]))


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
        mark = line.events("mark")[0]
        clock.advance(int(mark["mark"]["name"]) / 8_000 + 0.5)
        line.tell(**mark)
        peer.playback_cut(order, 1.0)
        assert last_words(peer) == "one"


async def test_a_message_too_short_for_a_mark_within_has_one_behind(clock: ManualClock) -> None:
    async with up(clock) as (peer, line, _):
        order = speak(peer, 0.3)
        assert line.events("mark") == []
        peer.reply_finished(order, "completed")
        assert [mark["mark"]["name"] for mark in line.events("mark")] == ["2400"]


async def test_no_mark_follows_what_was_cut(clock: ManualClock) -> None:
    async with up(clock) as (peer, line, _):
        order = speak(peer, 0.3)
        peer.playback_cut(order, 0.1)
        peer.reply_finished(order, "interrupted")
        assert line.events("mark") == []


async def test_words_long_past_are_forgotten_and_the_last_are_still_cut_exactly(clock: ManualClock) -> None:
    async with up(clock) as (peer, _, _):
        words = " ".join(f"w{n}" for n in range(3 * LAST_WORDS))
        order = speak(peer, 60.0, words=words)
        peer.playback_cut(order, 59.0)
        assert words.startswith(last_words(peer))
        assert len(last_words(peer).split()) == pytest.approx(3 * LAST_WORDS * 59 / 60, abs=1)


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
    desk = CarrierDesk()
    async with up(clock, desk=desk) as (peer, line, _):
        peer.hang_up("completed")
        peer.hang_up("completed")
        await asyncio.sleep(0.01)
        assert desk.asked == [("hang up", "CA1")]
        assert line.closed is not None


@pytest.mark.parametrize("obeys", [True, False])
async def test_a_caller_is_handed_on_at_the_carriers_desk_and_never_hung_up_on(
    clock: ManualClock, obeys: bool
) -> None:
    desk = CarrierDesk(obeys=obeys)
    async with up(clock, desk=desk) as (peer, line, _):
        peer.transfer("+15550100")
        peer.hang_up("completed")
        await asyncio.sleep(0.01)
        assert desk.asked == [("to +15550100", "CA1")]
        assert line.closed is not None


async def test_a_stream_with_a_word_for_it_hands_its_caller_on_itself(clock: ManualClock) -> None:
    line, call, desk = LoopbackLine(), Call(), CarrierDesk()
    peer = TelephonePeer(line, AudioHookStream(), PROFILE, clock=clock, lead=0.16, desk=desk)
    reading = asyncio.create_task(peer.read(call))
    await asyncio.sleep(0)
    audiohook = CARRIERS["audiohook"]
    line.say(audiohook.start[0])
    peer.transfer("billing")
    await asyncio.sleep(0.01)
    told = json.loads(line.sent[-1])
    assert (told["type"], told["parameters"]["outputVariables"]) == ("disconnect", {"transfer": "billing"})
    assert desk.asked == []
    line.hang_up()
    await reading


async def test_a_caller_who_has_gone_is_not_hung_up_on(clock: ManualClock) -> None:
    desk = CarrierDesk()
    async with up(clock, desk=desk) as (_, line, _):
        line.tell(event="stop", stop={"callSid": "CA1"})
        await asyncio.sleep(0.01)
        assert desk.asked == []


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


def vonage_line(clock: ManualClock) -> tuple[TelephonePeer, LoopbackLine, Call]:
    line, call = LoopbackLine(), Call()
    return TelephonePeer(line, VonageStream(), PROFILE, clock=clock, lead=0.16), line, call


async def test_a_line_of_wide_band_is_heard_and_spoken_to_at_its_own_rate(clock: ManualClock) -> None:
    peer, line, call = vonage_line(clock)
    reading = asyncio.create_task(peer.read(call))
    await asyncio.sleep(0)
    line.say('{"event":"websocket:connected","content-type":"audio/l16;rate=16000"}')
    assert call.turns is not None
    assert call.turns.rate == 16_000
    line.say(b"\1\0" * 320)
    assert [pcm.tolist() for pcm in call.heard] == [[1] * 320]
    order = peer.begin_reply()
    encoder = peer.encoder(order, 0)
    assert encoder.wire.rate == 16_000
    for frame in [*encoder.push(b"\2\0" * 1_000), *encoder.flush()]:
        peer.send_frames(order, [frame], [])
    assert [len(message) for message in line.sent_bytes] == [640] * 4
    assert b"".join(line.sent_bytes) == b"\2\0" * 1_000 + b"\0\0" * 280
    line.hang_up()
    await reading


async def test_a_carrier_whose_buffer_is_full_is_spared_until_it_asks_for_more(clock: ManualClock) -> None:
    line, call = LoopbackLine(), Call()
    peer = TelephonePeer(line, ChanWebSocketStream(), PROFILE, clock=clock, lead=0.16)
    reading = asyncio.create_task(peer.read(call))
    await asyncio.sleep(0)
    line.say("MEDIA_START connection_id:m1 channel:x format:ulaw optimal_frame_size:160 ptime:20")
    order = peer.begin_reply()
    encoder = peer.encoder(order, 0)
    first, second, third = encoder.push(b"\1" * 480 + b"\2" * 480 + b"\3" * 480)
    peer.send_frames(order, [first], [])
    line.say("MEDIA_XOFF")
    line.say("MEDIA_XOFF")
    peer.send_frames(order, [second], [])
    assert line.sent_bytes == [b"\1" * 480]
    line.say("MEDIA_XON")
    assert line.sent_bytes == [b"\1" * 480, b"\2" * 480]
    line.say("MEDIA_XOFF")
    peer.send_frames(order, [third], [])
    peer.playback_cut(order, 0.1)
    line.say("MEDIA_XON")
    assert len(line.sent_bytes) == 2
    assert line.sent == ["FLUSH_MEDIA"]
    line.hang_up()
    await reading


async def test_what_the_protocol_answers_by_itself_is_sent_at_once(clock: ManualClock) -> None:
    line, call = LoopbackLine(), Call()
    peer = TelephonePeer(line, AudioHookStream(), PROFILE, clock=clock, lead=0.16)
    reading = asyncio.create_task(peer.read(call))
    await asyncio.sleep(0)
    media = [{"type": "audio", "format": "PCMU", "channels": ["external"], "rate": 8000}]
    opening = {"conversationId": "c1", "media": media}
    head = {"version": "2", "id": "s1", "serverseq": 0}
    line.say(json.dumps({**head, "type": "open", "seq": 1, "parameters": opening}))
    assert [json.loads(sent)["type"] for sent in line.sent] == ["opened"]
    peer.hang_up("completed")
    await asyncio.sleep(0.01)
    assert json.loads(line.sent[-1])["type"] == "disconnect"
    assert line.closed is None  # the carrier ends the call
    line.say(json.dumps({**head, "type": "close", "seq": 2, "parameters": {"reason": "end"}}))
    await asyncio.wait_for(reading, 1.0)
    assert json.loads(line.sent[-1])["type"] == "closed"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(100.0)
