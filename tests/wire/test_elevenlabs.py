from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import PeerError
from runtime.wire.alignment import Characters
from runtime.wire.elevenlabs import (
    Begin,
    CloseSocket,
    Finish,
    Flush,
    Say,
    StreamInput,
    audio_message,
    final_message,
)


def say(**body: object) -> str:
    return json.dumps(body)


def test_one_utterance_from_the_first_space_to_the_empty_text() -> None:
    protocol = StreamInput(multi=False)
    first = protocol.receive(say(text=" ", voice_settings={"speed": 1.5}, **{"xi-api-key": "k"}))
    assert first == [Begin("default", 1.5, "k")]
    assert protocol.receive(say(text="Hello ")) == [Say("default", "Hello ")]
    assert protocol.receive(say(text="there. ", flush=True)) == [Say("default", "there. "), Flush("default")]
    assert protocol.receive(say(text="")) == [Finish("default"), CloseSocket()]
    with pytest.raises(PeerError):
        protocol.receive(say(text="more"))


def test_contexts_side_by_side_and_an_empty_text_keeps_one_alive() -> None:
    protocol = StreamInput(multi=True)
    assert protocol.receive(say(text=" ", context_id="a")) == [Begin("a", None, None)]
    assert protocol.receive(say(text="One. ", context_id="b"))[1:] == [Say("b", "One. ")]
    assert protocol.receive(say(text="", context_id="a")) == []
    assert protocol.receive(say(context_id="b", close_context=True)) == [Finish("b")]
    assert protocol.receive(say(text="Again. ", context_id="b"))[0] == Begin("b", None, None)
    assert protocol.receive(say(close_socket=True)) == [Finish("a"), Finish("b"), CloseSocket()]


@pytest.mark.parametrize(
    "message",
    ["", "nope", "[]", '"text"', '{"text": 5}', '{"text": "x", "flush": "yes"}', "[" * 100_000]
    + ['{"text": " ", "voice_settings": {"speed": 99}}'],
)
def test_a_message_that_is_none_is_the_peers_fault(message: str) -> None:
    with pytest.raises(PeerError):
        StreamInput(multi=False).receive(message)


def test_times_begin_at_zero_in_every_message() -> None:
    told = json.loads(audio_message(None, b"\x01", Characters("hi", (1.0, 1.1), (1.1, 1.2)), since=1.0))
    assert told["alignment"] == {
        "chars": ["h", "i"],
        "charStartTimesMs": [0, 100],
        "charDurationsMs": [100, 100],
    }
    assert told["isFinal"] is None
    assert "contextId" not in told
    assert json.loads(final_message("a")) == {"audio": None, "isFinal": True, "contextId": "a"}


@given(messages=st.lists(st.text(max_size=60)), multi=st.booleans())
def test_nothing_but_a_peer_error_comes_of_garbage(messages: list[str], multi: bool) -> None:
    protocol = StreamInput(multi=multi)
    for message in messages:
        try:
            protocol.receive(message)
        except PeerError:
            continue
