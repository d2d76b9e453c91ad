from __future__ import annotations

import base64
from typing import Any

import pytest

from runtime.wire.realtime import ItemCreated, ItemDeleted, ItemTruncated, SessionConfig
from tests.wire.realtime.line import Line, b64, error, pcm, types, user_text


def create(line: Line, item: dict[str, Any], **members: Any) -> list[dict[str, Any]]:
    return line.say("conversation.item.create", item=item, **members)


def spoken(line: Line, text: str = "Hello there.", seconds: float = 2.0) -> str:
    """Let the agent say something to its end; returns the item's id."""
    response = line.respond()
    line.protocol.responses.text_delta(response.id, text)
    line.protocol.responses.audio_delta(response.id, pcm(seconds))
    line.protocol.responses.finished(response.id)
    line.drain()
    item_id = line.protocol.conversation.last_id
    assert item_id is not None
    return item_id


def test_an_item_is_added_then_done_under_the_clients_own_id() -> None:
    line = Line()
    added, done = create(line, user_text("hi", id="a" * 32))
    assert types([added, done]) == ["conversation.item.added", "conversation.item.done"]
    assert (
        added["item"]
        == done["item"]
        == user_text("hi", id="a" * 32, object="realtime.item", status="completed")
    )
    assert added["previous_item_id"] is None
    assert isinstance(line.asked[-1], ItemCreated)


def test_items_go_to_the_end_the_front_or_after_another() -> None:
    line = Line()
    create(line, user_text("1", id="one"))
    assert create(line, user_text("3", id="three"))[0]["previous_item_id"] == "one"
    assert create(line, user_text("2", id="two"), previous_item_id="one")[0]["previous_item_id"] == "one"
    assert create(line, user_text("0", id="zero"), previous_item_id="root")[0]["previous_item_id"] is None
    assert create(line, user_text("4", id="four"), previous_item_id=None)[0]["previous_item_id"] == "three"
    assert [item.id for item in line.protocol.conversation] == ["zero", "one", "two", "three", "four"]


def test_every_kind_of_item_is_kept_as_it_was_sent() -> None:
    line = Line()
    items: list[dict[str, Any]] = [
        {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "s"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "a"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_audio", "transcript": "b"}]},
        {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": "42"},
        {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_image", "image_url": "data:image/png;base64,AA", "detail": "low"}],
        },
    ]
    for item in items:
        shown = create(line, item)[1]["item"]
        assert {name: shown[name] for name in item} == item


def test_recorded_speech_reaches_the_call_and_can_be_retrieved() -> None:
    line = Line()
    content = [{"type": "input_audio", "audio": b64(pcm(0.5)), "transcript": None}]
    added, _ = create(line, {"type": "message", "role": "user", "id": "said", "content": content})
    assert added["item"]["content"] == [{"type": "input_audio", "transcript": None}]
    asked = line.asked[-1]
    assert isinstance(asked, ItemCreated)
    assert asked.audio == pcm(0.5)
    retrieved = line.say("conversation.item.retrieve", item_id="said")[0]
    assert base64.b64decode(retrieved["item"]["content"][0]["audio"]) == pcm(0.5)


@pytest.mark.parametrize(
    ("item", "param", "code"),
    [
        ({}, "item.type", "missing_required_parameter"),
        ({"type": "mcp_call"}, "item.type", "invalid_value"),
        ({"type": ["message"]}, "item.type", "invalid_value"),
        ({"type": "message", "role": "user"}, "item.content", "missing_required_parameter"),
        ({"type": "message", "role": "wizard", "content": []}, "item.role", "invalid_value"),
        ({"type": "message", "role": ["user"], "content": []}, "item.role", "invalid_value"),
        ({"type": "message", "role": "user", "content": ["hi"]}, "item.content[0]", "invalid_type"),
        (
            {"type": "message", "role": "user", "content": [{"type": "text", "text": "hi"}]},
            "item.content[0].type",
            "invalid_value",
        ),
        (
            {"type": "message", "role": "user", "content": [{"type": "input_text"}]},
            "item.content[0].text",
            "missing_required_parameter",
        ),
        (
            {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": "!"}]},
            "item.content[0].audio",
            "invalid_value",
        ),
        ({"type": "function_call", "arguments": "{}"}, "item.name", "missing_required_parameter"),
        ({"type": "function_call_output", "call_id": "c"}, "item.output", "missing_required_parameter"),
        ({"type": "function_call_output", "call_id": 3, "output": ""}, "item.call_id", "invalid_type"),
        (user_text("hi", id=5), "item.id", "invalid_type"),
        (user_text("hi", id="x" * 200), "item.id", "invalid_value"),
    ],
)
def test_a_malformed_item_is_refused_by_name(item: dict[str, Any], param: str, code: str) -> None:
    line = Line()
    before = line.state()
    refusal = error(create(line, item))
    assert (refusal["param"], refusal["code"]) == (param, code)
    assert line.state() == before


def test_a_taken_id_is_refused_with_the_code_that_livekit_knows() -> None:
    line = Line()
    create(line, user_text("hi", id="mine"))
    before = line.state()
    refusal = error(create(line, user_text("again", id="mine"), event_id="e1"))
    assert refusal["code"] == "item_create_duplicate_item_id"
    assert refusal["event_id"] == "e1"
    assert line.state() == before


def test_an_unknown_place_is_refused() -> None:
    line = Line()
    refusal = error(create(line, user_text("hi"), previous_item_id="nobody"))
    assert refusal["param"] == "previous_item_id"
    assert len(line.protocol.conversation) == 0


@pytest.mark.parametrize(
    ("event", "code"),
    [
        ("conversation.item.retrieve", "item_retrieve_invalid_item_id"),
        ("conversation.item.delete", "item_delete_invalid_item_id"),
    ],
)
def test_an_unknown_item_is_named(event: str, code: str) -> None:
    refusal = error(Line().say(event, item_id="nobody", event_id="e1"))
    assert (refusal["code"], refusal["event_id"]) == (code, "e1")
    assert "'nobody'" in refusal["message"]


def test_a_deleted_item_leaves_the_chain() -> None:
    line = Line()
    create(line, user_text("1", id="one"))
    create(line, user_text("2", id="two"))
    assert types(line.say("conversation.item.delete", item_id="two")) == ["conversation.item.deleted"]
    assert line.asked[-1] == ItemDeleted("two")
    assert create(line, user_text("3", id="three"))[0]["previous_item_id"] == "one"


def test_an_item_that_is_being_made_may_be_deleted_and_replaced() -> None:
    line = Line()
    response = line.respond()
    line.protocol.responses.text_delta(response.id, "Hello ")
    line.drain()
    item_id = line.protocol.conversation.last_id
    line.say("conversation.item.delete", item_id=item_id)
    create(line, user_text("mine now", id=item_id))
    line.protocol.responses.text_delta(response.id, "there.")
    line.protocol.responses.audio_delta(response.id, pcm(0.2))
    line.protocol.responses.finished(response.id)
    done = line.drain()[-1]["response"]
    assert done["output"][0]["content"][0]["transcript"] == "Hello there."
    assert [item.id for item in line.protocol.conversation] == [item_id]


# Truncation


def test_truncation_keeps_what_was_heard() -> None:
    line = Line()
    item_id = spoken(line, "aaaa bbbb cccc dddd", seconds=4.0)
    events = line.say("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=2200)
    assert types(events) == ["conversation.item.truncated"]
    assert events[0]["audio_end_ms"] == 2200
    assert line.asked[-1] == ItemTruncated(item_id, 2.2)
    item = line.say("conversation.item.retrieve", item_id=item_id)[0]["item"]
    assert item["content"][0]["transcript"] == "aaaa bbbb"
    assert base64.b64decode(item["content"][0]["audio"]) == pcm(2.2)


@pytest.mark.parametrize("beyond_ms", [1, 499])
def test_a_player_that_rounds_up_is_clamped(beyond_ms: int) -> None:
    line = Line()
    item_id = spoken(line, seconds=2.0)
    (event,) = line.say(
        "conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=2000 + beyond_ms
    )
    assert event["audio_end_ms"] == 2000


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"audio_end_ms": 2501}, "audio_end_ms"),
        ({"audio_end_ms": 10**400}, "audio_end_ms"),
        ({"audio_end_ms": -1}, "audio_end_ms"),
        ({"audio_end_ms": 1.5}, "audio_end_ms"),
        ({"audio_end_ms": True}, "audio_end_ms"),
        ({"audio_end_ms": None}, "audio_end_ms"),
        ({"content_index": 1}, "content_index"),
        ({"content_index": -1}, "content_index"),
        ({"item_id": "nobody"}, "item_id"),
    ],
)
def test_an_impossible_truncation_is_refused(members: dict[str, Any], param: str) -> None:
    line = Line()
    item_id = spoken(line, seconds=2.0)
    before = line.state()
    request = {"item_id": item_id, "content_index": 0, "audio_end_ms": 100} | members
    assert error(line.say("conversation.item.truncate", **request))["param"] == param
    assert line.state() == before


def test_only_what_the_agent_said_can_be_truncated() -> None:
    line = Line()
    create(line, user_text("hi", id="mine"))
    refusal = error(line.say("conversation.item.truncate", item_id="mine", content_index=0, audio_end_ms=0))
    assert refusal["param"] == "item_id"


def test_an_answer_still_being_made_can_be_truncated_and_takes_no_more() -> None:
    line = Line()
    response = line.respond()
    line.protocol.responses.text_delta(response.id, "one two three four")
    line.protocol.responses.audio_delta(response.id, pcm(2.0))
    line.drain()
    item_id = line.protocol.conversation.last_id
    line.say("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=1000)
    assert line.protocol.responses.text_delta(response.id, " five") == ""
    line.protocol.responses.audio_delta(response.id, pcm(1.0))
    assert line.drain() == []
    line.say("response.cancel")
    item = line.say("conversation.item.retrieve", item_id=item_id)[0]["item"]
    assert item["content"][0]["transcript"] == "one two"
    assert item["status"] == "incomplete"


def test_a_second_truncation_never_brings_words_back() -> None:
    line = Line()
    item_id = spoken(line, "aaaa bbbb cccc dddd", seconds=4.0)
    line.say("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=1000)
    (event,) = line.say("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=4000)
    assert event["audio_end_ms"] == 1000


def test_the_clients_word_about_what_was_heard_replaces_our_estimate() -> None:
    line = Line()
    response = line.respond()
    line.protocol.responses.text_delta(response.id, "aaaa bbbb cccc dddd")
    line.protocol.responses.audio_delta(response.id, pcm(4.0))
    line.protocol.responses.playback_cleared(response.id, heard=1.0)
    line.protocol.responses.finished(response.id, "cancelled", reason="turn_detected")
    item_id = line.protocol.conversation.last_id
    assert "conversation.item.truncated" not in types(line.drain())
    assert line.protocol.conversation.items[0].status == "incomplete"
    line.say("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=2000)
    item = line.say("conversation.item.retrieve", item_id=item_id)[0]["item"]
    assert item["content"][0]["transcript"] == "aaaa bbbb"
    assert item["status"] == "incomplete"


# Retrieval


def test_the_agents_sound_comes_back_with_its_item() -> None:
    line = Line()
    item_id = spoken(line, seconds=1.0)
    item = line.say("conversation.item.retrieve", item_id=item_id)[0]["item"]
    assert base64.b64decode(item["content"][0]["audio"]) == pcm(1.0)


def test_sound_that_would_make_the_frame_too_big_is_left_out() -> None:
    line = Line()
    response = line.respond()
    for _ in range(30):
        line.protocol.responses.audio_delta(response.id, pcm(1.0))
    line.protocol.responses.finished(response.id)
    item_id = line.protocol.conversation.last_id
    line.drain()
    item = line.say("conversation.item.retrieve", item_id=item_id)[0]["item"]
    assert "audio" not in item["content"][0]


def test_the_callers_turn_comes_back_with_the_sound_that_was_speech() -> None:
    line = Line()
    click = b"\x10\x27" * 2_400
    line.say("input_audio_buffer.append", audio=b64(pcm(0.5) + click + pcm(0.5)))
    line.protocol.input.speech_started(500)
    line.protocol.input.speech_stopped(600)
    item_id = line.protocol.input.committed()
    line.drain()
    item = line.say("conversation.item.retrieve", item_id=item_id)[0]["item"]
    assert base64.b64decode(item["content"][0]["audio"]) == click


def test_a_session_may_keep_no_sound_at_all() -> None:
    line = Line(SessionConfig(), keep_audio_bytes=0)
    line.say("input_audio_buffer.append", audio=b64(pcm(0.5)))
    item_id = spoken(line)
    item = line.say("conversation.item.retrieve", item_id=item_id)[0]["item"]
    assert "audio" not in item["content"][0]
