"""The frame scheduler on a clock that jumps: nothing here waits."""

from __future__ import annotations

import math
import random
from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.player import Player
from runtime.errors import TransportClosed
from runtime.media.frame import EncodedFrame
from runtime.media.scheduler import (
    LATENESS_BUCKETS,
    PHASES,
    SLACK,
    TICKS_PER_SECOND,
    FrameScheduler,
    Playout,
)

RATE = 8_000
SAMPLES = 160
PTIME = SAMPLES / RATE
LEAD = 0.160
TICK = 1 / TICKS_PER_SECOND
SLOT = PHASES * TICK


def frames(count: int, *, start: int = 0, samples: int = SAMPLES) -> list[EncodedFrame]:
    return [EncodedFrame(payload=b"", pts=start + k * samples, samples=samples) for k in range(count)]


class Wire:
    """Runs a scheduler from deadline to deadline and writes down what left when."""

    def __init__(self, *, now: float = 1000.0) -> None:
        self.scheduler = FrameScheduler()
        self.now = now
        self.left: dict[Playout, list[tuple[float, EncodedFrame]]] = defaultdict(list)
        self.marks: dict[Playout, list[tuple[str, int]]] = defaultdict(list)

    def open(self, *, lead: float = LEAD, rate: int = RATE) -> Playout:
        return self.scheduler.open(rate=rate, lead=lead)

    def poll(self) -> None:
        for playout, sent, marks in self.scheduler.poll(self.now):
            self.left[playout] += [(self.now, frame) for frame in sent]
            self.marks[playout] += [(name, len(self.left[playout])) for name in marks]

    def run(self, until: float, *, stalls: list[tuple[float, float]] | None = None) -> None:
        """Poll at every deadline up to ``until``; a stall ``(at, seconds)`` swallows what falls in it."""
        stalls = sorted(stalls or [])
        while (deadline := self.scheduler.deadline()) is not None and deadline <= until:
            self.now = max(self.now, deadline)
            for at, seconds in stalls:
                if at <= self.now < at + seconds:
                    self.now = at + seconds
            self.poll()
        self.now = max(self.now, until)

    def pts(self, playout: Playout) -> list[int]:
        return [frame.pts for _, frame in self.left[playout]]

    def player(self, playout: Playout) -> Player:
        player = Player()
        for at, frame in self.left[playout]:
            player.arrive(at, frame.samples / playout.rate)
        return player


@pytest.fixture
def wire() -> Wire:
    return Wire()


def test_nothing_queued_has_no_deadline(wire: Wire) -> None:
    wire.open()
    assert wire.scheduler.deadline() is None
    assert wire.scheduler.poll(wire.now) == []


def test_first_frames_leave_at_once_as_far_as_the_lead(wire: Wire) -> None:
    playout = wire.open()
    playout.push(frames(50), wire.now)
    wire.poll()
    # Frame n is due at n · 20 ms, and the stream's phase may cost it the last one.
    assert 8 <= len(wire.left[playout]) <= 9


def test_a_frame_never_leaves_more_than_the_lead_before_it_is_due(wire: Wire) -> None:
    playout = wire.open()
    start = wire.now
    playout.push(frames(500), start)
    wire.run(start + 20)
    for n, (at, _) in enumerate(wire.left[playout]):
        due = start + n * PTIME
        assert due - LEAD - 1e-9 <= at <= due - LEAD + SLOT + 1e-9 or n < 9


def test_without_a_lead_a_frame_leaves_within_a_tick_of_its_time(wire: Wire) -> None:
    playout = wire.open(lead=0.0)
    start = wire.now + 0.0007
    wire.now = start
    playout.push(frames(100), start)
    wire.run(start + 3)
    late = [at - (start + n * PTIME) for n, (at, _) in enumerate(wire.left[playout])]
    assert len(late) == 100
    assert min(late) >= -1e-9
    assert max(late) <= TICK + 1e-9


@pytest.mark.parametrize("rate", [8_000, 44_100])
def test_an_hour_of_audio_drifts_by_no_frame(rate: int) -> None:
    wire = Wire(now=1_234_567.891)
    playout = wire.open(rate=rate)
    start = wire.now
    samples = rate // 50
    playout.push(frames(180_000, samples=samples), start)
    wire.run(start + 3_600 - LEAD + SLOT)
    assert len(wire.left[playout]) == 180_000
    at, _ = wire.left[playout][-1]
    assert at == pytest.approx(start + 3_600 - PTIME - LEAD, abs=SLOT)
    assert wire.scheduler.tally.underruns == wire.scheduler.tally.stalls == 0


def test_wakeups_that_are_always_late_do_not_add_up(wire: Wire) -> None:
    playout = wire.open()
    rng = random.Random(7)
    start = wire.now
    playout.push(frames(3_000), start)
    while (deadline := wire.scheduler.deadline()) is not None:
        wire.now = max(wire.now, deadline + rng.uniform(0.0, 0.015))
        wire.poll()
    assert wire.left[playout][-1][0] == pytest.approx(start + 60 - PTIME - LEAD, abs=SLOT + 0.016)
    assert wire.player(playout).silence == 0.0


@pytest.mark.parametrize("stall", [0.030, 0.060, 0.120])
@pytest.mark.parametrize("calls", [1, 500])
@pytest.mark.parametrize("packet", [1, 5])  # times 20 ms: as WebRTC has them, and as most carriers do
def test_stalls_within_the_lead_are_never_heard(stall: float, calls: int, packet: int) -> None:
    wire = Wire()
    start = wire.now
    playouts = [wire.open() for _ in range(calls)]
    for playout in playouts:
        playout.push(frames(200 // packet, samples=packet * SAMPLES), start)
    wire.run(start + 4, stalls=[(start + 0.5 * k, stall) for k in range(1, 8)])
    assert [wire.player(p).silence for p in playouts] == [0.0] * calls
    assert all(len(wire.left[p]) == 200 // packet for p in playouts)
    assert wire.scheduler.tally.stalls == 0


def test_after_a_stall_overdue_frames_leave_at_once_up_to_the_lead(wire: Wire) -> None:
    playout = wire.open()
    start = wire.now
    playout.push(frames(500), start)
    wire.run(start + 1.0)
    before = len(wire.left[playout])
    wire.now = start + 1.12
    wire.poll()
    caught_up = len(wire.left[playout]) - before
    assert caught_up in (5, 6, 7)
    # Never ahead of the grid by more than the lead.
    assert before + caught_up <= (1.12 + LEAD) / PTIME + 1


def test_a_stall_no_lead_covers_starts_a_new_grid_and_bursts_no_more_than_the_lead(wire: Wire) -> None:
    playout = wire.open()
    start = wire.now
    playout.push(frames(1_000), start)
    wire.run(start + 1.0)
    before = len(wire.left[playout])
    wire.now = start + 6.0
    wire.poll()
    assert len(wire.left[playout]) - before <= LEAD / PTIME + 1
    assert wire.scheduler.tally.stalls == 1
    assert playout.heard(wire.now) == before * SAMPLES
    wire.run(wire.now + 1.0)
    assert playout.heard(wire.now) == pytest.approx(before * SAMPLES + RATE, abs=1)


def test_streams_opened_together_leave_in_different_slots(wire: Wire) -> None:
    start = wire.now
    playouts = [wire.open() for _ in range(80)]
    for playout in playouts:
        playout.push(frames(100), start)
    wire.run(start + 1)
    per_instant: dict[float, int] = defaultdict(int)
    for playout in playouts:
        for at, _ in wire.left[playout]:
            if at > start + 0.5:
                per_instant[round(at, 6)] += 1
    assert max(per_instant.values()) == 80 / PHASES


def test_a_closed_stream_gives_its_phase_to_the_next(wire: Wire) -> None:
    playouts = [wire.open() for _ in range(PHASES)]
    playouts[3].close()
    assert wire.open().phase == 3
    assert len(wire.scheduler) == PHASES


def test_late_wakeup_delays_one_frame_and_not_the_stream(wire: Wire) -> None:
    playout = wire.open(lead=0.0)
    playout.push(frames(4), wire.now)
    wire.poll()
    wire.now = 1000.035
    wire.poll()
    assert wire.pts(playout) == [0, 160]
    assert wire.scheduler.deadline() == pytest.approx(1000.040)


def test_underrun_starts_a_new_grid_instead_of_a_burst(wire: Wire) -> None:
    playout = wire.open(lead=0.0)
    playout.push(frames(2), wire.now)
    wire.run(1000.2)
    playout.push(frames(2, start=320), wire.now)
    wire.poll()
    assert wire.pts(playout) == [0, 160, 320]
    assert wire.scheduler.deadline() == pytest.approx(1000.220)
    assert playout.underruns == wire.scheduler.tally.underruns == 1


def test_running_dry_after_finish_is_silence_and_not_an_underrun(wire: Wire) -> None:
    playout = wire.open()
    playout.push(frames(5), wire.now)
    playout.finish()
    wire.run(1001.0)
    playout.push(frames(5, start=800), wire.now)
    assert wire.scheduler.tally.underruns == 0


def test_more_audio_before_the_peer_runs_dry_continues_the_grid(wire: Wire) -> None:
    playout = wire.open()
    playout.push(frames(5), 1000.0)
    wire.run(1000.09)
    playout.push(frames(5, start=800), 1000.09)
    assert playout.dry_at == pytest.approx(1000.2)
    assert wire.scheduler.tally.underruns == 0


def test_dry_at_is_when_the_last_pushed_sample_has_sounded(wire: Wire) -> None:
    playout = wire.open()
    assert playout.dry_at is None
    playout.push(frames(50), 1000.0)
    assert playout.dry_at == pytest.approx(1001.0)
    playout.clear(1000.5)
    assert playout.dry_at is None


def test_clear_in_mid_burst_returns_exactly_what_never_left(wire: Wire) -> None:
    playout = wire.open()
    pushed = frames(200)
    playout.push(pushed, wire.now)
    wire.run(1001.0)
    left = [frame for _, frame in wire.left[playout]]
    cleared = playout.clear(1001.0)
    assert left + list(cleared.frames) == pushed
    assert cleared.samples == SAMPLES * len(cleared.frames)
    assert cleared.heard == RATE
    assert cleared.in_flight == len(left) * SAMPLES - RATE
    assert wire.scheduler.poll(1002.0) == []


def test_clear_of_one_call_leaves_the_others_on_their_grid() -> None:
    wire = Wire()
    playouts = [wire.open() for _ in range(500)]
    for playout in playouts:
        playout.push(frames(200), wire.now)
    wire.run(1001.0)
    playouts[17].clear(wire.now)
    wire.run(1005.0)
    assert {len(wire.left[p]) for p in playouts if p is not playouts[17]} == {200}
    assert wire.player(playouts[18]).silence == 0.0


def test_heard_stands_still_after_a_clear_and_moves_on_with_the_next_frames(wire: Wire) -> None:
    playout = wire.open()
    playout.push(frames(100), 1000.0)
    wire.run(1000.5)
    playout.clear(1000.5)
    assert playout.heard(1009.0) == 4_000
    playout.push(frames(10, start=16_000), 1010.0)
    wire.run(1010.1)
    assert playout.heard(1010.1) == 16_000 + 800


def test_heard_is_what_the_clock_says_and_never_more_than_left(wire: Wire) -> None:
    playout = wire.open()
    playout.push(frames(10), 1000.0)
    wire.run(1000.05)
    assert playout.heard(1000.05) == 400
    assert playout.heard(1003.0) <= playout.left_samples
    wire.run(1003.0)
    assert playout.heard(1003.0) == 1_600


def test_marks_leave_in_order_between_the_frames_they_follow(wire: Wire) -> None:
    playout = wire.open()
    playout.push(frames(3), wire.now)
    assert playout.mark("first") == 480
    playout.push(frames(2, start=480), wire.now)
    playout.mark("second")
    playout.mark("third")
    wire.run(1001.0)
    assert wire.marks[playout] == [("first", 3), ("second", 5), ("third", 5)]


def test_a_mark_on_an_empty_stream_leaves_at_the_next_poll(wire: Wire) -> None:
    playout = wire.open()
    playout.mark("now")
    deadline = wire.scheduler.deadline()
    assert deadline is not None
    assert deadline <= wire.now
    wire.poll()
    assert wire.marks[playout] == [("now", 0)]


def test_clear_drops_marks_and_names_them(wire: Wire) -> None:
    playout = wire.open()
    playout.push(frames(100), wire.now)
    playout.mark("end")
    assert playout.clear(wire.now).marks == ("end",)
    wire.run(1003.0)
    assert wire.marks[playout] == []


def test_pause_lets_nothing_leave_and_resume_goes_on_with_the_next_sample(wire: Wire) -> None:
    playout = wire.open()
    playout.push(frames(100), wire.now)
    wire.run(1000.5)
    playout.pause(wire.now)
    before = len(wire.left[playout])
    wire.run(1005.0)
    assert len(wire.left[playout]) == before
    playout.resume(1005.0)
    wire.run(1010.0)
    assert wire.pts(playout) == [k * SAMPLES for k in range(100)]
    assert wire.scheduler.tally.underruns == 0


def test_a_pause_shorter_than_the_lead_keeps_the_grid(wire: Wire) -> None:
    playout = wire.open()
    playout.push(frames(100), wire.now)
    wire.run(1000.5)
    playout.pause(1000.5)
    playout.resume(1000.6)
    wire.run(1003.0)
    assert wire.player(playout).silence == 0.0
    assert playout.heard(1001.0) == RATE


def test_pause_that_rewinds_says_again_only_the_frame_that_was_sounding(wire: Wire) -> None:
    playout = wire.open()
    playout.push(frames(100), wire.now)
    playout.mark("end")
    wire.run(1000.51)
    heard = playout.pause(1000.51, rewind=True)
    assert heard == 4_080
    resumed_from = len(wire.left[playout])
    playout.resume(1002.0)
    wire.run(1006.0)
    assert wire.pts(playout)[resumed_from] == 4_000
    assert wire.pts(playout)[resumed_from:] == [k * SAMPLES for k in range(25, 100)]
    assert [name for name, _ in wire.marks[playout]] == ["end"]


def test_rewinding_sends_again_the_marks_of_the_frames_it_takes_back(wire: Wire) -> None:
    playout = wire.open()
    playout.push(frames(4), wire.now)
    playout.mark("a")
    playout.push(frames(4, start=640), wire.now)
    playout.mark("b")
    wire.run(1000.05)
    assert [name for name, _ in wire.marks[playout]] == ["a", "b"]
    playout.pause(1000.05, rewind=True)
    playout.resume(1000.5)
    wire.run(1001.0)
    assert [name for name, _ in wire.marks[playout]] == ["a", "b", "a", "b"]


def test_pushing_while_paused_waits_for_resume(wire: Wire) -> None:
    playout = wire.open()
    playout.pause(wire.now)
    playout.push(frames(3), wire.now)
    assert wire.scheduler.deadline() is None
    playout.resume(1001.0)
    wire.run(1002.0)
    assert wire.pts(playout) == [0, 160, 320]


def test_drain_lets_everything_leave_and_then_closes(wire: Wire) -> None:
    playout = wire.open()
    playout.push(frames(50), wire.now)
    playout.drain()
    with pytest.raises(TransportClosed):
        playout.push(frames(1), wire.now)
    wire.run(1002.0)
    assert len(wire.left[playout]) == 50
    assert playout.closed
    assert len(wire.scheduler) == 0


def test_draining_an_empty_stream_closes_it_at_once(wire: Wire) -> None:
    playout = wire.open()
    playout.drain()
    assert playout.closed


def test_a_closed_stream_refuses_frames_and_sends_none(wire: Wire) -> None:
    playout = wire.open()
    playout.push(frames(50), wire.now)
    playout.close()
    playout.close()
    wire.run(1002.0)
    assert wire.left[playout] == []
    with pytest.raises(TransportClosed):
        playout.push(frames(1), wire.now)
    with pytest.raises(TransportClosed):
        playout.mark("late")


def test_wake_is_called_only_for_something_earlier() -> None:
    woken: list[float] = []
    scheduler = FrameScheduler(wake=woken.append)
    first = scheduler.open(rate=RATE, lead=0.0)
    second = scheduler.open(rate=RATE, lead=0.0)
    first.push(frames(1), 1000.0)
    second.push(frames(1), 1000.5)
    assert woken == [1000.0]
    scheduler.open(rate=RATE, lead=0.0).push(frames(1), 999.0)
    assert woken == [1000.0, 999.0]


def test_lateness_is_counted_per_frame(wire: Wire) -> None:
    playout = wire.open(lead=0.0)
    playout.push(frames(4), wire.now)
    wire.poll()
    wire.now = 1000.072
    wire.poll()
    tally = wire.scheduler.tally
    assert tally.frames == sum(tally.lateness) == 4
    assert tally.overdue == 2
    assert tally.lateness_seconds == pytest.approx(0.0 + 0.052 + 0.032 + 0.012, abs=1e-6)
    assert LATENESS_BUCKETS[-1] == math.inf


def test_the_first_burst_up_to_the_lead_is_not_late(wire: Wire) -> None:
    wire.open().push(frames(50), wire.now)
    wire.poll()
    assert wire.scheduler.tally.lateness_seconds == 0.0
    assert wire.scheduler.tally.overdue == 0


@pytest.mark.parametrize("lead", [0.0, 0.16])
def test_the_first_frame_leaves_at_once_wherever_the_clock_stands(wire: Wire, lead: float) -> None:
    wire.now = 1000.00123
    playout = wire.open(lead=lead)
    playout.push(frames(3), wire.now)
    deadline = wire.scheduler.deadline()
    assert deadline is not None
    assert deadline <= wire.now
    wire.poll()
    assert wire.pts(playout)[0] == 0


def test_a_spurt_counts_from_when_its_first_frame_left(wire: Wire) -> None:
    playout = wire.open()
    playout.push(frames(50), 1000.0)
    wire.now = 1000.05
    wire.poll()
    assert playout.heard(1000.15) == 800
    assert playout.dry_at == pytest.approx(1001.05)
    assert wire.scheduler.tally.overdue == 0


def test_queued_audio_is_counted_over_all_streams(wire: Wire) -> None:
    wire.open().push(frames(50), wire.now)
    wire.open(rate=16_000).push(frames(50, samples=320), wire.now)
    assert wire.scheduler.queued_seconds == pytest.approx(2.0)


@pytest.mark.parametrize(("rate", "lead", "ptime"), [(0, 0.1, 0.02), (8_000, -0.1, 0.02), (8_000, 0.1, 0.0)])
def test_impossible_streams_are_refused(rate: int, lead: float, ptime: float) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        FrameScheduler().open(rate=rate, lead=lead, ptime=ptime)


STEP = st.one_of(
    st.tuples(st.just("push"), st.integers(1, 12), st.sampled_from([40, 160, 320])),
    st.tuples(st.just("run"), st.floats(0.0, 0.4), st.just(0)),
    st.tuples(st.just("stall"), st.floats(0.0, 0.6), st.just(0)),
    st.tuples(st.sampled_from(["clear", "pause", "resume", "finish", "mark"]), st.just(0), st.just(0)),
)


@given(
    lead=st.sampled_from([0.0, 0.02, 0.16]), script=st.lists(st.tuples(st.integers(0, 2), STEP), max_size=60)
)
@settings(max_examples=150, deadline=None)
def test_every_sample_leaves_once_and_in_order_or_is_cleared(
    lead: float, script: list[tuple[int, tuple[str, float, int]]]
) -> None:
    wire = Wire()
    playouts = [wire.open(lead=lead) for _ in range(3)]
    pushed = dict.fromkeys(playouts, 0)
    cleared: dict[Playout, list[EncodedFrame]] = defaultdict(list)
    heard = dict.fromkeys(playouts, 0)
    for which, (step, amount, samples) in script:
        playout = playouts[which]
        if step == "push":
            playout.push(frames(int(amount), start=pushed[playout], samples=samples), wire.now)
            pushed[playout] += int(amount) * samples
        elif step == "run":
            wire.run(wire.now + amount)
        elif step == "stall":
            wire.now += amount
        elif step == "clear":
            taken = playout.clear(wire.now)
            assert taken.samples == sum(frame.samples for frame in taken.frames)
            cleared[playout] += taken.frames
        elif step == "finish":
            playout.finish()
        elif step == "mark":
            playout.mark("here")
        else:
            getattr(playout, step)(wire.now)
        for p in playouts:
            assert heard[p] <= p.heard(wire.now) <= p.left_samples <= p.pushed_samples == pushed[p]
            heard[p] = p.heard(wire.now)
    for playout in playouts:
        playout.resume(wire.now)
    wire.run(wire.now + 60.0)
    for playout in playouts:
        left = wire.pts(playout)
        assert left == sorted(set(left))
        out = sum(frame.samples for _, frame in wire.left[playout])
        assert out + sum(frame.samples for frame in cleared[playout]) == pushed[playout]
        assert playout.queued_samples == 0


@given(gaps=st.lists(st.floats(0.0, 0.25), min_size=1, max_size=80), lead=st.floats(0.02, 0.4))
@settings(max_examples=100, deadline=None)
def test_however_polls_are_spaced_no_frame_runs_ahead_of_the_lead(gaps: list[float], lead: float) -> None:
    scheduler = FrameScheduler()
    playout = scheduler.open(rate=RATE, lead=lead)
    playout.push(frames(2_000), 50.0)
    now = 50.0
    for gap in gaps:
        now += gap
        for _, sent, _ in scheduler.poll(now):
            ahead = (playout.left_samples - playout.heard(now) - sent[-1].samples) / RATE
            assert ahead <= lead + 1e-3
            assert len(sent) <= (lead + SLACK) / PTIME + 2
