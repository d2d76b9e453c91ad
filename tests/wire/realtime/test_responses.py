from __future__ import annotations

import base64
from typing import Any

import pytest

from runtime.wire.conversation import WordTime
from runtime.wire.realtime import CancelResponse, CreateResponse, SessionConfig
from tests.wire.realtime.line import Line, error, pcm, types, user_text

AUDIO_RESPONSE = [
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
    "response.output_audio_transcript.delta",
    "response.output_audio.delta",
    "response.output_audio_transcript.delta",
    "response.output_audio.delta",
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "response.output_item.done",
    "conversation.item.done",
    "response.done",
]


def test_an_audio_response_is_told_in_the_order_clients_rely_on() -> None:
    line = Line()
    response = line.respond()
    for text in ("Hello ", "there."):
        assert line.protocol.responses.text_delta(response.id, text) == text
        line.protocol.responses.audio_delta(response.id, pcm(0.1))
    line.protocol.responses.finished(response.id)
    line.drain()
    assert types(line.heard[1:]) == AUDIO_RESPONSE
    deltas = [e for e in line.heard if e["type"] == "response.output_audio.delta"]
    assert b"".join(base64.b64decode(e["delta"]) for e in deltas) == pcm(0.2)
    done = line.heard[-1]["response"]
    assert done["status"] == "completed"
    assert done["status_details"] is None
    assert done["output"][0]["content"] == [{"type": "output_audio", "transcript": "Hello there."}]
    assert line.heard[-4]["part"] == {"type": "audio", "transcript": "Hello there."}


def test_a_message_begins_without_content() -> None:
    line = Line()
    line.protocol.responses.text_delta(line.respond().id, "Hello")
    events = line.drain()
    assert events[0]["item"]["content"] == events[1]["item"]["content"] == []
    assert events[0]["item"]["status"] == "in_progress"
    assert events[2]["part"] == {"type": "audio", "transcript": ""}


def test_a_text_response_is_written_only() -> None:
    line = Line()
    response = line.respond(output_modalities=["text"])
    line.protocol.responses.text_delta(response.id, "Hello ")
    line.protocol.responses.audio_delta(response.id, pcm(0.1))
    line.protocol.responses.text_delta(response.id, "there.")
    line.protocol.responses.finished(response.id)
    events = line.drain()
    assert types(events) == [
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "conversation.item.done",
        "response.done",
    ]
    assert events[5]["text"] == "Hello there."
    assert events[-1]["response"]["output"][0]["content"] == [{"type": "output_text", "text": "Hello there."}]


def test_a_function_call_is_whole_when_it_is_added() -> None:
    line = Line()
    response = line.respond()
    line.protocol.responses.function_call(response.id, "look_up", '{"city":"Bern"}', call_id="call_7")
    line.protocol.responses.finished(response.id)
    events = line.drain()
    assert types(events) == [
        "response.output_item.added",
        "conversation.item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
        "conversation.item.done",
        "response.done",
    ]
    added, done = events[1]["item"], events[5]["item"]
    assert (added["name"], added["call_id"], added["arguments"]) == ("look_up", "call_7", "")
    assert (done["arguments"], done["status"]) == ('{"city":"Bern"}', "completed")
    assert (events[3]["name"], events[3]["arguments"]) == ("look_up", '{"city":"Bern"}')


def test_speech_and_a_call_are_numbered_and_chained() -> None:
    line = Line()
    response = line.respond()
    line.protocol.responses.text_delta(response.id, "One moment.")
    line.protocol.responses.function_call(response.id, "look_up", "{}")
    line.protocol.responses.audio_delta(response.id, pcm(0.1))
    line.protocol.responses.finished(response.id)
    done = line.drain()[-1]["response"]
    assert [item["type"] for item in done["output"]] == ["message", "function_call"]
    added = [e for e in line.heard if e["type"] == "conversation.item.added"]
    assert added[1]["previous_item_id"] == added[0]["item"]["id"]
    indexes = [e["output_index"] for e in line.heard if e["type"] == "response.output_item.added"]
    assert indexes == [0, 1]


def test_the_output_of_a_function_waits_for_the_client_to_ask_on() -> None:
    line = Line()
    item = {"type": "function_call_output", "call_id": "call_7", "output": "sunny"}
    assert types(line.say("conversation.item.create", item=item)) == [
        "conversation.item.added",
        "conversation.item.done",
    ]
    assert line.protocol.responses.active is None


def test_a_response_may_say_nothing() -> None:
    line = Line()
    line.protocol.responses.finished(line.respond().id)
    assert line.drain()[-1]["response"]["output"] == []


def test_what_the_client_asked_for_comes_back_and_reaches_the_call() -> None:
    line = Line(SessionConfig(instructions="session", voice="alloy"))
    tool = {"type": "function", "name": "f"}
    response = line.respond(
        instructions="only now",
        metadata={"client_event_id": "e1"},
        tools=[tool],
        tool_choice="required",
        max_output_tokens=64,
        audio={"output": {"voice": "echo", "format": {"type": "audio/pcmu"}}},
    )
    shown = line.heard[-1]["response"]
    assert shown["metadata"] == {"client_event_id": "e1"}
    assert shown["max_output_tokens"] == 64
    assert shown["audio"]["output"] == {"format": {"type": "audio/pcmu"}, "voice": "echo"}
    assert shown["status"] == "in_progress"
    assert line.asked[-1] == CreateResponse(response)
    assert (response.instructions, response.tools, response.tool_choice) == ("only now", (tool,), "required")


def test_null_members_fall_back_to_the_session() -> None:
    line = Line(SessionConfig(instructions="session", max_output_tokens=7))
    response = line.respond(instructions=None, tools=None, audio=None, max_output_tokens=None, metadata=None)
    assert (response.instructions, response.max_output_tokens) == ("session", 7)


def test_a_response_may_lift_the_sessions_limit() -> None:
    line = Line(SessionConfig(max_output_tokens=7))
    assert line.respond(max_output_tokens="inf").max_output_tokens is None


@pytest.mark.parametrize(
    ("response", "param"),
    [
        ({"conversation": "all"}, "response.conversation"),
        ({"output_modalities": ["audio", "text"]}, "response.output_modalities"),
        ({"instructions": 3}, "response.instructions"),
        ({"metadata": {"k": 3}}, "response.metadata.k"),
        ({"metadata": {"k": "v" * 513}}, "response.metadata.k"),
        ({"metadata": {"k" * 65: "v"}}, "response.metadata"),
        ({"metadata": {str(i): "v" for i in range(17)}}, "response.metadata"),
        ({"input": "hi"}, "response.input"),
        ({"input": [{}] * 600}, "response.input"),
        ({"input": [{"type": "item_reference", "id": "nobody"}]}, "response.input[0].id"),
        ({"input": [{"type": "item_reference"}]}, "response.input[0].id"),
        ({"input": ["hi"]}, "response.input[0]"),
        ({"audio": "loud"}, "response.audio"),
        ({"audio": {"output": "loud"}}, "response.audio.output"),
        ({"max_output_tokens": "lots"}, "response.max_output_tokens"),
    ],
)
def test_an_impossible_request_is_named_and_starts_nothing(response: dict[str, Any], param: str) -> None:
    line = Line()
    before = line.state()
    refusal = error(line.say("response.create", event_id="e1", response=response))
    assert (refusal["param"], refusal["event_id"]) == (param, "e1")
    assert line.state() == before


def test_only_one_response_writes_to_the_conversation_at_a_time() -> None:
    line = Line()
    line.respond()
    before = line.state()
    refusal = error(line.say("response.create", event_id="e2"))
    assert refusal["code"] == "conversation_already_has_active_response"
    assert refusal["event_id"] == "e2"
    assert line.state() == before


# Out of band


def test_an_out_of_band_response_joins_no_history() -> None:
    line = Line()
    line.respond()
    aside = line.respond(conversation="none", output_modalities=["text"], metadata={"topic": "mood"})
    line.protocol.responses.text_delta(aside.id, "cheerful")
    line.protocol.responses.finished(aside.id)
    events = line.drain()
    assert not any(kind.startswith("conversation.") for kind in types(events))
    assert events[-1]["response"]["conversation_id"] is None
    assert len(line.protocol.conversation) == 0
    assert line.protocol.responses.active is not None


def test_an_input_of_its_own_is_all_the_brain_sees() -> None:
    line = Line()
    line.say("conversation.item.create", item=user_text("hi", id="old"))
    line.say("conversation.item.create", item=user_text("secret", id="other"))
    reference = {"type": "item_reference", "id": "old"}
    response = line.respond(conversation="none", input=[user_text("Classify.", id="new"), reference])
    assert [item.id for item in line.protocol.responses.history(response)] == ["new", "old"]
    assert line.protocol.responses.history(line.respond(input=[], conversation="none")) == ()
    assert [item.id for item in line.protocol.responses.history(line.respond())] == ["old", "other"]


def test_responses_beside_each_other_are_bounded() -> None:
    line = Line()
    for _ in range(16):
        line.respond(conversation="none")
    assert error(line.say("response.create"))["code"] == "too_many_active_responses"


# Ending early


def test_cancelling_closes_what_is_open() -> None:
    line = Line()
    response = line.respond()
    line.protocol.responses.text_delta(response.id, "Hello")
    line.protocol.responses.audio_delta(response.id, pcm(0.1))
    line.drain()
    events = line.say("response.cancel")
    assert types(events) == AUDIO_RESPONSE[-6:]
    assert events[-1]["response"]["status"] == "cancelled"
    assert events[-1]["response"]["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
    assert events[-3]["item"]["status"] == "incomplete"
    assert line.asked[-1] == CancelResponse(response.id)
    assert line.protocol.responses.active is None


def test_facts_about_a_cancelled_response_are_ignored() -> None:
    line = Line()
    response = line.respond()
    line.say("response.cancel")
    assert line.protocol.responses.text_delta(response.id, "late") == ""
    line.protocol.responses.audio_delta(response.id, pcm(0.1))
    line.protocol.responses.message_done(response.id)
    assert line.protocol.responses.function_call(response.id, "f", "{}") == ""
    line.protocol.responses.finished(response.id)
    assert line.drain() == []


def test_cancelling_when_nothing_is_active_is_an_error_that_two_clients_know() -> None:
    line = Line()
    refusal = error(line.say("response.cancel", event_id="e1"))
    assert refusal["code"] == "response_cancel_not_active"
    assert refusal["message"].startswith("Cancellation failed")
    assert refusal["event_id"] == "e1"


def test_a_response_can_be_cancelled_by_name() -> None:
    line = Line()
    main, aside = line.respond(), line.respond(conversation="none")
    assert types(line.say("response.cancel", response_id=aside.id)) == ["response.done"]
    assert line.protocol.responses.active == main
    refusal = error(line.say("response.cancel", response_id=aside.id))
    assert refusal["code"] == "response_cancel_not_active"


def test_a_barge_in_is_told_as_such() -> None:
    line = Line()
    response = line.respond()
    line.protocol.responses.text_delta(response.id, "one two three four")
    line.protocol.responses.audio_delta(response.id, pcm(2.0))
    line.drain()
    line.protocol.input.speech_started(3000)
    line.protocol.responses.playback_cleared(response.id, heard=1.0)
    line.protocol.responses.finished(response.id, "cancelled", reason="turn_detected")
    events = line.drain()
    assert types(events) == ["input_audio_buffer.speech_started", *AUDIO_RESPONSE[-6:]]
    assert events[-1]["response"]["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    assert events[2]["transcript"] == "one two"


def test_word_times_decide_what_was_heard() -> None:
    line = Line()
    response = line.respond()
    line.protocol.responses.text_delta(response.id, "Slow, then quick.")
    words = [WordTime(0.0, 1.5, (0, 4)), WordTime(1.5, 1.7, (6, 10))]
    line.protocol.responses.audio_delta(response.id, pcm(1.0), words=words[:1])
    line.protocol.responses.audio_delta(response.id, pcm(1.0), words=words[1:])
    line.protocol.responses.playback_cleared(response.id, heard=1.55)
    line.protocol.responses.finished(response.id, "cancelled", reason="turn_detected")
    assert line.drain()[-1]["response"]["output"][0]["content"][0]["transcript"] == "Slow,"


def test_a_failure_says_what_failed() -> None:
    line = Line()
    response = line.respond()
    line.protocol.responses.finished(response.id, "failed", error=("brain_error", "The model refused."))
    details = line.drain()[-1]["response"]["status_details"]
    assert details["type"] == "failed"
    assert details["error"]["code"] == "brain_error"


def test_the_limit_cuts_at_a_word_and_is_told() -> None:
    line = Line()
    response = line.respond(max_output_tokens=5)
    assert line.protocol.responses.text_delta(response.id, "Twelve chars") == "Twelve chars"
    assert line.protocol.responses.text_delta(response.id, " and some more") == " and"
    assert line.protocol.responses.text_delta(response.id, " x") == ""
    line.protocol.responses.audio_delta(response.id, pcm(0.1))
    line.protocol.responses.finished(response.id)
    done = line.drain()[-1]["response"]
    assert done["status"] == "incomplete"
    assert done["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}
    assert done["output"][0]["status"] == "incomplete"


# Figures


def test_usage_is_proportional_to_what_was_read_and_made() -> None:
    line = Line(SessionConfig(instructions="x" * 40))
    line.say("conversation.item.create", item=user_text("y" * 80))
    response = line.respond()
    line.protocol.responses.text_delta(response.id, "z" * 400)
    line.protocol.responses.audio_delta(response.id, pcm(2.0))
    line.protocol.responses.finished(response.id)
    usage = line.drain()[-1]["response"]["usage"]
    assert usage["input_token_details"]["text_tokens"] == 30
    assert usage["output_token_details"] == {"text_tokens": 100, "audio_tokens": 40}
    assert usage["output_tokens"] == 140
    assert usage["total_tokens"] == 170


def test_event_ids_are_never_used_twice() -> None:
    line = Line()
    response = line.respond()
    for _ in range(50):
        line.protocol.responses.audio_delta(response.id, pcm(0.02))
    line.drain()
    seen = [event["event_id"] for event in line.heard]
    assert len(set(seen)) == len(seen)


def test_the_call_may_answer_of_its_own_accord() -> None:
    line = Line(SessionConfig(instructions="session"))
    greeting = line.protocol.responses.begin(instructions="Greet.")
    assert types(line.drain()) == ["response.created"]
    assert line.asked == []
    assert greeting.instructions == "Greet."
    with pytest.raises(RuntimeError):
        line.protocol.responses.begin()


# WebRTC


def test_on_webrtc_audio_leaves_as_media_and_the_buffer_is_reported() -> None:
    line = Line(SessionConfig(), playback="server")
    response = line.respond()
    line.protocol.responses.text_delta(response.id, "Hello.")
    line.protocol.responses.media_delta(response.id, 0.5)
    line.protocol.responses.media_delta(response.id, 0.5)
    line.protocol.responses.finished(response.id)
    line.protocol.responses.playback_drained(response.id)
    line.protocol.responses.playback_drained(response.id)
    kinds = types(line.drain())
    assert "response.output_audio.delta" not in kinds
    assert kinds.count("output_audio_buffer.started") == 1
    assert kinds.index("response.content_part.added") < kinds.index("output_audio_buffer.started")
    assert kinds[-2:] == ["response.done", "output_audio_buffer.stopped"]


def test_on_webrtc_the_server_knows_what_was_heard() -> None:
    line = Line(SessionConfig(), playback="server")
    response = line.respond()
    line.protocol.responses.text_delta(response.id, "aaaa bbbb cccc dddd")
    line.protocol.responses.media_delta(response.id, 4.0)
    line.protocol.responses.finished(response.id)
    line.drain()
    line.protocol.input.speech_started(5000)
    line.protocol.responses.playback_cleared(response.id, heard=2.2)
    events = line.drain()
    assert types(events) == [
        "input_audio_buffer.speech_started",
        "output_audio_buffer.cleared",
        "conversation.item.truncated",
    ]
    assert events[2]["audio_end_ms"] == 2200
    assert line.protocol.conversation.items[0].text == "aaaa bbbb"  # type: ignore[union-attr]


def test_a_client_may_clear_what_is_playing_and_a_late_clear_is_no_error() -> None:
    line = Line(SessionConfig(), playback="server")
    assert line.say("output_audio_buffer.clear") == []
    response = line.respond()
    line.protocol.responses.media_delta(response.id, 1.0)
    line.say("output_audio_buffer.clear")
    assert type(line.asked[-1]).__name__ == "ClearPlayback"
    line.protocol.responses.playback_cleared(response.id, heard=0.5)
    assert "output_audio_buffer.cleared" in types(line.drain())
    assert line.say("output_audio_buffer.clear") == []


def test_speech_goes_on_in_its_place_after_a_call_was_made() -> None:
    line = Line()
    response = line.respond()
    line.protocol.responses.text_delta(response.id, "Let me look. One moment.")
    line.protocol.responses.audio_delta(response.id, pcm(0.2))
    line.protocol.responses.function_call(response.id, "look_up", "{}")
    line.protocol.responses.audio_delta(response.id, pcm(0.3))
    line.protocol.responses.finished(response.id)
    events = line.drain()
    sound = [event["output_index"] for event in events if event["type"] == "response.output_audio.delta"]
    assert sound == [0, 0]
    kinds = types(events)
    assert kinds.index("response.function_call_arguments.done") < kinds.index("response.output_audio.done")
    assert [item["type"] for item in events[-1]["response"]["output"]] == ["message", "function_call"]


def test_the_answer_to_a_call_waits_until_the_speech_before_it_is_heard_out() -> None:
    line = Line()
    response = line.respond()
    line.protocol.responses.text_delta(response.id, "One moment.")
    line.protocol.responses.audio_delta(response.id, pcm(0.2))
    call_id = line.protocol.responses.function_call(response.id, "look_up", "{}")
    line.drain()
    line.say(
        "conversation.item.create",
        item={"type": "function_call_output", "call_id": call_id, "output": "sunny"},
    )
    assert line.say("response.create", response={"metadata": {"n": "2"}}) == []
    # One may wait; another is too many.
    assert error(line.say("response.create"))["code"] == "conversation_already_has_active_response"
    line.protocol.responses.finished(response.id)
    line.drain()
    begun = line.protocol.responses.begin_deferred()
    assert begun is not None
    assert begun.metadata == {"n": "2"}
    assert types(line.drain()) == ["response.created"]
    assert line.protocol.responses.begin_deferred() is None
    line.protocol.responses.finished(begun.id)
    line.drain()


def test_a_caller_who_speaks_meanwhile_goes_before_the_answer_to_a_call() -> None:
    line = Line()
    response = line.respond()
    line.protocol.responses.function_call(response.id, "look_up", "{}")
    line.say("response.create", event_id="mine")
    line.protocol.responses.finished(response.id, "cancelled", reason="turn_detected")
    line.protocol.responses.begin()
    line.drain()
    assert line.protocol.responses.begin_deferred() is None
    refused = error(line.drain())
    assert (refused["code"], refused["event_id"]) == ("conversation_already_has_active_response", "mine")
