from __future__ import annotations

import json
from array import array
from dataclasses import replace
from pathlib import Path

import pytest

from loadtest.call import Record
from loadtest.crowd import Result
from loadtest.figures import Row, Usage, row
from loadtest.ramp import capacity, memory_per_call
from loadtest.report import HEAD, line, verdict, write_chart, write_json

PTIME = 0.02


def steady(*, seconds: float = 5.0, stall_at: float | None = None, stall: float = 0.0) -> Record:
    """Packets on a grid from second 0, all those within the stall at its end."""
    record = Record(answered=0.005)
    for n in range(round(seconds / PTIME)):
        at = PTIME * n
        if stall_at is not None and stall_at <= at < stall_at + stall:
            at = stall_at + stall
        record.arrivals.append(at)
        record.seconds.append(PTIME)
    return record


def measured(*records: Record, ended: float = 4.9, agent_pauses: bool = False) -> Row:
    result = Result(began=1.0, ended=ended, records=list(records), cpu_seconds=0.4, late=0.002)
    usage = Usage(cpu_seconds=1.95, rss_bytes=100 * 2**20)
    return row([result], server="ours", transport="twilio", usage=usage, seconds=3.9, steady=not agent_pauses)


def test_calls_on_the_grid_have_no_silence_and_no_lateness() -> None:
    found = measured(steady(), steady())
    assert (found.calls, found.up, found.calls_with_gaps) == (2, 2, 0)
    assert found.silence_ms_per_minute == 0.0
    assert found.late_p999_ms < 1e-6
    assert found.cpu_ms_per_call_second == pytest.approx(250.0)
    assert found.rss_mb == 100.0
    assert found.held


def test_a_stall_that_the_player_covers_is_lateness_and_not_silence() -> None:
    found = measured(steady(stall_at=2.0, stall=0.08))
    assert found.silence_ms_per_minute == 0.0
    assert found.late_p999_ms > 70
    assert found.held


def test_a_stall_that_it_does_not_cover_is_heard() -> None:
    found = measured(steady(), steady(stall_at=2.0, stall=0.3))
    assert found.calls_with_gaps == 1
    assert found.worst_gap_ms == pytest.approx(200, abs=1)
    assert not found.held


def test_a_call_that_falls_silent_for_good_is_heard_too() -> None:
    assert measured(steady(seconds=2.0)).worst_gap_ms > 2_500


def test_an_agent_that_answers_turns_may_pause() -> None:
    record = steady(seconds=2.0)
    record.arrivals.extend(array("d", [3.5, 3.52]))
    record.seconds.extend(array("d", [PTIME, PTIME]))
    record.gaps.append(0.31)
    found = measured(record, agent_pauses=True)
    assert found.silence_ms_per_minute == 0.0
    assert found.gap_p50_ms == pytest.approx(310)


def test_calls_that_never_came_up_or_were_cut_do_not_count_as_up() -> None:
    cut = steady()
    cut.closed = 1011
    found = measured(steady(), Record(refused="503 Service Unavailable"), cut)
    assert (found.calls, found.up, found.refused, found.dropped) == (3, 1, 1, 1)
    assert not found.held


def test_reports_say_how_many_calls_were_held(tmp_path: Path) -> None:
    rows = [measured(steady()), measured(steady(), steady()), measured(steady(stall_at=2.0, stall=1.0))]
    assert capacity(rows) == 2
    assert "2 calls held" in verdict(rows)
    assert "ramp ended" in verdict(rows[:2])
    assert len(HEAD) == len(line(rows[0]))
    write_json(tmp_path / "load.json", rows, command="x")
    document = json.loads((tmp_path / "load.json").read_text())
    assert [entry["held"] for entry in document["rows"]] == [True, True, False]
    write_chart(tmp_path / "load.png", rows)
    assert (tmp_path / "load.png").read_bytes().startswith(b"\x89PNG")


def test_memory_of_a_call_is_what_the_last_steps_calls_cost_over_the_first() -> None:
    few, many = (
        replace(measured(steady()), rss_mb=200.0, up=100),
        replace(measured(steady()), rss_mb=250.0, up=600),
    )
    assert memory_per_call([few, many]) == pytest.approx(50 * 1.048576 * 1000 / 500)
    assert memory_per_call([few]) is None
