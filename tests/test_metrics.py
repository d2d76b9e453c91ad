from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from runtime import metrics
from runtime.media.frame import EncodedFrame
from runtime.media.scheduler import LATENESS_BUCKETS, FrameScheduler


def test_the_schedulers_counts_are_scraped_as_they_stand() -> None:
    scheduler = FrameScheduler()
    registry = CollectorRegistry()
    forget = metrics.watch_frames(
        scheduler.tally,
        bounds=LATENESS_BUCKETS,
        queued_seconds=lambda: scheduler.queued_seconds,
        registry=registry,
    )
    scheduler.open(rate=8_000, lead=0.0).push([EncodedFrame(b"", 0, 160)] * 3, 100.0)
    scheduler.poll(100.0)
    scheduler.poll(100.044)
    page = generate_latest(registry).decode()
    assert 'vivavoce_frame_lateness_seconds_bucket{le="0.01"} 2.0' in page
    assert 'vivavoce_frame_lateness_seconds_bucket{le="+Inf"} 3.0' in page
    assert "vivavoce_frames_sent_total 3.0" in page
    assert "vivavoce_frames_overdue_total 1.0" in page
    assert "vivavoce_queued_seconds 0.0" in page
    forget()
    assert generate_latest(registry) == b""


def test_every_metric_carries_our_name() -> None:
    names = [
        family.name
        for value in vars(metrics).values()
        if hasattr(value, "collect") and not isinstance(value, type)
        for family in value.collect()
        if not family.name.startswith(("python_", "process_"))
    ]
    assert len(names) > 15
    assert all(name.startswith("vivavoce_") for name in names)


def test_the_latest_observations_are_told_by_share() -> None:
    latest = metrics.Latest(
        Histogram("test_latest_seconds", "Of a test.", registry=CollectorRegistry()), most=100
    )
    with pytest.raises(ValueError, match="nothing"):
        latest.percentile(0.5)
    for n in range(1_000, 0, -1):
        latest.observe(n / 1_000)
    assert len(latest) == 100
    assert latest.percentile(0.5) == pytest.approx(0.051)
    assert latest.percentile(0.95) == pytest.approx(0.096)
    assert latest.percentile(1.0) == pytest.approx(0.1)
