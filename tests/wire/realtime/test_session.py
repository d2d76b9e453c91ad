from __future__ import annotations

from typing import Any

import pytest

from runtime.wire.realtime import ResolveVoice, ServerVad, SessionChanged, SessionConfig
from tests.wire.realtime.line import Line, error, pcm, types, user_text


def update(line: Line, **session: Any) -> list[dict[str, Any]]:
    return line.say("session.update", session={"type": "realtime"} | session)


def hearing(line: Line) -> dict[str, Any]:
    found: dict[str, Any] = line.session["audio"]["input"]
    return found


def test_the_first_frame_is_the_whole_session() -> None:
    line = Line(SessionConfig(model="agent_1", voice="voice_9", instructions="Be brief."), expires_at=1_800)
    assert types(line.heard) == ["session.created"]
    shown = line.session
    assert shown["type"] == "realtime"
    assert shown["object"] == "realtime.session"
    assert shown["model"] == "agent_1"
    assert shown["instructions"] == "Be brief."
    assert shown["expires_at"] == 1_800
    assert shown["output_modalities"] == ["audio"]
    assert shown["max_output_tokens"] == "inf"
    assert shown["audio"]["output"] == {
        "format": {"type": "audio/pcm", "rate": 24000},
        "voice": "voice_9",
        "speed": 1.0,
    }
    assert shown["audio"]["input"]["turn_detection"]["interrupt_response"] is True


def test_an_absent_member_keeps_its_value_and_an_empty_one_clears_it() -> None:
    line = Line()
    tool = {"type": "function", "name": "look_up", "parameters": {"type": "object"}}
    update(line, instructions="Be brief.", tools=[tool])
    update(line, output_modalities=["text"])
    assert line.session["instructions"] == "Be brief."
    assert line.session["tools"] == [tool]
    assert line.session["output_modalities"] == ["text"]
    update(line, instructions="", tools=[])
    assert line.session["instructions"] == ""
    assert line.session["tools"] == []


def test_null_switches_off_what_can_be_switched_off() -> None:
    line = Line()
    update(
        line,
        audio={"input": {"transcription": {"model": "whisper-1"}, "noise_reduction": {"type": "near_field"}}},
    )
    assert hearing(line)["transcription"] == {"model": "whisper-1"}
    assert hearing(line)["noise_reduction"] == {"type": "near_field"}
    update(line, audio={"input": {"transcription": None, "noise_reduction": None, "turn_detection": None}})
    assert hearing(line)["transcription"] is None
    assert hearing(line)["noise_reduction"] is None
    assert hearing(line)["turn_detection"] is None


def test_null_means_no_opinion_where_nothing_can_be_switched_off() -> None:
    line = Line(SessionConfig(instructions="Be brief.", voice="alloy"))
    update(
        line, instructions=None, tools=None, audio={"output": {"voice": None, "speed": None}, "input": None}
    )
    assert line.session["instructions"] == "Be brief."
    assert line.session["audio"]["output"]["voice"] == "alloy"


def test_a_detector_is_merged_member_by_member() -> None:
    line = Line()
    update(line, audio={"input": {"turn_detection": {"type": "server_vad", "threshold": 0.7}}})
    update(line, audio={"input": {"turn_detection": {"silence_duration_ms": 800, "threshold": None}}})
    detector = hearing(line)["turn_detection"]
    assert detector["threshold"] == 0.7
    assert detector["silence_duration_ms"] == 800
    assert detector["prefix_padding_ms"] == 300


def test_another_kind_of_detector_starts_from_its_own_defaults() -> None:
    line = Line()
    update(line, audio={"input": {"turn_detection": {"type": "server_vad", "interrupt_response": False}}})
    update(line, audio={"input": {"turn_detection": {"type": "semantic_vad", "eagerness": "high"}}})
    assert hearing(line)["turn_detection"] == {
        "type": "semantic_vad",
        "eagerness": "high",
        "create_response": True,
        "interrupt_response": True,
    }
    update(line, audio={"input": {"turn_detection": {"type": "server_vad"}}})
    assert hearing(line)["turn_detection"] == ServerVad().model_dump()


def test_an_idle_timeout_can_be_switched_off_again() -> None:
    line = Line()
    update(line, audio={"input": {"turn_detection": {"type": "server_vad", "idle_timeout_ms": 6000}}})
    assert hearing(line)["turn_detection"]["idle_timeout_ms"] == 6000
    update(line, audio={"input": {"turn_detection": {"idle_timeout_ms": None}}})
    assert hearing(line)["turn_detection"]["idle_timeout_ms"] is None


def test_what_sdks_send_as_a_matter_of_course_is_no_error() -> None:
    line = Line()
    update(
        line,
        model="gpt-realtime",
        tracing="auto",
        prompt={"id": "pmpt_1"},
        reasoning={"effort": "low"},
        truncation="auto",
        include=["item.input_audio_transcription.logprobs"],
        something_new={"a": 1},
        audio={"input": {"transcription": {"model": "no-such-model", "delay": "low"}}},
    )
    assert types(line.heard)[-1] == "session.updated"
    assert line.session["model"] == "agent"


def test_the_whole_echo_can_be_sent_back() -> None:
    line = Line(SessionConfig(model="agent", voice="voice_9"))
    update(line, audio={"input": {"transcription": {"model": "whisper-1"}}}, max_output_tokens=200)
    before = line.session
    line.say("session.update", session=before)
    assert line.session == before


@pytest.mark.parametrize(
    ("session", "param"),
    [
        ({"output_modalities": ["text", "audio"]}, "session.output_modalities"),
        ({"output_modalities": "audio"}, "session.output_modalities"),
        ({"instructions": 7}, "session.instructions"),
        ({"max_output_tokens": 0}, "session.max_output_tokens"),
        ({"max_output_tokens": 5000}, "session.max_output_tokens"),
        ({"max_output_tokens": True}, "session.max_output_tokens"),
        ({"tools": [{"type": "mcp", "server_url": "x"}]}, "session.tools[0].type"),
        ({"tools": [{"type": "function"}]}, "session.tools[0].name"),
        ({"tools": {"a": 1}}, "session.tools"),
        ({"tool_choice": "sometimes"}, "session.tool_choice"),
        ({"audio": 3}, "session.audio"),
        ({"audio": {"input": []}}, "session.audio.input"),
        (
            {"audio": {"input": {"format": {"type": "audio/pcm", "rate": 16000}}}},
            "session.audio.input.format.rate",
        ),
        ({"audio": {"output": {"format": {"type": "audio/mp3"}}}}, "session.audio.output.format.type"),
        ({"audio": {"output": {"speed": 9}}}, "session.audio.output.speed"),
        ({"audio": {"output": {"voice": 5}}}, "session.audio.output.voice"),
        ({"audio": {"output": {"voice": {"name": "x"}}}}, "session.audio.output.voice"),
        (
            {"audio": {"input": {"turn_detection": {"type": "magic"}}}},
            "session.audio.input.turn_detection.type",
        ),
        (
            {"audio": {"input": {"turn_detection": {"type": "server_vad", "threshold": 3}}}},
            "session.audio.input.turn_detection.threshold",
        ),
        (
            {"audio": {"input": {"turn_detection": {"silence_duration_ms": -1}}}},
            "session.audio.input.turn_detection.silence_duration_ms",
        ),
        (
            {"audio": {"input": {"turn_detection": {"type": "semantic_vad", "eagerness": "very"}}}},
            "session.audio.input.turn_detection.eagerness",
        ),
        ({"audio": {"input": {"transcription": "yes"}}}, "session.audio.input.transcription"),
        (
            {"audio": {"input": {"noise_reduction": {"type": "studio"}}}},
            "session.audio.input.noise_reduction",
        ),
    ],
)
def test_an_impossible_value_is_named_and_nothing_of_the_update_is_taken(
    session: dict[str, Any], param: str
) -> None:
    line = Line()
    before = line.state()
    refusal = error(update(line, **({"instructions": "New."} | session)))
    assert refusal["param"] == param
    assert refusal["type"] == "invalid_request_error"
    assert line.state() == before


def test_an_update_needs_its_type() -> None:
    line = Line()
    refusal = error(line.say("session.update", event_id="mine", session={"instructions": "x"}))
    assert refusal["code"] == "missing_required_parameter"
    assert refusal["param"] == "session.type"
    assert refusal["event_id"] == "mine"


@pytest.mark.parametrize(
    "session",
    [
        {"modalities": ["audio", "text"]},
        {"input_audio_format": "pcm16"},
        {"type": "realtime", "voice": "alloy"},
        {"turn_detection": {"type": "server_vad"}},
        {"input_audio_transcription": {"model": "whisper-1"}},
    ],
)
def test_the_beta_shape_is_refused_with_the_way_out(session: dict[str, Any]) -> None:
    line = Line()
    refusal = error(line.say("session.update", session=session))
    assert refusal["code"] == "beta_api_shape_disabled"
    assert "GA" in refusal["message"]


def test_other_beta_messages_are_refused_as_such() -> None:
    line = Line()
    refusal = error(line.say("transcription_session.update", session={}))
    assert refusal["code"] == "beta_api_shape_disabled"
    refusal = error(line.say("response.create", response={"modalities": ["text"]}))
    assert refusal["code"] == "beta_api_shape_disabled"


# The voice


def test_another_voice_is_taken_once_somebody_vouches_for_it() -> None:
    line = Line()
    assert update(line, audio={"output": {"voice": {"id": "voice_9"}}}) == []
    assert line.asked == [ResolveVoice("voice_9")]
    line.protocol.voice_resolved()
    assert types(line.drain()) == ["session.updated"]
    assert line.session["audio"]["output"]["voice"] == "voice_9"
    assert isinstance(line.asked[-1], SessionChanged)


def test_an_unknown_voice_refuses_the_whole_update() -> None:
    line = Line()
    before = line.state()
    line.say(
        "session.update", event_id="mine", session={"type": "realtime", "audio": {"output": {"voice": "x"}}}
    )
    line.protocol.voice_refused("No voice 'x'.")
    refusal = error(line.drain())
    assert refusal["code"] == "voice_not_found"
    assert refusal["event_id"] == "mine"
    assert line.state() == before


def test_what_is_sent_while_a_voice_is_looked_up_is_read_afterwards_in_order() -> None:
    line = Line()
    update(line, audio={"output": {"voice": "voice_1"}})
    update(line, instructions="second")
    update(line, audio={"output": {"voice": "voice_2"}})
    assert line.say("response.create") == []
    line.protocol.voice_resolved()
    assert types(line.drain()) == ["session.updated", "session.updated"]
    line.protocol.voice_resolved()
    assert types(line.drain()) == ["session.updated", "response.created"]
    active = line.protocol.responses.active
    assert active is not None
    assert (active.voice, active.instructions) == ("voice_2", "second")


def test_a_built_in_name_does_not_replace_the_agents_own_voice() -> None:
    line = Line(SessionConfig(voice="voice_own"), agent_voice="voice_own")
    update(line, audio={"output": {"voice": "ash"}})
    assert line.session["audio"]["output"]["voice"] == "voice_own"
    assert line.respond(audio={"output": {"voice": "marin"}}).voice == "voice_own"


def test_the_voice_is_frozen_once_it_has_spoken() -> None:
    line = Line()
    response = line.respond()
    line.protocol.responses.audio_delta(response.id, pcm(0.1))
    line.protocol.responses.finished(response.id)
    line.drain()
    assert types(update(line, audio={"output": {"voice": "alloy"}})) == ["session.updated"]
    refusal = error(update(line, audio={"output": {"voice": "echo"}}))
    assert refusal["message"] == "Cannot update a conversation's voice if assistant audio is present."
    assert line.session["audio"]["output"]["voice"] == "alloy"


def test_waiting_messages_are_bounded() -> None:
    line = Line()
    update(line, audio={"output": {"voice": "voice_1"}})
    line.say_text(" " * (32 * 2**20))
    assert error(line.say_text(" "))["type"] == "server_error"


# Transcription sessions


def test_a_first_update_makes_a_transcription_session() -> None:
    line = Line()
    session = {"type": "transcription", "audio": {"input": {"transcription": {"model": "whisper-1"}}}}
    line.say("session.update", session=session)
    shown = line.session
    assert shown["type"] == "transcription"
    assert shown["object"] == "realtime.transcription_session"
    assert shown.keys() <= {"type", "object", "id", "expires_at", "audio", "include"}
    assert shown["audio"].keys() == {"input"}
    refusal = error(update(line))
    assert refusal["param"] == "session.type"


def test_a_transcription_session_always_reports_words() -> None:
    line = Line(SessionConfig(type="transcription"))
    line.protocol.input.speech_started(100)
    line.protocol.input.speech_stopped(900)
    item_id = line.protocol.input.committed()
    line.protocol.input.transcription_delta(item_id, "good morning")
    line.protocol.input.transcription_completed(item_id, "good morning", seconds=0.8)
    assert types(line.drain()) == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.completed",
    ]


def test_a_transcription_session_answers_nothing() -> None:
    line = Line(SessionConfig(type="transcription"))
    assert error(line.say("response.create"))["code"] == "invalid_session_type"
    assert error(line.say("conversation.item.create", item=user_text("hi")))["code"] == "invalid_session_type"
