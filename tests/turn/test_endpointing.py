from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.turn.endpointing import LONGEST_WAIT, Eagerness, Endpointer, SemanticVad, ServerVad
from runtime.turn.events import (
    WINDOW_SAMPLES,
    IdleTimedOut,
    SpeechResumed,
    SpeechStarted,
    SpeechStopped,
    TurnEnded,
    TurnEvent,
)

SECOND = 16_000
WINDOW = WINDOW_SAMPLES / SECOND


def feed(endpointer: Endpointer, probability: float, seconds: float) -> list[TurnEvent]:
    events: list[TurnEvent] = []
    for _ in range(round(seconds / WINDOW)):
        events += endpointer.push(probability)
    return events


def turn_ended(events: list[TurnEvent]) -> TurnEnded:
    (ended,) = [event for event in events if isinstance(event, TurnEnded)]
    return ended


def test_a_turn_runs_from_its_pre_roll_to_the_end_of_its_hangover() -> None:
    endpointer = Endpointer(ServerVad(prefix_padding=0.3, silence_duration=0.512))
    events = feed(endpointer, 0.0, 0.96) + feed(endpointer, 0.9, 1.6) + feed(endpointer, 0.0, 1.0)
    onset, speech_end = round(0.96 * SECOND), round(2.56 * SECOND)
    assert events == [
        SpeechStarted(onset - round(0.3 * SECOND), onset),
        SpeechStopped(speech_end),
        TurnEnded(onset - round(0.3 * SECOND), speech_end + round(0.512 * SECOND), speech_end, "silence"),
    ]


def test_pre_roll_stops_at_the_beginning_of_the_call() -> None:
    endpointer = Endpointer(ServerVad(prefix_padding=0.5))
    (started,) = feed(endpointer, 0.9, 0.16)
    assert started == SpeechStarted(0, 0)


def test_pre_roll_never_takes_back_the_turn_before() -> None:
    endpointer = Endpointer(ServerVad(prefix_padding=1.0, silence_duration=0.2))
    first = turn_ended(feed(endpointer, 0.9, 0.32) + feed(endpointer, 0.0, 0.32))
    started = feed(endpointer, 0.9, 0.32)[0]
    assert isinstance(started, SpeechStarted)
    assert started.at == first.end


def test_a_single_window_is_a_blip_and_opens_nothing() -> None:
    endpointer = Endpointer()
    assert feed(endpointer, 0.9, WINDOW) + feed(endpointer, 0.0, 2.0) == []


def test_a_word_between_two_pauses_is_one_turn() -> None:
    endpointer = Endpointer(ServerVad(silence_duration=0.5))
    feed(endpointer, 0.9, 0.32)
    events = feed(endpointer, 0.0, 0.32) + feed(endpointer, 0.9, 0.32) + feed(endpointer, 0.0, 0.8)
    assert [type(event) for event in events] == [SpeechStopped, SpeechResumed, SpeechStopped, TurnEnded]


def test_a_voice_that_fades_goes_on_but_does_not_begin() -> None:
    fading = 0.4  # under the threshold of 0.5, above it less the hysteresis
    assert feed(Endpointer(), fading, 2.0) == []
    endpointer = Endpointer()
    feed(endpointer, 0.9, 0.32)
    assert feed(endpointer, fading, 2.0) == []
    assert endpointer.speaking


def test_endless_sound_ends_a_turn_at_its_bound() -> None:
    endpointer = Endpointer(ServerVad(max_turn=5.0, prefix_padding=0.0))
    ended = turn_ended(feed(endpointer, 0.9, 5.5))
    assert (ended.reason, ended.end) == (
        "length",
        5 * SECOND // WINDOW_SAMPLES * WINDOW_SAMPLES + WINDOW_SAMPLES,
    )


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("I would like to book a table for tomorrow", 0.352),
        ("the green one with stripes", 0.8),
        ("my number is", 4.0),
        ("", 0.8),
    ],
)
def test_semantic_vad_waits_by_what_was_said(words: str, expected: float) -> None:
    endpointer = Endpointer(SemanticVad(eagerness="medium"))
    feed(endpointer, 0.9, 0.64)
    endpointer.transcribed(words)
    ended = turn_ended(feed(endpointer, 0.0, 5.0)[:2])
    assert (ended.end - ended.speech_end) / SECOND == pytest.approx(expected, abs=WINDOW)
    assert ended.reason == ("complete" if expected < 0.5 else "silence")


@pytest.mark.parametrize("eagerness", ["low", "medium", "high", "auto"])
def test_semantic_vad_waits_no_longer_than_documented(eagerness: Eagerness) -> None:
    endpointer = Endpointer(SemanticVad(eagerness=eagerness))
    feed(endpointer, 0.9, 0.64)
    endpointer.transcribed("well I want to")
    ended = turn_ended(feed(endpointer, 0.0, 10.0))
    assert (ended.end - ended.speech_end) / SECOND == pytest.approx(LONGEST_WAIT[eagerness], abs=WINDOW)


def test_words_of_one_turn_do_not_count_for_the_next() -> None:
    endpointer = Endpointer(SemanticVad(eagerness="medium"))
    feed(endpointer, 0.9, 0.32)
    endpointer.transcribed("yes")
    feed(endpointer, 0.0, 0.5)
    feed(endpointer, 0.9, 0.32)
    ended = turn_ended(feed(endpointer, 0.0, 2.0))
    assert ended.end - ended.speech_end > 0.7 * SECOND


def test_a_caller_who_says_nothing_is_noticed_once() -> None:
    endpointer = Endpointer(ServerVad(idle_timeout=2.0))
    feed(endpointer, 0.0, 3.2)
    endpointer.wait_for_caller()
    begun = endpointer.position
    (event,) = feed(endpointer, 0.0, 6.0)
    assert isinstance(event, IdleTimedOut)
    assert event.start == begun
    assert (event.end - event.start) / SECOND == pytest.approx(2.0, abs=WINDOW)


def test_speech_ends_the_wait_for_the_caller() -> None:
    endpointer = Endpointer(ServerVad(idle_timeout=2.0, silence_duration=0.2))
    endpointer.wait_for_caller()
    events = feed(endpointer, 0.9, 0.32) + feed(endpointer, 0.0, 5.0)
    assert not [event for event in events if isinstance(event, IdleTimedOut)]


def test_no_idle_timeout_while_we_speak() -> None:
    endpointer = Endpointer(ServerVad(idle_timeout=2.0))
    endpointer.wait_for_caller()
    endpointer.stop_waiting()
    assert feed(endpointer, 0.0, 5.0) == []


def test_reset_forgets_the_turn_and_keeps_the_position() -> None:
    endpointer = Endpointer(ServerVad(prefix_padding=1.0))
    feed(endpointer, 0.9, 0.64)
    endpointer.reset()
    assert endpointer.turn_start is None
    begun = endpointer.position
    (started,) = feed(endpointer, 0.9, 0.32)
    assert isinstance(started, SpeechStarted)
    assert started.at == begun


def test_a_policy_changed_in_mid_turn_judges_the_rest_of_it() -> None:
    endpointer = Endpointer(ServerVad(silence_duration=5.0))
    feed(endpointer, 0.9, 0.64)
    feed(endpointer, 0.0, 0.32)
    endpointer.configure(ServerVad(silence_duration=0.2))
    assert turn_ended(feed(endpointer, 0.0, WINDOW))


@pytest.mark.parametrize(
    "setting",
    [{"threshold": 1.5}, {"silence_duration": -1.0}, {"prefix_padding": 99.0}, {"idle_timeout": 0.0}],
)
def test_settings_out_of_range_are_refused_by_name(setting: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(setting))):
        ServerVad(**setting)


def test_an_unknown_eagerness_is_refused() -> None:
    with pytest.raises(ValueError, match="eagerness"):
        SemanticVad(eagerness="hasty")  # type: ignore[arg-type]


@given(st.lists(st.floats(0, 1), max_size=400), st.floats(0.05, 1.0), st.floats(0.0, 1.0))
def test_turns_are_ordered_disjoint_and_contain_their_speech(
    probabilities: list[float], silence: float, padding: float
) -> None:
    endpointer = Endpointer(ServerVad(silence_duration=silence, prefix_padding=padding, max_turn=3.0))
    events = [event for p in probabilities for event in endpointer.push(p)]
    turns = [event for event in events if isinstance(event, TurnEnded)]
    previous_end = 0
    for turn in turns:
        assert previous_end <= turn.start <= turn.speech_end <= turn.end <= endpointer.position
        previous_end = turn.end
    starts = [event for event in events if isinstance(event, SpeechStarted)]
    assert len(starts) - len(turns) == (endpointer.turn_start is not None)
    assert [start.at for start in starts][: len(turns)] == [turn.start for turn in turns]


@given(st.lists(st.sampled_from([0.0, 1.0]), max_size=200))
def test_window_size_does_not_move_decisions_beyond_a_window(probabilities: list[float]) -> None:
    whole, halves = Endpointer(), Endpointer()
    coarse = [event for p in probabilities for event in whole.push(p)]
    fine = [event for p in probabilities for _ in range(2) for event in halves.push(p, WINDOW_SAMPLES // 2)]
    assert [type(event) for event in coarse] == [type(event) for event in fine]
