from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import MalformedMessage
from runtime.wire.omni import (
    AudioReceived,
    Configured,
    Ending,
    KeysPressed,
    OmniProtocol,
    TextTyped,
    ToolAnswered,
)


def say(**body: object) -> str:
    return json.dumps(body)


def codes(protocol: OmniProtocol) -> list[str]:
    told = [warning if isinstance(warning, str) else warning[1:].decode() for warning in protocol.warnings()]
    return [json.loads(warning)["code"] for warning in told]


def configured(**options: object) -> OmniProtocol:
    protocol = OmniProtocol(**options)  # type: ignore[arg-type]
    protocol.receive(say(type="configure"))
    return protocol


def test_tagged_and_bare_audio_are_told_apart_by_their_length() -> None:
    protocol = configured()
    assert protocol.receive(b"\x01\x02\x03") == AudioReceived(b"\x02\x03")
    assert codes(protocol) == []
    assert protocol.receive(b"\x02\x03") == AudioReceived(b"\x02\x03")
    assert codes(protocol) == ["untagged_audio"]
    assert protocol.receive(b"\x05\x03\x04") is None
    assert codes(protocol) == ["odd_length_pcm"]
    assert protocol.receive(b"") is None


def test_a_raw_client_may_send_bare_audio_without_a_warning() -> None:
    protocol = configured(framing="raw")
    assert protocol.receive(b"\x02\x03") == AudioReceived(b"\x02\x03")
    assert codes(protocol) == []
    assert protocol.audio(b"\x02\x03") == b"\x02\x03"
    assert isinstance(protocol.hello("x"), str)


def test_a_tagged_client_gets_a_tag_before_everything() -> None:
    protocol = OmniProtocol()
    assert protocol.audio(b"ab") == b"\x01ab"
    hello = protocol.hello("x")
    assert isinstance(hello, bytes)
    assert hello[0] == 3
    assert json.loads(hello[1:])["protocol"] == 2
    transcript = protocol.transcript("user", "ü", final=True, at_ms=5)
    assert isinstance(transcript, bytes)
    assert transcript[0] == 2


def test_control_comes_as_text_or_behind_its_tag() -> None:
    for frame in (say(type="dtmf", digit="5"), b"\x03" + say(type="dtmf", digit="5").encode()):
        assert OmniProtocol().receive(frame) == KeysPressed("5")


def test_configure_keeps_what_it_knows_and_tells_the_rest() -> None:
    protocol = OmniProtocol()
    action = protocol.receive(say(type="configure", voice_id="v", kb_endpoint="http://x", vioce="typo"))
    assert action == Configured({"voice_id": "v", "kb_endpoint": "http://x"}, ["vioce"])
    assert codes(protocol) == ["ignored_key:vioce"]


def test_a_token_without_an_endpoint_is_told_of() -> None:
    protocol = OmniProtocol()
    protocol.receive(say(type="configure", kb_token="secret"))
    assert codes(protocol) == ["kb_token_alone"]


@pytest.mark.parametrize("tools", [[1], [{}], [{"name": 5}], [["name"]]])
def test_tools_that_are_none_are_refused(tools: list[object]) -> None:
    with pytest.raises(MalformedMessage, match="a tool is an object with a name"):
        OmniProtocol().receive(say(type="configure", tools=tools))


def test_each_silent_mistake_is_warned_of_once() -> None:
    protocol = OmniProtocol()
    for _ in range(3):
        protocol.receive(b"\x01\x00\x00")
        protocol.receive(say(event="configure"))
        protocol.receive(say(type="nonsense"))
    assert codes(protocol) == ["audio_before_configure", "event_key", "unknown_message"]


def test_the_other_messages() -> None:
    protocol = OmniProtocol()
    assert protocol.receive(say(type="input_text", text="Hi")) == TextTyped("Hi")
    assert protocol.receive(say(type="session_ending")) == Ending()
    answered = protocol.receive(say(type="tool_result", call_id="c", result={"a": 1}))
    assert answered == ToolAnswered("c", '{"a": 1}')


@pytest.mark.parametrize(
    "frame",
    [
        "nope",
        "[]",
        b"\x03{nope",
        say(type="dtmf", digit="x"),
        say(type="dtmf"),
        say(type="input_text"),
        say(type="input_text", text=" "),
        say(type="tool_result"),
        say(type="configure", persona=5),
        say(type="configure", tools="x"),
    ],
)
def test_what_cannot_be_understood_is_malformed(frame: str | bytes) -> None:
    with pytest.raises(MalformedMessage):
        OmniProtocol().receive(frame)


@given(frames=st.lists(st.one_of(st.binary(max_size=40), st.text(max_size=40))))
def test_nothing_but_a_malformed_message_comes_of_garbage(frames: list[str | bytes]) -> None:
    protocol = OmniProtocol()
    for frame in frames:
        try:
            protocol.receive(frame)
        except MalformedMessage:
            continue
        protocol.warnings()
