from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.turn.barge_in import BargeInDetector, BargeInSettings, is_back_channel
from runtime.turn.events import (
    WINDOW_SAMPLES,
    WINDOW_SECONDS,
    BargedIn,
    BargeInEvent,
    Ducked,
    FalseAlarm,
    VadWindow,
)

SECOND = 16_000


class Line:
    """A caller's line, heard while we speak."""

    def __init__(self, settings: BargeInSettings | None = None) -> None:
        self.detector = BargeInDetector(settings)
        self.position = 0

    def hear(self, seconds: float, *, probability: float = 0.95, level: float = -25.0) -> list[BargeInEvent]:
        events = []
        for _ in range(round(seconds / WINDOW_SECONDS)):
            event = self.detector.push(VadWindow(self.position, probability, level))
            self.position += WINDOW_SAMPLES
            if event is not None:
                events.append(event)
        return events

    def quiet(self, seconds: float) -> list[BargeInEvent]:
        return self.hear(seconds, probability=0.02, level=-60.0)


def test_a_caller_who_goes_on_is_ducked_for_and_then_stops_us() -> None:
    line = Line(BargeInSettings(duck_after=0.096, stop_after=0.6))
    line.quiet(0.96)
    onset = line.position
    ducked, barged_in = line.hear(1.0)
    assert ducked == Ducked(onset)
    assert isinstance(barged_in, BargedIn)
    assert barged_in.at == onset
    assert (barged_in.decided_at - onset) / SECOND == pytest.approx(0.6, abs=WINDOW_SECONDS)


def test_a_short_sound_is_a_false_alarm() -> None:
    line = Line()
    onset = line.position
    events = line.hear(0.32) + line.quiet(1.0)
    assert [type(event) for event in events] == [Ducked, FalseAlarm]
    assert events[1].at == onset
    assert not line.detector.ducked


def test_a_click_is_nothing_at_all() -> None:
    line = Line()
    assert line.hear(WINDOW_SECONDS) + line.quiet(1.0) == []


def test_a_far_voice_is_nothing_at_all() -> None:
    assert Line(BargeInSettings(min_level=-45.0)).hear(3.0, level=-50.0) == []


def test_a_command_stops_us_before_length_does() -> None:
    line = Line(BargeInSettings(words_after=0.25, stop_after=0.8))
    line.hear(0.256)
    line.detector.transcribed("wait a minute")
    (barged_in,) = line.hear(0.1)
    assert isinstance(barged_in, BargedIn)


def test_a_command_counts_even_when_the_recogniser_thinks_better_of_it() -> None:
    line = Line()
    line.hear(0.256)
    line.detector.transcribed("stop")
    line.detector.transcribed("stuff")
    assert [type(event) for event in line.hear(0.1)] == [BargedIn]


@pytest.mark.parametrize(("words", "expected"), [("commands", []), ("any", [BargedIn])])
def test_other_words_stop_us_only_where_the_recogniser_is_trusted(
    words: Literal["commands", "any"], expected: list[type]
) -> None:
    line = Line(BargeInSettings(words=words))
    line.hear(0.256)
    line.detector.transcribed("my other number")
    assert [type(event) for event in line.hear(0.1)] == expected


def test_a_short_command_stops_us_when_its_words_come_after_it() -> None:
    line = Line()
    line.hear(0.32)
    line.detector.transcribed("stop")
    (barged_in,) = line.quiet(WINDOW_SECONDS)
    assert isinstance(barged_in, BargedIn)


def test_words_made_of_a_cough_are_too_short_to_count() -> None:
    line = Line(BargeInSettings(words="any", words_after=0.25))
    line.hear(0.16)
    line.detector.transcribed("the")
    assert [type(event) for event in line.quiet(1.0)] == [FalseAlarm]


def test_a_long_back_channel_does_not_stop_us() -> None:
    line = Line(BargeInSettings(stop_after=0.6, back_channel_limit=1.2))
    line.hear(0.32)
    line.detector.transcribed("yeah okay")
    events = line.hear(0.7) + line.quiet(1.0)
    assert [type(event) for event in events] == [FalseAlarm]


def test_back_channels_without_end_stop_us_after_all() -> None:
    line = Line(BargeInSettings(back_channel_limit=1.2))
    line.hear(0.32)
    line.detector.transcribed("yeah yeah")
    assert [type(event) for event in line.hear(1.5)] == [BargedIn]


def test_one_sound_is_decided_once_and_the_next_anew() -> None:
    line = Line()
    assert [type(event) for event in line.hear(3.0) + line.quiet(0.5)] == [Ducked, BargedIn]
    assert [type(event) for event in line.hear(3.0)] == [Ducked, BargedIn]


def test_words_can_be_switched_off() -> None:
    line = Line(BargeInSettings(words="off", stop_after=0.8))
    line.hear(0.32)
    line.detector.transcribed("stop right there")
    assert line.hear(0.3) == []


def test_what_was_heard_before_we_spoke_does_not_count() -> None:
    line = Line(BargeInSettings(stop_after=0.6))
    line.hear(0.5)
    line.detector.reset()
    assert [type(event) for event in line.hear(0.3)] == [Ducked]


@pytest.mark.parametrize(
    "setting", [{"threshold": 2.0}, {"stop_after": 0.05}, {"back_channel_limit": 0.3}, {"min_level": 3.0}]
)
def test_settings_out_of_range_are_refused_by_name(setting: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(setting))):
        BargeInSettings(**setting)  # type: ignore[arg-type]


def test_sensitivity_is_one_knob_for_all_of_them() -> None:
    low, normal, high = (BargeInSettings.for_sensitivity(word) for word in ("low", "normal", "high"))
    assert low.stop_after > normal.stop_after > high.stop_after
    assert normal == BargeInSettings()
    assert BargeInSettings.for_sensitivity(-35).min_level == -35


@pytest.mark.parametrize("sensitivity", ["extreme", 3.0, -200.0])
def test_an_unknown_sensitivity_is_refused(sensitivity: str | float) -> None:
    with pytest.raises(ValueError, match="dBFS|min_level"):
        BargeInSettings.for_sensitivity(sensitivity)


@pytest.mark.parametrize(
    "text", ["mm-hm", "Uh-huh.", "yeah", "Yeah, okay", "right, right", "oh I see", "got it", "m m h m"]
)
def test_back_channels(text: str) -> None:
    assert is_back_channel(text)


@pytest.mark.parametrize("text", ["", "no", "stop", "wait", "yes but", "okay I want the other one", "はい"])
def test_not_back_channels(text: str) -> None:
    assert not is_back_channel(text)


@given(st.lists(st.tuples(st.floats(0, 1), st.sampled_from(["", "", "", "yeah", "stop it"])), max_size=300))
def test_every_duck_is_followed_by_exactly_one_decision(windows: list[tuple[float, str]]) -> None:
    line = Line()
    events = []
    for probability, words in windows:
        if words:
            line.detector.transcribed(words)
        events += line.hear(WINDOW_SECONDS, probability=probability)
    events += line.quiet(1.0)
    open_duck = False
    for event in events:
        assert isinstance(event, Ducked) != open_duck or isinstance(event, BargedIn)
        open_duck = isinstance(event, Ducked)
    assert not open_duck
