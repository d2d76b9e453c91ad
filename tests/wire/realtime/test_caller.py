from __future__ import annotations

from typing import Any

import pytest

from runtime.wire.realtime import (
    AppendAudio,
    AudioFormat,
    ClearAudio,
    CommitAudio,
    SessionConfig,
    Transcription,
)
from tests.wire.realtime.line import Line, b64, error, pcm, types

MANUAL = SessionConfig(turn_detection=None)


def test_a_detected_turn_is_told_in_order_under_one_id() -> None:
    line = Line()
    line.say("input_audio_buffer.append", audio=b64(pcm(2.0)))
    item_id = line.protocol.input.speech_started(300)
    line.protocol.input.speech_stopped(1500)
    assert line.protocol.input.committed() == item_id
    events = line.drain()
    assert types(events) == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
    ]
    assert [e.get("item_id", e.get("item", {}).get("id")) for e in events] == [item_id] * 5
    assert events[3]["item"]["content"] == [{"type": "input_audio", "transcript": None}]
    assert (events[0]["audio_start_ms"], events[1]["audio_end_ms"]) == (300, 1500)


def test_speech_that_goes_on_is_still_the_same_turn() -> None:
    line = Line()
    first = line.protocol.input.speech_started(300)
    line.protocol.input.speech_stopped(800)
    assert line.protocol.input.speech_started(1000) == first
    line.protocol.input.speech_stopped(1500)
    assert line.protocol.input.committed() == first
    assert line.protocol.input.speech_started(3000) != first


def test_words_reach_the_client_if_it_asked_and_the_history_in_any_case() -> None:
    quiet, told = Line(), Line(SessionConfig(transcription=Transcription(model="whisper-1")))
    for line in (quiet, told):
        line.protocol.input.speech_started(0)
        item_id = line.protocol.input.committed()
        line.drain()
        line.protocol.input.transcription_delta(item_id, "good ")
        line.protocol.input.transcription_completed(item_id, "good morning", seconds=1.25)
        item = line.say("conversation.item.retrieve", item_id=item_id)[-1]["item"]
        assert item["content"][0]["transcript"] == "good morning"
    assert "conversation.item.input_audio_transcription.completed" not in types(quiet.heard)
    completed = told.heard[-2]
    assert completed["transcript"] == "good morning"
    assert completed["usage"] == {"type": "duration", "seconds": 1.25}


def test_a_recogniser_that_gave_up_is_reported() -> None:
    line = Line(SessionConfig(transcription=Transcription()))
    item_id = line.protocol.input.committed()
    line.protocol.input.transcription_failed(item_id, "Too noisy.")
    event = line.drain()[-1]
    assert event["type"] == "conversation.item.input_audio_transcription.failed"
    assert event["error"]["message"] == "Too noisy."


def test_a_client_may_commit_its_turns_itself() -> None:
    line = Line(MANUAL)
    line.say("input_audio_buffer.append", audio=b64(pcm(0.5)))
    line.say("input_audio_buffer.append", audio=b64(pcm(0.25)))
    events = line.say("input_audio_buffer.commit")
    assert types(events) == [
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
    ]
    commit = line.asked[-1]
    assert isinstance(commit, CommitAudio)
    assert commit.item_id == events[0]["item_id"]
    assert commit.seconds == pytest.approx(0.75)
    assert line.protocol.responses.active is None


def test_an_empty_buffer_cannot_be_committed() -> None:
    line = Line(MANUAL)
    assert error(line.say("input_audio_buffer.commit"))["code"] == "input_audio_buffer_commit_empty"
    line.say("input_audio_buffer.append", audio=b64(pcm(0.5)))
    line.say("input_audio_buffer.clear")
    assert error(line.say("input_audio_buffer.commit"))["code"] == "input_audio_buffer_commit_empty"


def test_a_double_commit_while_turns_are_detected_is_harmless() -> None:
    line = Line()
    line.say("input_audio_buffer.append", audio=b64(pcm(0.5)))
    line.protocol.input.committed()
    line.drain()
    assert line.say("input_audio_buffer.commit") == []


def test_clearing_forgets_the_turn() -> None:
    line = Line()
    line.say("input_audio_buffer.append", audio=b64(pcm(0.5)))
    first = line.protocol.input.speech_started(100)
    line.drain()
    assert types(line.say("input_audio_buffer.clear")) == ["input_audio_buffer.cleared"]
    assert line.asked[-1] == ClearAudio()
    assert line.protocol.input.speech_started(600) != first


def test_audio_is_handed_on_as_it_came() -> None:
    line = Line()
    assert line.say("input_audio_buffer.append", audio=b64(b"\1\2\3\4")) == []
    assert line.asked == [AppendAudio(b"\1\2\3\4")]
    assert line.say("input_audio_buffer.append", audio="") == []
    assert len(line.asked) == 1


@pytest.mark.parametrize("kind", ["audio/pcmu", "audio/pcma"])
def test_g711_is_counted_at_its_own_rate(kind: str) -> None:
    line = Line(SessionConfig(input_format=AudioFormat.model_validate({"type": kind})))
    line.say("input_audio_buffer.append", audio=b64(bytes(8001)))
    assert line.protocol.input.milliseconds == 1000
    assert line.session["audio"]["input"]["format"] == {"type": kind}


@pytest.mark.parametrize("audio", ["not base64!", "AAA", b64(b"\0\0\0"), "AAAA\n", "é"])
def test_audio_that_is_no_whole_number_of_samples_is_refused(audio: str) -> None:
    line = Line()
    before = line.state()
    refusal = error(line.say("input_audio_buffer.append", audio=audio, event_id="e1"))
    assert (refusal["param"], refusal["event_id"]) == ("audio", "e1")
    assert line.state() == before
    assert line.asked == []


def test_too_much_audio_at_once_is_refused() -> None:
    line = Line()
    refusal = error(line.say("input_audio_buffer.append", audio=b64(bytes(15 * 2**20 + 2))))
    assert refusal["param"] == "audio"


def test_an_idle_caller_is_told_and_the_silence_committed() -> None:
    line = Line()
    line.say("input_audio_buffer.append", audio=b64(pcm(7.0)))
    item_id = line.protocol.input.timeout_triggered(1000, 7000)
    events = line.drain()
    assert types(events) == [
        "input_audio_buffer.timeout_triggered",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
    ]
    assert events[0]["item_id"] == item_id
    assert (events[0]["audio_start_ms"], events[0]["audio_end_ms"]) == (1000, 7000)


def test_audio_that_came_as_media_can_be_committed() -> None:
    line = Line(MANUAL, playback="server")
    line.protocol.input.received(0.5)
    assert types(line.say("input_audio_buffer.commit"))[0] == "input_audio_buffer.committed"
    assert line.protocol.input.milliseconds == 500


def test_what_we_add_ourselves_is_told() -> None:
    line = Line()
    item_id = line.protocol.items.user_said("1 2 3 #")
    line.protocol.items.function_output("call_1", "42")
    assert types(line.drain()) == ["conversation.item.added", "conversation.item.done"] * 2
    assert line.heard[-1]["previous_item_id"] == item_id


def test_a_fault_of_ours_is_told_and_the_session_goes_on() -> None:
    line = Line()
    line.protocol.fail("The recogniser went away.", code="recognition_error")
    assert error(line.drain())["type"] == "server_error"


def deltas(events: list[dict[str, Any]]) -> list[str]:
    return [event["delta"] for event in events if event["type"].endswith("transcription.delta")]


def test_words_are_told_while_they_are_spoken_when_two_results_agree() -> None:
    line = Line(SessionConfig(transcription=Transcription()))
    line.protocol.input.speech_started(100)
    for heard in ("I", "I would", "I would like", "I would like two", "I would like to know"):
        line.protocol.input.transcription_partial(heard)
    assert deltas(line.drain()) == ["I", " would"]
    line.protocol.input.speech_stopped(900)
    item_id = line.protocol.input.committed()
    line.protocol.input.transcription_completed(item_id, "I would like to know", seconds=0.8)
    told = line.drain()
    assert deltas(told) == [" like to know"]
    assert told[-1]["transcript"] == "I would like to know"


def test_a_recogniser_that_changes_its_mind_is_corrected_by_the_transcript() -> None:
    line = Line(SessionConfig(transcription=Transcription()))
    line.protocol.input.speech_started(100)
    for heard in ("ice cream now", "ice cream now", "I scream", "I scream now"):
        line.protocol.input.transcription_partial(heard)
    assert deltas(line.drain()) == ["ice cream"]
    item_id = line.protocol.input.committed()
    line.protocol.input.transcription_completed(item_id, "I scream now", seconds=0.8)
    told = line.drain()
    assert deltas(told) == []
    assert told[-1]["transcript"] == "I scream now"


def test_partial_words_of_one_turn_are_not_taken_for_the_next() -> None:
    line = Line(SessionConfig(transcription=Transcription()))
    line.protocol.input.transcription_partial("before any turn")
    line.protocol.input.speech_started(100)
    line.protocol.input.transcription_partial("one two")
    line.protocol.input.committed()
    line.protocol.input.speech_started(2000)
    line.protocol.input.transcription_partial("one two")
    assert deltas(line.drain()) == []
    line.protocol.input.transcription_partial("one two")
    assert deltas(line.drain()) == ["one"]


def test_nobody_who_did_not_ask_is_told_partial_words() -> None:
    line = Line()
    line.protocol.input.speech_started(100)
    for _ in range(3):
        line.protocol.input.transcription_partial("one two three")
    assert deltas(line.drain()) == []
