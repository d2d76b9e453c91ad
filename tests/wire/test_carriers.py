"""What all carriers' protocols have in common: a call from its start to its end, and whatever else comes."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.errors import PeerError, UnexpectedMessage, UnsupportedFormat
from runtime.media.line_codec import line_codec
from runtime.wire import audiosocket
from runtime.wire.arrival import DEPTH
from runtime.wire.audiohook import AudioHookStream
from runtime.wire.audiosocket import AudioSocketStream
from runtime.wire.chan_websocket import ChanWebSocketStream
from runtime.wire.exotel import ExotelStream
from runtime.wire.jambonz import JambonzStream
from runtime.wire.mod_audio_stream import AudioStreamStream
from runtime.wire.plivo import PlivoStream
from runtime.wire.signalwire import SignalWireStream
from runtime.wire.telephony import (
    CallStarted,
    CallStopped,
    CarrierStream,
    KeyPressed,
    MarkReturned,
    MediaReceived,
    WireMessage,
)
from runtime.wire.telnyx import TelnyxStream
from runtime.wire.twilio import TwilioStream
from runtime.wire.vonage import VonageStream

CALL = UUID("40325ec2-5efd-4bd3-805f-53576e581d13")
MULAW_20MS = bytes(range(160))
L16_20MS = bytes(range(160)) * 2


def coded(payload: bytes) -> str:
    return base64.b64encode(payload).decode()


@dataclass(frozen=True)
class Carrier:
    """One carrier's words, as its documents spell them."""

    fresh: Callable[[], CarrierStream]
    start: Sequence[WireMessage]
    """What comes up to the start; the last of them opens the call."""
    started: CallStarted
    media: WireMessage
    payload: bytes
    """That ``media`` carries."""
    key: WireMessage | None = None
    """The caller presses 5."""
    mark: WireMessage | None = None
    """The mark ``m`` comes back."""
    stop: WireMessage | None = None


def text(**message: Any) -> str:
    return json.dumps(message)


def hook(kind: str, seq: int, **parameters: Any) -> str:
    """An AudioHook client message."""
    return text(version="2", type=kind, seq=seq, serverseq=0, id="s1", position="PT0S", parameters=parameters)


HOOK_MEDIA = [
    {"type": "audio", "format": "PCMU", "channels": ["external", "internal"], "rate": 8000},
    {"type": "audio", "format": "PCMU", "channels": ["external"], "rate": 8000},
]

CARRIERS = {
    "twilio": Carrier(
        TwilioStream,
        [
            text(
                event="start",
                start={
                    "streamSid": "MZ1",
                    "callSid": "CA1",
                    "accountSid": "AC1",
                    "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
                },
            )
        ],
        CallStarted("MZ1", "CA1", "AC1", {}, 8_000),
        text(event="media", media={"track": "inbound", "timestamp": "0", "payload": coded(MULAW_20MS)}),
        MULAW_20MS,
        text(event="dtmf", dtmf={"digit": "5"}),
        text(event="mark", mark={"name": "m"}),
        text(event="stop", stop={}),
    ),
    "telnyx": Carrier(
        TelnyxStream,
        [
            text(event="connected", version="1.0.0"),
            text(
                event="start",
                sequence_number="1",
                stream_id="32DE0DEA",
                start={
                    "user_id": "3E6F995F",
                    "call_control_id": "v2:T02",
                    "call_session_id": "ff55a038",
                    "from": "+13122010094",
                    "to": "+13122123456",
                    "tags": [],
                    "client_state": "",
                    "custom_parameters": {"customer_id": "c1"},
                    "media_format": {"encoding": "PCMU", "sample_rate": 8000, "channels": 1},
                },
            ),
        ],
        CallStarted(
            "32DE0DEA",
            "v2:T02",
            "3E6F995F",
            {"customer_id": "c1", "from": "+13122010094", "to": "+13122123456"},
            8_000,
        ),
        text(
            event="media",
            sequence_number="4",
            stream_id="32DE0DEA",
            media={"track": "inbound", "chunk": "2", "timestamp": "5", "payload": coded(MULAW_20MS)},
        ),
        MULAW_20MS,
        text(event="dtmf", stream_id="32DE0DEA", sequence_number="5", dtmf={"digit": "5"}),
        text(event="mark", stream_id="32DE0DEA", mark={"name": "m"}),
        text(event="stop", stream_id="32DE0DEA", stop={"call_control_id": "v2:T02"}),
    ),
    "plivo": Carrier(
        PlivoStream,
        [
            text(
                event="start",
                sequenceNumber=0,
                start={
                    "callId": "c1",
                    "streamId": "s1",
                    "accountId": "a1",
                    "tracks": ["inbound"],
                    "mediaFormat": {"encoding": "audio/x-l16", "sampleRate": 16000},
                },
                extra_headers="{from=+1555;agent=a}",
            )
        ],
        CallStarted("s1", "c1", "a1", {"from": "+1555", "agent": "a"}, 16_000, "l16"),
        text(
            event="media",
            sequenceNumber=1,
            streamId="s1",
            media={"track": "inbound", "timestamp": "1", "chunk": 1, "payload": coded(L16_20MS)},
            extra_headers="",
        ),
        L16_20MS,
        text(
            event="dtmf",
            sequenceNumber=2,
            streamId="s1",
            dtmf={"track": "inbound", "digit": "5", "timestamp": "2"},
        ),
        text(event="playedStream", sequenceNumber=3, streamId="s1", name="m"),
        text(event="stop", streamId="s1"),
    ),
    "vonage": Carrier(
        VonageStream,
        [text(event="websocket:connected", **{"content-type": "audio/l16;rate=16000"}, agent="a")],
        CallStarted("vonage", "", "", {"agent": "a"}, 16_000, "l16"),
        L16_20MS,
        L16_20MS,
        text(event="websocket:dtmf", digit="5", duration=260),
        text(event="websocket:notify", payload={"mark": "m"}),
        text(event="websocket:disconnected"),
    ),
    "exotel": Carrier(
        ExotelStream,
        [
            text(event="connected"),
            text(
                event="start",
                sequence_number=1,
                stream_sid="s1",
                start={
                    "stream_sid": "s1",
                    "call_sid": "c1",
                    "account_sid": "a1",
                    "from": "0123",
                    "to": "0456",
                    "custom_parameters": {"k": "v"},
                    "media_format": {"encoding": "base64", "sample_rate": "8000", "bit_rate": "128kbps"},
                },
            ),
        ],
        CallStarted("s1", "c1", "a1", {"k": "v", "from": "0123", "to": "0456"}, 8_000, "l16"),
        text(
            event="media",
            sequence_number=2,
            stream_sid="s1",
            media={"chunk": 1, "timestamp": "10", "payload": coded(L16_20MS)},
        ),
        L16_20MS,
        text(event="dtmf", stream_sid="s1", dtmf={"digit": "5", "duration": 100}),
        text(event="mark", stream_sid="s1", mark={"name": "m"}),
        text(event="stop", stream_sid="s1", stop={"call_sid": "c1", "reason": "callended"}),
    ),
    "signalwire": Carrier(
        SignalWireStream,
        [
            text(
                event="start",
                streamSid="s1",
                start={
                    "streamSid": "s1",
                    "callSid": "c1",
                    "accountSid": "a1",
                    "customParameters": {"k": "v"},
                    "mediaFormat": {"encoding": "audio/x-L16", "sampleRate": 24000, "channels": 1},
                },
            )
        ],
        CallStarted("s1", "c1", "a1", {"k": "v"}, 24_000, "l16"),
        text(event="media", media={"track": "inbound", "timestamp": "0", "payload": coded(L16_20MS)}),
        L16_20MS,
        text(event="dtmf", dtmf={"digit": "5"}),
        text(event="mark", mark={"name": "m"}),
        text(event="stop", stop={}),
    ),
    "audiohook": Carrier(
        AudioHookStream,
        [
            hook(
                "open",
                1,
                organizationId="o1",
                conversationId="c1",
                participant={"id": "p1", "ani": "+1555", "aniName": "Ann", "dnis": "+1666"},
                media=HOOK_MEDIA,
                language="en-US",
                inputVariables={"k": "v"},
            )
        ],
        CallStarted("s1", "c1", "o1", {"k": "v", "from": "+1555", "to": "+1666", "participant": "p1"}, 8_000),
        MULAW_20MS,
        MULAW_20MS,
        hook("dtmf", 2, digit="5"),
        None,
        hook("close", 3, reason="end"),
    ),
    "chan_websocket": Carrier(
        ChanWebSocketStream,
        [
            text(
                event="MEDIA_START",
                connection_id="m1",
                channel="WebSocket/x/0x1",
                channel_id="17.1",
                format="slin16",
                optimal_frame_size=640,
                ptime=20,
                channel_variables={"k": "v"},
            )
        ],
        CallStarted("m1", "17.1", "", {"k": "v"}, 16_000, "l16"),
        L16_20MS,
        L16_20MS,
        text(event="DTMF_END", digit="5"),
        text(event="MEDIA_MARK_PROCESSED", correlation_id="m"),
    ),
    "chan_websocket in plain text": Carrier(
        ChanWebSocketStream,
        ["MEDIA_START connection_id:m1 channel:WebSocket/x/0x1 format:ulaw optimal_frame_size:160 ptime:20"],
        CallStarted("m1", "WebSocket/x/0x1", "", {}, 8_000),
        MULAW_20MS,
        MULAW_20MS,
        "DTMF_END digit:5",
        "MEDIA_MARK_PROCESSED correlation_id:m",
    ),
    "jambonz": Carrier(
        JambonzStream,
        [
            text(
                callSid="c1",
                accountSid="a1",
                sampleRate=24000,
                mixType="mono",
                to="16",
                metadata={"agent": "a"},
                **{"from": "15"},
            )
        ],
        CallStarted("c1", "c1", "a1", {"from": "15", "to": "16", "agent": "a"}, 24_000, "l16"),
        L16_20MS,
        L16_20MS,
        text(event="dtmf", dtmf="5", duration="250"),
        text(type="mark", data={"name": "m", "event": "playout"}),
    ),
    "mod_audio_stream": Carrier(
        lambda: AudioStreamStream(rate=16_000),
        [text(uuid="u1", k="v")],
        CallStarted("u1", "u1", "", {"uuid": "u1", "k": "v"}, 16_000, "l16"),
        L16_20MS,
        L16_20MS,
        text(event="dtmf", digit="5"),
    ),
    "audiosocket": Carrier(
        lambda: AudioSocketStream(CALL),
        [b"\x10\x00\x00"],
        CallStarted(str(CALL), str(CALL), "", {}, 8_000, "l16"),
        b"\x10\x01\x40" + L16_20MS,
        L16_20MS,
        b"\x03\x00\x015",
        None,
        b"\x00\x00\x00",
    ),
}

each = pytest.mark.parametrize("carrier", CARRIERS.values(), ids=CARRIERS)


def opened(carrier: Carrier) -> CarrierStream:
    stream = carrier.fresh()
    for message in carrier.start:
        stream.receive(message)
    return stream


@each
def test_the_start_tells_who_calls_and_how_the_audio_is_coded(carrier: Carrier) -> None:
    stream = carrier.fresh()
    events = [stream.receive(message) for message in carrier.start]
    assert events == [None] * (len(events) - 1) + [carrier.started]
    assert stream.stream_id == carrier.started.stream_id


@each
def test_audio_reaches_us_byte_by_byte(carrier: Carrier) -> None:
    assert opened(carrier).receive(carrier.media) == MediaReceived(carrier.payload, 0)


@each
def test_keys_marks_and_the_end_reach_us(carrier: Carrier) -> None:
    stream = opened(carrier)
    for message, event in (
        (carrier.key, KeyPressed("5")),
        (carrier.mark, MarkReturned("m")),
        (carrier.stop, CallStopped()),
    ):
        assert message is None or stream.receive(message) == event


@pytest.mark.parametrize("name", sorted(CARRIERS.keys() - {"mod_audio_stream", "audiosocket"}))
def test_nothing_that_is_no_start_is_taken_before_it(name: str) -> None:
    carrier = CARRIERS[name]
    for message in (carrier.media, carrier.mark):
        if message is not None:
            stream = carrier.fresh()
            with pytest.raises(PeerError):
                stream.receive(message)
            assert stream.stream_id is None


@each
def test_a_call_starts_once(carrier: Carrier) -> None:
    stream = opened(carrier)
    with contextlib.suppress(PeerError):
        assert not isinstance(stream.receive(carrier.start[-1]), CallStarted)


@pytest.mark.parametrize("name", [name for name, carrier in CARRIERS.items() if carrier.stop is not None])
def test_after_the_end_there_is_no_audio(name: str) -> None:
    carrier = CARRIERS[name]
    assert carrier.stop is not None
    stream = opened(carrier)
    if isinstance(stream, AudioHookStream):
        stream.receive(hook("dtmf", 2, digit="5"))
    stream.receive(carrier.stop)
    with pytest.raises(UnexpectedMessage):
        stream.receive(carrier.media)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


@each
@given(messages=st.lists(st.text(max_size=80) | st.binary(max_size=60) | JSON.map(json.dumps), max_size=10))
@settings(deadline=None, max_examples=40)
def test_whatever_comes_is_understood_or_refused_and_never_breaks(
    carrier: Carrier, messages: list[str | bytes]
) -> None:
    for stream in (carrier.fresh(), opened(carrier)):
        for message in messages:
            with contextlib.suppress(PeerError):
                stream.receive(message)


@each
@given(data=st.data())
@settings(deadline=None, max_examples=60)
def test_damaged_messages_are_understood_or_refused(carrier: Carrier, data: st.DataObject) -> None:
    told = [*carrier.start, carrier.media, carrier.key, carrier.mark, carrier.stop]
    whole = data.draw(st.sampled_from([message for message in told if message is not None]))
    at, gone = data.draw(st.integers(0, len(whole))), data.draw(st.integers(0, 6))
    damaged: str | bytes
    if isinstance(whole, str):
        damaged = whole[:at] + data.draw(st.text(max_size=3)) + whole[at + gone :]
    else:
        damaged = whole[:at] + data.draw(st.binary(max_size=3)) + whole[at + gone :]
    for stream in (carrier.fresh(), opened(carrier)):
        with contextlib.suppress(PeerError):
            stream.receive(damaged)


@given(field=st.sampled_from(["start", "media", "event", "type", "parameters"]), value=JSON, data=st.data())
@settings(deadline=None, max_examples=150)
def test_fields_of_any_type_are_understood_or_refused(field: str, value: Any, data: st.DataObject) -> None:
    carrier = data.draw(st.sampled_from(list(CARRIERS.values())))
    told = [*carrier.start, carrier.media, carrier.key, carrier.mark]
    texts = [m for m in told if isinstance(m, str) and m.startswith("{")]
    if not texts:
        return
    message = json.loads(data.draw(st.sampled_from(texts)))
    inside = message.get(field)
    if isinstance(inside, dict) and inside:
        inside[data.draw(st.sampled_from(sorted(inside)))] = value
    else:
        message[data.draw(st.sampled_from(sorted(message)))] = value
    for stream in (carrier.fresh(), opened(carrier)):
        with contextlib.suppress(PeerError):
            stream.receive(json.dumps(message))


# What we send, byte by byte

SENT = {
    "twilio": (
        '{"event":"media","streamSid":"MZ1","media":{"payload":"AAE="}}',
        '{"event":"mark","streamSid":"MZ1","mark":{"name":"m"}}',
        '{"event":"clear","streamSid":"MZ1"}',
        None,
    ),
    "telnyx": (
        '{"event":"media","media":{"payload":"AAE="}}',
        '{"event":"mark","mark":{"name":"m"}}',
        '{"event":"clear"}',
        None,
    ),
    "plivo": (
        '{"event":"playAudio","media":{"contentType":"audio/x-l16","sampleRate":16000,"payload":"AAE="}}',
        '{"event":"checkpoint","streamId":"s1","name":"m"}',
        '{"event":"clearAudio","streamId":"s1"}',
        None,
    ),
    "vonage": (
        b"\0\1",
        '{"action": "notify", "payload": {"mark": "m"}}',
        '{"action":"clear"}',
        None,
    ),
    "exotel": (
        '{"event":"media","stream_sid":"s1","media":{"payload":"AAE="}}',
        '{"event":"mark","stream_sid":"s1","mark":{"name":"m"}}',
        '{"event":"clear","stream_sid":"s1"}',
        None,
    ),
    "signalwire": (
        '{"event":"media","streamSid":"s1","media":{"payload":"AAE="}}',
        '{"event":"mark","streamSid":"s1","mark":{"name":"m"}}',
        '{"event":"clear","streamSid":"s1"}',
        None,
    ),
    "chan_websocket": (
        b"\0\1",
        '{"command": "MARK_MEDIA", "correlation_id": "m"}',
        '{"command": "FLUSH_MEDIA"}',
        '{"command": "HANGUP"}',
    ),
    "chan_websocket in plain text": (b"\0\1", "MARK_MEDIA m", "FLUSH_MEDIA", "HANGUP"),
    "jambonz": (
        b"\0\1",
        '{"type": "mark", "data": {"name": "m"}}',
        '{"type":"killAudio"}',
        '{"type":"disconnect"}',
    ),
    "mod_audio_stream": (
        '{"type":"streamAudio","data":{"audioDataType":"raw","sampleRate":16000,"audioData":"AAE="}}',
        None,
        None,
        None,
    ),
    "audiosocket": (b"\x10\x00\x02\x00\x01", None, None, b"\0\0\0"),
}


@pytest.mark.parametrize("name", SENT)
def test_what_we_send_is_what_the_documents_say(name: str) -> None:
    stream = opened(CARRIERS[name])
    sent = (stream.play(b"\0\1"), stream.mark("m"), stream.clear(), stream.hang_up())
    assert sent == SENT[name]
    added = ['{"type":"clearMarks"}'] if name == "jambonz" else []
    assert list(stream.replies()) == added
    assert list(stream.replies()) == []


# What is one carrier's alone


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("telnyx", '"PCMU"', '"OPUS"'),
        ("telnyx", '"sample_rate": 8000', '"sample_rate": 16000'),
        ("plivo", "audio/x-l16", "audio/opus"),
        ("plivo", "16000", "44100"),
        ("vonage", "rate=16000", "rate=48000"),
        ("exotel", '"8000"', '"44100"'),
        ("signalwire", "L16", "opus"),
        ("audiohook", "PCMU", "L16"),
        ("audiohook", '"version": "2"', '"version": "1"'),
        ("chan_websocket", "slin16", "opus"),
        ("jambonz", '"mono"', '"stereo"'),
        ("jambonz", "24000", "11025"),
    ],
)
def test_other_formats_are_refused(name: str, old: str, new: str) -> None:
    carrier = CARRIERS[name]
    message = carrier.start[-1]
    assert isinstance(message, str)
    assert old in message
    stream = carrier.fresh()
    with pytest.raises(UnsupportedFormat):
        stream.receive(message.replace(old, new))
    assert stream.stream_id is None


def seconds(coding: str, rate: int, payload_bytes: float) -> float:
    return payload_bytes / (2 if coding == "l16" else 1) / rate


PACKED: Mapping[str, Callable[[int, CallStarted], bool]] = {
    "telnyx": lambda size, started: 0.02 <= seconds(started.coding, started.rate, size) <= 30,
    "vonage": lambda size, started: size == {8_000: 320, 16_000: 640, 24_000: 960}[started.rate],
    "exotel": lambda size, _started: size % 320 == 0 and 3_200 <= size <= 100_000,
    "audiohook": lambda size, _started: size == 1_600,
    "audiosocket": lambda size, started: size == started.rate // 50 * 2,
    "chan_websocket": lambda size, started: (
        size <= 65_500 and round(seconds(started.coding, started.rate, size) / 0.02, 6).is_integer()
    ),
}
"""How large the documents allow a packet of ours to be."""

FORMATS = {
    "vonage": ("rate=16000", ("rate=8000", "rate=16000", "rate=24000")),
    "exotel": ('"8000"', ('"8000"', '"16000"', '"24000"')),
    "chan_websocket": (
        '"slin16"',
        tuple(f'"{name}"' for name in ("ulaw", "alaw", "slin", "slin12", "slin24", "slin32", "slin48")),
    ),
}


@pytest.mark.parametrize("name", PACKED)
def test_packets_are_as_large_as_the_carrier_takes_them(name: str) -> None:
    start = CARRIERS[name].start[-1]
    spelled, others = FORMATS.get(name, ("", ("",)))
    for other in others:
        stream = CARRIERS[name].fresh()
        started = stream.receive(start.replace(spelled, other) if isinstance(start, str) else start)
        assert isinstance(started, CallStarted)
        codec = line_codec(started.coding, started.rate)
        size = round(stream.packing.seconds * codec.rate) * codec.sample_bytes
        assert PACKED[name](size, started), (other, size)
        grain = round(stream.packing.grain * codec.rate) * codec.sample_bytes
        assert grain == 0 or PACKED[name](grain, started), (other, grain)


def telnyx_media(chunk: int, payload: bytes) -> str:
    return text(event="media", media={"track": "inbound", "chunk": str(chunk), "payload": coded(payload)})


@given(st.permutations(range(2, 8)))
def test_telnyx_is_put_in_order_by_chunk(order: list[int]) -> None:
    """What is overtaken by no more chunks than may wait is not lost; what is lost is not heard later."""
    stream = opened(CARRIERS["telnyx"])
    heard = b""
    for chunk in [1, *order]:
        event = stream.receive(telnyx_media(chunk, bytes([chunk]) * 2))
        if isinstance(event, MediaReceived):
            heard += b"?" * event.missing + event.payload
    kept = list(heard.replace(b"?", b"").replace(b"\xff", b"")[::2])
    assert kept == sorted(set(kept))
    overtaken = [sum(later > chunk for later in order[:at]) for at, chunk in enumerate(order)]
    if max(overtaken) <= DEPTH:
        assert kept == [1, 2, 3, 4, 5, 6, 7]


def test_a_chunk_of_telnyx_that_stays_away_is_a_gap() -> None:
    stream = opened(CARRIERS["telnyx"])
    events = [stream.receive(telnyx_media(chunk, MULAW_20MS)) for chunk in (1, 3, 4, 5, 6, 7, 8)]
    assert events[0] == MediaReceived(MULAW_20MS, 0)
    assert events[1:5] == [None] * 4
    assert events[5] == MediaReceived(MULAW_20MS * 5, 160)
    assert events[6] == MediaReceived(MULAW_20MS, 0)


def test_a_gap_of_signalwire_is_reported_in_samples_and_what_is_late_is_dropped() -> None:
    stream = opened(CARRIERS["signalwire"])
    payload = b"\0\0" * 480

    def media(at: int) -> str:
        return text(event="media", media={"timestamp": str(at), "payload": coded(payload)})

    assert stream.receive(media(0)) == MediaReceived(payload, 0)
    assert stream.receive(media(60)) == MediaReceived(payload, 960)
    assert stream.receive(media(20)) is None


# AudioHook


def test_audiohook_chooses_the_callers_channel_alone_and_answers_every_ping() -> None:
    stream = opened(CARRIERS["audiohook"])
    stream.receive(hook("ping", 2, rtt="PT0.1S"))
    stream.receive(hook("update", 3, language="de"))
    stream.receive(hook("close", 4, reason="end"))
    replies = [json.loads(reply) for reply in stream.replies()]
    assert [reply["type"] for reply in replies] == ["opened", "pong", "updated", "closed"]
    assert [reply["seq"] for reply in replies] == [1, 2, 3, 4]
    assert [reply["clientseq"] for reply in replies] == [1, 2, 3, 4]
    assert {reply["id"] for reply in replies} == {"s1"}
    assert replies[0]["parameters"] == {"startPaused": False, "media": [HOOK_MEDIA[1]]}
    assert stream.replies() == []


def test_audiohook_takes_the_caller_out_of_two_channels() -> None:
    stream = AudioHookStream()
    stream.receive(hook("open", 1, conversationId="c1", media=HOOK_MEDIA[:1]))
    assert stream.receive(b"\x01\x02" * 100) == MediaReceived(b"\x01" * 100, 0)
    with pytest.raises(PeerError):
        stream.receive(b"\x01\x02\x03")


def test_audiohook_numbers_its_messages_and_cuts_by_an_event() -> None:
    stream = opened(CARRIERS["audiohook"])
    sent = [*stream.replies(), stream.clear(), stream.hang_up()]
    messages = [json.loads(message) for message in sent if isinstance(message, str)]
    assert [(m["type"], m["seq"]) for m in messages] == [("opened", 1), ("event", 2), ("disconnect", 3)]
    assert messages[1]["parameters"] == {"entities": [{"type": "barge_in", "data": {}}]}
    assert messages[2]["parameters"] == {"reason": "completed"}
    assert stream.play(MULAW_20MS) == MULAW_20MS
    assert stream.mark("m") is None


@pytest.mark.parametrize("seq", [0, 1, 3, 99])
def test_audiohook_out_of_sequence_is_refused(seq: int) -> None:
    stream = opened(CARRIERS["audiohook"])
    with pytest.raises(UnexpectedMessage, match="do not follow"):
        stream.receive(hook("ping", seq))
    stream.receive(hook("ping", 2))


def test_a_message_of_audiohook_that_is_refused_for_what_it_says_still_counts() -> None:
    stream = opened(CARRIERS["audiohook"])
    with pytest.raises(PeerError):
        stream.receive(hook("dtmf", 2, digit="no key"))
    assert stream.receive(hook("dtmf", 3, digit="7")) == KeyPressed("7")


def test_a_probe_of_audiohook_is_answered_and_is_no_call() -> None:
    stream = AudioHookStream()
    opening = hook("open", 1, conversationId="00000000-0000-0000-0000-000000000000", media=HOOK_MEDIA)
    assert stream.receive(opening) is None
    assert [json.loads(reply)["type"] for reply in stream.replies()] == ["opened"]


def test_what_audiohook_discarded_is_missing_before_the_next_audio() -> None:
    stream = opened(CARRIERS["audiohook"])
    stream.receive(hook("discarded", 2, start="PT1S", discarded="PT0.5S"))
    assert stream.receive(MULAW_20MS) == MediaReceived(MULAW_20MS, 4_000)


# AudioSocket


@given(st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=40)), max_size=8), st.data())
def test_however_tcp_cuts_audiosocket_the_frames_are_the_same(
    frames: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    whole = b"".join(audiosocket.framed(kind, payload) for kind, payload in frames)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    reader = audiosocket.FrameReader()
    found = [
        frame
        for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)
        for frame in reader.push(whole[start:end])
    ]
    assert found == [audiosocket.framed(kind, payload) for kind, payload in frames]


def test_audiosocket_begins_with_the_uuid_of_its_call() -> None:
    assert audiosocket.call_id(b"\x01\x00\x10" + CALL.bytes) == CALL
    for wrong in (b"", b"\x10\x00\x10" + CALL.bytes, b"\x01\x00\x0f" + CALL.bytes[:15]):
        with pytest.raises(PeerError):
            audiosocket.call_id(wrong)


def test_the_first_audio_of_audiosocket_is_heard_with_the_second() -> None:
    stream = AudioSocketStream(CALL)
    started = stream.receive(audiosocket.framed(0x12, b"\1\0"))
    assert isinstance(started, CallStarted)
    assert started.rate == 16_000
    assert stream.receive(audiosocket.framed(0x12, b"\2\0")) == MediaReceived(b"\1\0\2\0", 0)
    assert stream.play(b"\3\0") == b"\x12\x00\x02\x03\x00"
    with pytest.raises(UnsupportedFormat, match="changed"):
        stream.receive(audiosocket.framed(0x10, b"\0\0"))


@pytest.mark.parametrize(
    ("name", "handed_on"), [("audiosocket", b"\0\0\0"), ("chan_websocket", None), ("twilio", None)]
)
def test_few_streams_have_a_word_for_handing_on(name: str, handed_on: bytes | None) -> None:
    assert opened(CARRIERS[name]).transfer("+15550100") == handed_on


def test_audiohook_hands_on_by_an_output_variable() -> None:
    word = opened(CARRIERS["audiohook"]).transfer("billing")
    assert isinstance(word, str)
    assert json.loads(word)["parameters"] == {
        "reason": "completed",
        "outputVariables": {"transfer": "billing"},
    }


def test_audiosocket_never_sends_audio_without_samples() -> None:
    with pytest.raises(UnexpectedMessage):
        opened(CARRIERS["audiosocket"]).play(b"")
