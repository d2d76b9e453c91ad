from __future__ import annotations

import pytest

from sessions.timeline import Mark, Timeline


def test_the_first_time_of_a_mark_counts() -> None:
    timeline = Timeline()
    timeline.mark(Mark.FIRST_FRAME, 2.0)
    timeline.mark(Mark.FIRST_FRAME, 3.0)
    assert timeline.at(Mark.FIRST_FRAME) == 2.0


def test_a_gap_needs_both_ends() -> None:
    timeline = Timeline()
    timeline.mark(Mark.ENDPOINT, 1.0)
    assert timeline.gap(Mark.ENDPOINT, Mark.FIRST_FRAME) is None
    assert timeline.stages() == {}


def test_the_stages_add_up_to_the_response_gap() -> None:
    timeline = Timeline()
    for mark, now in zip(Mark, (1.0, 1.5, 1.6, 1.8, 1.9, 1.95, 4.0), strict=True):
        timeline.mark(mark, now)
    assert timeline.response_gap == pytest.approx(0.95)
    assert sum(timeline.stages().values()) == pytest.approx(0.95)


def test_without_speech_the_gap_counts_from_the_request() -> None:
    timeline = Timeline()
    timeline.mark(Mark.ENDPOINT, 1.0)
    timeline.mark(Mark.FIRST_FRAME, 1.2)
    assert timeline.response_gap == pytest.approx(0.2)
