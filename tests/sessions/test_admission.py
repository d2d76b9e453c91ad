from __future__ import annotations

import pytest

from runtime.media.frame import EncodedFrame
from runtime.media.scheduler import FrameScheduler
from sessions.admission import Admission, Limits, OverdueShare, Refused, Vitals

WELL = Vitals(loop_lag=0.002, overdue_share=0.0, synthesis_lateness=0.0)


def test_a_server_that_fares_well_lets_a_call_in_at_once() -> None:
    assert Admission().ask(WELL, 10.0) == 10.0


@pytest.mark.parametrize(
    ("vitals", "shortage"),
    [
        (Vitals(loop_lag=0.2, overdue_share=0.0, synthesis_lateness=0.0), "event_loop"),
        (Vitals(loop_lag=0.0, overdue_share=0.05, synthesis_lateness=0.0), "frames"),
        (Vitals(loop_lag=0.0, overdue_share=0.0, synthesis_lateness=0.5), "synthesis"),
    ],
)
def test_a_server_that_stutters_refuses_and_says_when_to_try_again(vitals: Vitals, shortage: str) -> None:
    with pytest.raises(Refused) as refused:
        Admission().ask(vitals, 10.0)
    assert refused.value.shortage == shortage
    assert refused.value.status == 503
    assert refused.value.close_code == 1013
    assert refused.value.retry_after > 0


def test_a_burst_comes_in_one_by_one() -> None:
    door = Admission(Limits(spacing=0.01))
    turns = [door.ask(WELL, 10.0) for _ in range(100)]
    assert turns == pytest.approx([10.0 + 0.01 * n for n in range(100)])
    assert door.ask(WELL, 20.0) == 20.0


def test_a_queue_that_is_too_long_is_refused_and_grows_no_longer() -> None:
    door = Admission(Limits(spacing=0.1, longest_queue=0.5))
    for _ in range(6):
        door.ask(WELL, 10.0)
    for _ in range(3):
        with pytest.raises(Refused) as refused:
            door.ask(WELL, 10.0)
        assert refused.value.shortage == "door"
    assert door.ask(WELL, 10.2) == pytest.approx(10.6)


def test_the_share_of_overdue_frames_is_that_of_the_last_seconds() -> None:
    share = OverdueShare()
    assert share.share == 0.0
    for n in range(200):
        share.sample(frames=100 * n, overdue=0 if n < 150 else 50 * (n - 150), now=n * 0.05)
    assert share.share == pytest.approx(49 / 200, abs=0.01)
    for n in range(200, 400):
        share.sample(frames=100 * n, overdue=2_450, now=n * 0.05)
    assert share.share == 0.0


def test_a_scheduler_whose_frames_leave_late_closes_the_door() -> None:
    scheduler = FrameScheduler()
    for _ in range(8):
        playout = scheduler.open(rate=8_000, lead=0.0)
        playout.push([EncodedFrame(b"", 160 * n, 160) for n in range(200)], 10.0)
    share = OverdueShare()
    for n in range(40):
        now = 10.0 + 0.09 * n
        scheduler.poll(now)
        share.sample(scheduler.tally.frames, scheduler.tally.overdue, now)
    with pytest.raises(Refused):
        Admission().ask(Vitals(0.0, share.share, 0.0), 11.0)


def test_one_call_that_stutters_does_not_say_that_the_server_is_full() -> None:
    share = OverdueShare()
    for n in range(100):
        share.sample(frames=2 * n, overdue=n, now=n * 0.05)
    assert share.share == 0.0
