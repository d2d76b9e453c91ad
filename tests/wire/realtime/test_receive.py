"""Whatever a client sends, the core answers with events that every client accepts, and stays usable."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.wire.realtime import ResolveVoice
from runtime.wire.realtime.rules import RULES
from tests.wire.realtime.line import Line, b64, error, pcm, types

quick = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not json",
        "null",
        "[]",
        '"response.create"',
        "{",
        '{"type": "response.create"',
        '{"type": NaN}',
        '{"type": "response.create", "x": 1e999}',
        '{"type": "response.create", "x": ' + "9" * 5000 + "}",
        '{"type": "session.update", "session": {"type": "realtime", "instructions": "\\ud800"}}',
        '{"type": "x", "a": ' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"type": "x", "a": ' + "[" * 70 + "]" * 70 + "}",
        '{"type": "x", "a": [' + "[]," * 100_000 + "[]]}",
        b"\xff\xfe",
        b"\x80",
    ],
    ids=range(16),
)
def test_what_is_no_event_is_refused_as_such(text: str | bytes) -> None:
    line = Line()
    before = line.state()
    assert error(line.say_text(text))["code"] == "invalid_json"
    assert line.state() == before


@pytest.mark.parametrize("event_type", [None, 3, ["response.create"], {"a": 1}, "", "RESPONSE.CREATE"])
def test_a_type_that_is_none_is_refused(event_type: Any) -> None:
    line = Line()
    assert error(line.say_text(json.dumps({"type": event_type})))["param"] == "type"


def test_a_pair_of_surrogates_and_any_script_are_welcome() -> None:
    line = Line()
    text = '{"type":"session.update","session":{"type":"realtime","instructions":"\\ud83d\\ude00 नमस्ते"}}'
    line.say_text(text)
    assert line.session["instructions"] == "😀 नमस्ते"


def test_bytes_are_read_as_utf_8() -> None:
    line = Line()
    line.say_text('{"type":"session.update","session":{"type":"realtime","instructions":"é"}}'.encode())
    assert line.session["instructions"] == "é"


def test_an_event_id_that_is_no_string_is_not_echoed() -> None:
    assert error(Line().say("response.cancel", event_id=7))["event_id"] is None


@quick
@given(st.one_of(st.text(max_size=200), st.binary(max_size=200)))
def test_any_text_is_answered_and_nothing_raises(text: str | bytes) -> None:
    line = Line()
    line.say_text(text)
    assert types(line.say("input_audio_buffer.clear")) == ["input_audio_buffer.cleared"]


json_value = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=12),
        st.sampled_from(
            [
                "realtime",
                "server_vad",
                "semantic_vad",
                "audio",
                "text",
                "message",
                "user",
                "assistant",
                "function",
            ]
            + [
                "input_text",
                "output_audio",
                "input_audio",
                "none",
                "auto",
                "root",
                "inf",
                "voice_1",
                "audio/pcmu",
            ]
        ),
        st.just(b64(pcm(0.01))),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "audio",
                    "input",
                    "output",
                    "format",
                    "voice",
                    "turn_detection",
                    "transcription",
                    "tools",
                ]
                + [
                    "role",
                    "content",
                    "text",
                    "id",
                    "call_id",
                    "name",
                    "arguments",
                    "instructions",
                    "rate",
                    "speed",
                ]
                + [
                    "conversation",
                    "metadata",
                    "output_modalities",
                    "max_output_tokens",
                    "threshold",
                    "transcript",
                ]
            ),
            inner,
            max_size=5,
        ),
    ),
    max_leaves=12,
)

client_event = st.fixed_dictionaries(
    {"type": st.sampled_from(sorted(RULES))},
    optional={
        "session": json_value,
        "audio": json_value,
        "item": json_value,
        "response": json_value,
        "item_id": st.one_of(json_value, st.just("mine")),
        "content_index": json_value,
        "audio_end_ms": json_value,
        "previous_item_id": json_value,
        "response_id": json_value,
        "event_id": json_value,
    },
)

likely_event = st.sampled_from(
    [
        {"type": "response.create"},
        {"type": "response.create", "response": {"conversation": "none"}},
        {"type": "response.create", "response": {"output_modalities": ["text"], "max_output_tokens": 2}},
        {"type": "response.cancel"},
        {"type": "input_audio_buffer.append", "audio": b64(pcm(0.1))},
        {"type": "input_audio_buffer.commit"},
        {"type": "input_audio_buffer.clear"},
        {"type": "output_audio_buffer.clear"},
        {
            "type": "conversation.item.create",
            "item": {"type": "message", "role": "user", "id": "mine", "content": []},
        },
        {"type": "conversation.item.retrieve", "item_id": "LAST"},
        {"type": "conversation.item.delete", "item_id": "LAST"},
        {"type": "conversation.item.truncate", "item_id": "LAST", "content_index": 0, "audio_end_ms": 60},
        {
            "type": "session.update",
            "session": {"type": "realtime", "audio": {"input": {"turn_detection": None}}},
        },
        {
            "type": "session.update",
            "session": {"type": "realtime", "audio": {"output": {"voice": "voice_1"}}},
        },
    ]
)

fact = st.sampled_from(
    ["started", "stopped", "committed", "heard", "text", "audio", "call", "message", "finish", "interrupt"]
    + ["play", "drain", "begin", "resolve", "refuse", "idle", "partial"]
)


def report(line: Line, what: str) -> None:
    """One fact, about whichever response is the newest."""
    core = line.protocol
    response_id = next(reversed(core.responses.ids), "resp_gone")
    match what:
        case "started":
            core.input.speech_started(core.input.milliseconds)
        case "stopped":
            core.input.speech_stopped(core.input.milliseconds)
        case "committed":
            core.input.committed()
        case "heard":
            core.input.transcription_completed(core.conversation.last_id or "item_gone", "words", seconds=1.0)
        case "partial":
            core.input.transcription_partial("some words")
        case "text":
            core.responses.text_delta(response_id, "some words ")
        case "audio":
            core.responses.audio_delta(response_id, pcm(0.05))
        case "call":
            core.responses.function_call(response_id, "f", "{}")
        case "message":
            core.responses.message_done(response_id)
        case "finish":
            core.responses.finished(response_id)
        case "interrupt":
            core.responses.playback_cleared(response_id, heard=0.03)
            core.responses.finished(response_id, "cancelled", reason="turn_detected")
        case "play":
            core.responses.media_delta(response_id, 0.02)
        case "drain":
            core.responses.playback_drained(response_id)
        case "begin":
            if core.responses.active is None:
                core.responses.begin()
        case "idle":
            core.input.timeout_triggered(0, core.input.milliseconds)
        case "resolve":
            core.voice_resolved()
        case "refuse":
            core.voice_refused("No such voice.")
    line.drain()


@quick
@given(
    st.lists(st.one_of(client_event, likely_event, fact), max_size=25), st.sampled_from(["client", "server"])
)
def test_any_conversation_is_told_in_events_and_an_order_that_clients_accept(
    moves: list[dict[str, Any] | str], playback: str
) -> None:
    line = Line(playback=playback)
    for move in moves:
        if isinstance(move, str):
            report(line, move)
            continue
        if move.get("item_id") == "LAST":
            move = move | {"item_id": line.protocol.conversation.last_id or "item_gone"}
        line.say_text(json.dumps(move))
    while line.protocol.session.pending:
        report(line, "resolve")
    for response_id in line.protocol.responses.ids:
        line.protocol.responses.finished(response_id)
    line.drain()
    created = [e["response"]["id"] for e in line.heard if e["type"] == "response.created"]
    done = [e["response"]["id"] for e in line.heard if e["type"] == "response.done"]
    assert sorted(created) == sorted(done)


def test_garbage_leaves_the_session_usable() -> None:
    line = Line()
    for text in ("{", "[]", '{"type":1}', '{"type":"conversation.item.truncate"}'):
        line.say_text(text)
    line.say("session.update", session={"type": "realtime", "audio": {"output": {"voice": "voice_1"}}})
    assert line.asked == [ResolveVoice("voice_1")]
    line.protocol.voice_resolved()
    assert types(line.drain()) == ["session.updated"]
