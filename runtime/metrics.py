"""
Every metric of the server: name, unit, buckets. A dashboard can be written from this file alone.

All are on the default registry of ``prometheus_client``, which adds ``process_cpu_seconds_total`` and
``process_resident_memory_bytes``. What is touched for every frame is counted by its owner in plain integers
and read here only when somebody scrapes.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from prometheus_client import REGISTRY, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

RESPONSE_BUCKETS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
"""Seconds: what a caller feels between two turns."""

LAG_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.010, 0.020, 0.040, 0.080, 0.160, 0.320, 1.0)
"""Seconds: from one tick of the scheduler to a stall no lead covers."""


class Latest:
    """A histogram that also remembers its latest observations, for those who ask the server itself."""

    def __init__(self, histogram: Histogram, *, most: int = 1_000) -> None:
        self._histogram = histogram
        self._seconds: deque[float] = deque(maxlen=most)

    def __len__(self) -> int:
        return len(self._seconds)

    def observe(self, seconds: float) -> None:
        self._histogram.observe(seconds)
        self._seconds.append(seconds)

    def percentile(self, share: float) -> float:
        """
        Seconds within which ``share`` (0 to 1) of the latest came.

        Raises:
            ValueError: There was none.
        """
        if not self._seconds:
            raise ValueError("nothing was observed")
        ordered = sorted(self._seconds)
        return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)))]


# One process, one call after another.
live_calls = Gauge("vivavoce_live_calls", "Calls in progress.", ["transport"])
calls = Counter("vivavoce_calls", "Calls that ended, by how.", ["transport", "reason"])
refused_calls = Counter("vivavoce_refused_calls", "Calls refused at the door, by what was short.", ["reason"])
call_seconds = Histogram(
    "vivavoce_call_seconds",
    "Length of a call, seconds.",
    ["transport"],
    buckets=(1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600),
)

# What callers feel.
response_gap_seconds = Histogram(
    "vivavoce_response_gap_seconds",
    "From the caller's last speech to the first frame of the answer on the wire, seconds.",
    buckets=RESPONSE_BUCKETS,
)
first_audio = Latest(
    Histogram(
        "vivavoce_first_audio_seconds",
        "From the first text given to synthesis to its first PCM, seconds (time to first audio).",
        buckets=(0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0),
    )
)
clear_seconds = Histogram(
    "vivavoce_clear_seconds",
    "From the decision that the caller barged in to the clear on the wire, seconds.",
    buckets=LAG_BUCKETS,
)
barge_ins = Counter("vivavoce_barge_ins", "Answers the caller cut short.")
mark_lag_seconds = Histogram(
    "vivavoce_mark_lag_seconds",
    "How long after the clock expected it a mark came back from the peer, seconds.",
    buckets=(0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8),
)
lost_marks = Counter("vivavoce_lost_marks", "Marks that never came back.")

# Synthesis and recognition.
synthesis_rtf = Histogram(
    "vivavoce_synthesis_rtf",
    "Synthesis seconds per second of audio, per utterance; under 1 keeps up.",
    buckets=(0.01, 0.02, 0.03, 0.05, 0.08, 0.12, 0.2, 0.3, 0.5, 0.8, 1.0, 2.0),
)
synthesis_lateness_seconds = Gauge(
    "vivavoce_synthesis_lateness_seconds",
    "How far past its deadline the most urgent call is that waits for synthesis, seconds; 0 keeps up.",
)
phrase_cache_hits = Counter("vivavoce_phrase_cache_hits", "Utterances that were already encoded.")
phrase_cache_misses = Counter("vivavoce_phrase_cache_misses", "Utterances that had to be made.")
phrase_cache_bytes = Gauge("vivavoce_phrase_cache_bytes", "Encoded audio kept, bytes.")
worker_deaths = Counter("vivavoce_worker_deaths", "Child processes that died and were replaced.", ["worker"])
recognition_seconds = Histogram(
    "vivavoce_recognition_seconds",
    "From the end of a turn to its transcript, seconds.",
    buckets=RESPONSE_BUCKETS,
)

# Enrolment.
enrolments = Counter("vivavoce_enrolments", "Recordings judged, by what became of them.", ["outcome"])
enrolment_seconds = Histogram(
    "vivavoce_enrolment_seconds",
    "From the upload to a voice that can speak, or to its rejection, seconds.",
    buckets=(0.5, 1, 2, 3, 4, 6, 8, 12, 20, 60),
)

# The event loop.
loop_lag_seconds = Histogram(
    "vivavoce_loop_lag_seconds", "How late the event loop ran a timer, seconds.", buckets=LAG_BUCKETS
)

# Sockets.
slow_readers = Counter("vivavoce_slow_readers", "Peers closed because they stopped reading.")
malformed_messages = Counter("vivavoce_malformed_messages", "Messages no protocol allows.", ["protocol"])


class FrameTally(Protocol):
    """What the frame scheduler counts; see :class:`runtime.media.scheduler.Tally`."""

    frames: int
    overdue: int
    underruns: int
    stalls: int
    lateness: list[int]
    lateness_seconds: float


class FrameCollector(Collector):
    """
    The frame scheduler's figures, read when scraped.

    Args:
        tally: Its counts.
        bounds: Upper bounds of ``tally.lateness`` in seconds; the last is infinite.
        queued_seconds: Audio waiting on all streams.
    """

    def __init__(
        self, tally: FrameTally, *, bounds: Sequence[float], queued_seconds: Callable[[], float]
    ) -> None:
        self._tally = tally
        self._bounds = tuple(bounds)
        self._queued_seconds = queued_seconds

    def collect(self) -> Iterator[Metric]:
        tally = self._tally
        total = 0
        buckets = []
        for bound, count in zip(self._bounds, tally.lateness, strict=True):
            total += count
            buckets.append(("+Inf" if math.isinf(bound) else repr(bound), total))
        yield HistogramMetricFamily(
            "vivavoce_frame_lateness_seconds",
            "How long after its slot on the grid a frame left, seconds.",
            buckets=buckets,
            sum_value=tally.lateness_seconds,
        )
        for name, text, count in (
            ("frames_sent", "Frames that left.", tally.frames),
            (
                "frames_overdue",
                "Frames that left over 20 ms after they were due, the lead used up.",
                tally.overdue,
            ),
            ("underruns", "Times a stream ran dry in the middle of speech.", tally.underruns),
            ("stalls", "Times a stream started a new grid because no lead covered a stall.", tally.stalls),
        ):
            yield CounterMetricFamily(f"vivavoce_{name}", text, value=count)
        yield GaugeMetricFamily(
            "vivavoce_queued_seconds", "Audio waiting to leave on all calls, seconds.", self._queued_seconds()
        )


def watch_frames(
    tally: FrameTally,
    *,
    bounds: Sequence[float],
    queued_seconds: Callable[[], float],
    registry: CollectorRegistry = REGISTRY,
) -> Callable[[], None]:
    """Export a scheduler's figures until the returned function is called."""
    collector = FrameCollector(tally, bounds=bounds, queued_seconds=queued_seconds)
    registry.register(collector)
    return lambda: registry.unregister(collector)
