from __future__ import annotations

import pytest

from loadtest import soak
from loadtest.call import Record
from loadtest.soak import Sample, fate_of, growth


def samples(*megabytes: float) -> list[Sample]:
    return [Sample(float(n), mb, 0.0, 10, n, 0, 0) for n, mb in enumerate(megabytes)]


def test_growth_is_from_the_second_quarter_to_the_last() -> None:
    assert growth(samples(*[100] * 4, *[200] * 4, *[250] * 4, *[204] * 4)) == pytest.approx(2.0)


def test_what_fills_first_and_what_sticks_out_once_is_no_growth() -> None:
    assert growth(samples(*[10] * 4, 200, 200, 900, 200, *[200] * 4, 200, 700, 200, 200)) == 0.0


def test_memory_that_is_given_back_is_negative_growth() -> None:
    assert growth(samples(*[100] * 4, *[200] * 4, *[150] * 4, *[100] * 4)) == pytest.approx(-50.0)


def test_too_few_samples_say_nothing() -> None:
    assert growth(samples(1, 2, 3)) == 0.0


def test_who_never_hears_the_agent_that_talks_has_had_no_call() -> None:
    heard = Record()
    heard.arrivals.append(1.0)
    assert fate_of(heard, talks=True) is None
    assert fate_of(Record(), talks=False) is None
    assert fate_of(Record(), talks=True) == "silent"
    assert fate_of(Record(refused="503"), talks=False) == "refused"
    assert fate_of(Record(closed=1011), talks=False) == "dropped"


def test_hundreds_of_short_calls_leave_memory_flat(capsys: pytest.CaptureFixture[str]) -> None:
    """A quarter of an hour's calls in as many seconds: one that leaves something behind shows."""
    short = ["--minutes", "0.2", "--calls", "16", "--stay", "0.3,1", "--allowed", "2"]
    assert soak.main(short) == 0, capsys.readouterr().out
    assert " 0 failed" in capsys.readouterr().out
