from __future__ import annotations

import base64
import contextlib
import json
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from runtime.errors import MalformedMessage, PeerError, UnexpectedMessage, UnsupportedFormat
from runtime.wire import twilio
from runtime.wire.telephony import CallStarted, CallStopped, KeyPressed, MarkReturned, MediaReceived
from runtime.wire.twilio import TwilioStream

STREAM = "MZ18ad3ab5a668481ce02b83e7395059f0"

START: dict[str, Any] = {
    "event": "start",
    "sequenceNumber": "1",
    "start": {
        "accountSid": "AC123",
        "streamSid": STREAM,
        "callSid": "CA123",
        "tracks": ["inbound"],
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        "customParameters": {"token": "t0p", "from": "+15550100"},
    },
    "streamSid": STREAM,
}


def media(number: int, payload: bytes = b"\xff" * 160, *, stream: str = STREAM) -> str:
    """The message as Twilio spells it, keys in its order."""
    return json.dumps(
        {
            "event": "media",
            "sequenceNumber": str(number + 2),
            "media": {
                "track": "inbound",
                "chunk": str(number + 1),
                "timestamp": str(20 * number),
                "payload": base64.b64encode(payload).decode(),
            },
            "streamSid": stream,
        },
        separators=(",", ":"),
    )


def loose(text: str) -> str:
    """The same message as another program might spell it."""
    return json.dumps(dict(reversed(json.loads(text).items())), indent=1)


@pytest.fixture
def stream() -> TwilioStream:
    stream = TwilioStream()
    stream.receive('{"event":"connected","protocol":"Call","version":"1.0.0"}')
    stream.receive(json.dumps(START))
    return stream


def test_connected_tells_nothing() -> None:
    assert TwilioStream().receive('{"event":"connected","protocol":"Call","version":"1.0.0"}') is None


def test_start_tells_who_calls_and_what_was_attached() -> None:
    assert TwilioStream().receive(json.dumps(START)) == CallStarted(
        STREAM, "CA123", "AC123", {"token": "t0p", "from": "+15550100"}, 8_000
    )


def test_start_without_parameters_is_no_fault() -> None:
    message = json.loads(json.dumps(START))
    del message["start"]["customParameters"]
    started = TwilioStream().receive(json.dumps(message))
    assert isinstance(started, CallStarted)
    assert started.parameters == {}


def test_numbers_may_be_strings() -> None:
    message = json.loads(json.dumps(START))
    message["start"]["mediaFormat"] = {"encoding": "audio/x-mulaw", "sampleRate": "8000", "channels": "1"}
    assert isinstance(TwilioStream().receive(json.dumps(message)), CallStarted)


def streamsid_first(text: str) -> str:
    """The order of keys in Twilio's table of fields, and Python's default spaces."""
    message = json.loads(text)
    return json.dumps({"event": 0, "sequenceNumber": 0, "streamSid": 0} | message)


SPELLINGS = pytest.mark.parametrize("spelling", [str, streamsid_first, loose])


@SPELLINGS
def test_media_carries_the_callers_bytes(stream: TwilioStream, spelling: Any) -> None:
    payload = bytes(range(160))
    assert stream.receive(spelling(media(0, payload))) == MediaReceived(payload, 0)


@SPELLINGS
def test_a_gap_in_the_timestamps_is_reported_in_samples(stream: TwilioStream, spelling: Any) -> None:
    stream.receive(spelling(media(0)))
    assert stream.receive(spelling(media(3))) == MediaReceived(b"\xff" * 160, 320)
    assert stream.missing_samples == 320


def test_media_that_comes_late_or_twice_is_dropped(stream: TwilioStream) -> None:
    stream.receive(media(0))
    stream.receive(media(2))
    assert stream.receive(media(1)) is None
    assert stream.receive(media(2)) is None
    assert stream.late == 2
    assert stream.receive(media(3)) == MediaReceived(b"\xff" * 160, 0)


def test_a_clock_that_was_set_is_not_a_loss(stream: TwilioStream) -> None:
    stream.receive(media(0))
    assert stream.receive(media(100_000)) == MediaReceived(b"\xff" * 160, 0)
    assert stream.receive(media(0)) == MediaReceived(b"\xff" * 160, 0)
    assert stream.missing_samples == 0


def test_our_own_track_is_not_heard(stream: TwilioStream) -> None:
    assert stream.receive(media(0).replace("inbound", "outbound")) is None


@pytest.mark.parametrize("digit", ["1", "*", "#", "a"])
def test_keys_reach_us(stream: TwilioStream, digit: str) -> None:
    message = {"event": "dtmf", "streamSid": STREAM, "dtmf": {"track": "inbound_track", "digit": digit}}
    assert stream.receive(json.dumps(message)) == KeyPressed(digit.upper())


def test_marks_come_back_by_name(stream: TwilioStream) -> None:
    sent = stream.mark('say "hi"')
    assert json.loads(sent) == {"event": "mark", "streamSid": STREAM, "mark": {"name": 'say "hi"'}}
    assert stream.receive(sent) == MarkReturned('say "hi"')


def test_stop_ends_the_stream(stream: TwilioStream) -> None:
    message = {"event": "stop", "sequenceNumber": "9", "streamSid": STREAM, "stop": {"callSid": "CA123"}}
    assert stream.receive(json.dumps(message)) == CallStopped()
    assert stream.stopped
    with pytest.raises(UnexpectedMessage, match="after the stop"):
        stream.receive(media(0))


def test_unknown_events_are_ignored(stream: TwilioStream) -> None:
    assert stream.receive('{"event":"weather","weather":{"rain":true}}') is None


def test_what_we_send_is_what_twilio_reads(stream: TwilioStream) -> None:
    assert json.loads(stream.play(b"\xff\xfe\xfd")) == {
        "event": "media",
        "streamSid": STREAM,
        "media": {"payload": "//79"},
    }
    assert json.loads(stream.clear()) == {"event": "clear", "streamSid": STREAM}


def test_nothing_is_sent_before_the_start() -> None:
    with pytest.raises(UnexpectedMessage, match="before the stream has started"):
        TwilioStream().clear()


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", MalformedMessage),
        ("not json", MalformedMessage),
        ("[" * 100_000, MalformedMessage),
        ("[]", MalformedMessage),
        ("{}", MalformedMessage),
        ('{"event":7}', MalformedMessage),
        ('{"event":"media"}', MalformedMessage),
        ('{"event":"media","media":[]}', MalformedMessage),
        ('{"event":"media","media":{"timestamp":"x","payload":"AA=="}}', MalformedMessage),
        ('{"event":"media","media":{"timestamp":"٣","payload":"AA=="}}', MalformedMessage),
        ('{"event":"media","media":{"timestamp":"0","payload":""}}', MalformedMessage),
        ('{"event":"media","media":{"timestamp":"0","payload":"A"}}', MalformedMessage),
        (
            '{"event":"media","media":{"timestamp":"0","payload":"AA=="},"streamSid":"MZother"}',
            UnexpectedMessage,
        ),
        ('{"event":"dtmf","dtmf":{"digit":"12"}}', MalformedMessage),
        ('{"event":"dtmf","dtmf":{"digit":"x"}}', MalformedMessage),
        ('{"event":"mark","mark":{}}', MalformedMessage),
        (json.dumps(START), UnexpectedMessage),
    ],
)
def test_garbage_raises_and_changes_nothing(stream: TwilioStream, text: str, error: type[PeerError]) -> None:
    with pytest.raises(error):
        stream.receive(text)
    assert stream.receive(media(0)) == MediaReceived(b"\xff" * 160, 0)


@pytest.mark.parametrize("event", ["media", "dtmf", "mark"])
def test_nothing_comes_before_the_start(event: str) -> None:
    message = {"event": event, "media": {"timestamp": "0", "payload": "AA=="}, "dtmf": {}, "mark": {}}
    with pytest.raises(UnexpectedMessage, match="before the start"):
        TwilioStream().receive(json.dumps(message))


@pytest.mark.parametrize(
    ("name", "value"), [("encoding", "audio/pcm"), ("sampleRate", 16000), ("channels", 2), ("channels", None)]
)
def test_other_formats_are_refused(name: str, value: object) -> None:
    message = json.loads(json.dumps(START))
    message["start"]["mediaFormat"][name] = value
    stream = TwilioStream()
    with pytest.raises(UnsupportedFormat, match="8000 Hz"):
        stream.receive(json.dumps(message))
    assert stream.stream_id is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
FIELDS = (
    "event",
    "media",
    "start",
    "dtmf",
    "mark",
    "stop",
    "streamSid",
    "payload",
    "timestamp",
    "digit",
    "name",
)
EVENTS = st.sampled_from(["media", "start", "dtmf", "mark", "stop", "connected", "x"])
LIKELY = st.dictionaries(
    st.sampled_from(FIELDS),
    EVENTS | JSON | st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=4),
    max_size=6,
)


@given(st.lists(st.text(max_size=60) | (JSON | LIKELY).map(json.dumps), max_size=20))
@settings(deadline=None)
def test_whatever_comes_is_understood_or_refused_and_never_breaks(messages: list[str]) -> None:
    fresh, started = TwilioStream(), TwilioStream()
    started.receive(json.dumps(START))
    for text in messages:
        for stream in (fresh, started):
            with contextlib.suppress(PeerError):
                stream.receive(text)


@given(st.data())
@settings(deadline=None)
def test_a_damaged_media_message_is_understood_or_refused(data: st.DataObject) -> None:
    stream = TwilioStream()
    stream.receive(json.dumps(START))
    text = media(0, bytes(range(60)))
    at = data.draw(st.integers(0, len(text) - 1))
    damaged = text[:at] + data.draw(st.text(max_size=3)) + text[at + data.draw(st.integers(0, 5)) :]
    try:
        event = stream.receive(damaged)
    except PeerError:
        return
    assert event is None or isinstance(event, MediaReceived | CallStopped)


@given(st.binary(min_size=1, max_size=800))
def test_both_spellings_of_media_say_the_same(payload: bytes) -> None:
    quick, slow = TwilioStream(), TwilioStream()
    for stream in (quick, slow):
        stream.receive(json.dumps(START))
    text = media(0, payload)
    assert quick.receive(text) == slow.receive(loose(text)) == MediaReceived(payload, 0)


# Signatures, against Twilio's own library

TOKEN = "12345678901234567890123456789012"
FORM = {"CallSid": "CA123", "From": "+15550100", "To": "+15550199", "Digits": "1 & 2"}


@pytest.mark.parametrize("algorithm", ["HMAC_SHA1", "HMAC_SHA256"])
@pytest.mark.parametrize(
    "url",
    [
        "https://voice.example.com/telephony/twilio/agent_1/voice",
        "https://voice.example.com:8443/telephony/twilio/agent_1/voice?x=1",
        "wss://voice.example.com/telephony/twilio/agent_1",
    ],
)
def test_a_signature_is_the_one_twilios_library_computes(url: str, algorithm: str) -> None:
    theirs = RequestValidator(TOKEN).compute_signature(url, FORM, algorithm)
    assert twilio.signature(TOKEN, url, FORM, algorithm=algorithm) == theirs
    assert RequestValidator(TOKEN).validate(url, FORM, theirs, algorithm)
    assert twilio.is_signed(TOKEN, url, FORM, theirs, algorithm=algorithm)


UTF8 = st.text(st.characters(codec="utf-8"), max_size=10)


@given(
    form=st.dictionaries(
        st.text(st.characters(codec="utf-8"), max_size=10), st.text(max_size=10), max_size=5
    ),
    path=st.from_regex(r"/[a-z0-9/_-]{0,20}", fullmatch=True),
    port=st.sampled_from(["", ":443", ":8443"]),
)
def test_what_twilio_accepts_we_accept(form: dict[str, str], path: str, port: str) -> None:
    url = f"https://voice.example.com{port}{path}"
    theirs = RequestValidator(TOKEN).compute_signature(url, form)
    if RequestValidator(TOKEN).validate(url, form, theirs):
        assert twilio.is_signed(TOKEN, url, form, theirs)


@pytest.mark.parametrize("port", ["", ":443"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_the_port_and_the_last_slash_may_differ(port: str, slash: str) -> None:
    signed = RequestValidator(TOKEN).compute_signature(f"wss://voice.example.com{port}/t/agent{slash}", {})
    assert twilio.is_signed(TOKEN, "wss://voice.example.com/t/agent", {}, signed)


def test_a_signature_over_something_else_is_refused() -> None:
    url = "https://voice.example.com/t"
    good = twilio.signature(TOKEN, url, FORM)
    assert not twilio.is_signed("another token", url, FORM, good)
    assert not twilio.is_signed(TOKEN, "https://evil.example.com/t", FORM, good)
    assert not twilio.is_signed(TOKEN, url, {**FORM, "From": "+1"}, good)
    assert not twilio.is_signed(TOKEN, url, FORM, None)
    assert not twilio.is_signed(TOKEN, url, FORM, "")
    assert not twilio.is_signed(TOKEN, url, FORM, "ümlaut")
    assert not twilio.is_signed(TOKEN, url, FORM, good, algorithm="HMAC_MD5")
    with pytest.raises(ValueError, match="no such signature algorithm"):
        twilio.signature(TOKEN, url, FORM, algorithm="HMAC_MD5")


@pytest.mark.parametrize(
    ("header", "algorithm"),
    [
        (None, "HMAC_SHA1"),
        ("", "HMAC_SHA1"),
        ("key=webhooks_sharedkey_1,algorithm=HMAC_SHA256", "HMAC_SHA256"),
        ("key=x, algorithm = hmac_sha256", "HMAC_SHA256"),
        ("key=x", "HMAC_SHA1"),
    ],
)
def test_the_settings_header_names_the_algorithm(header: str | None, algorithm: str) -> None:
    assert twilio.signature_algorithm(header) == algorithm


@given(url=st.text(max_size=40), name=st.text(max_size=20), value=st.text(max_size=20))
def test_twiml_is_xml_whatever_is_put_in(url: str, name: str, value: str) -> None:
    document = twilio.twiml(f"wss://{url}", {name: value})
    tree = ElementTree.fromstring(document)
    stream = tree.find("Connect/Stream")
    assert stream is not None
    assert stream.find("Parameter") is not None
