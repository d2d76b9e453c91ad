from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.media.chunker import PcmChunker


@given(sizes=st.lists(st.integers(0, 700), max_size=30))
def test_samples_in_are_samples_out_in_frames_of_one_length(sizes: list[int]) -> None:
    samples = np.arange(sum(sizes)).astype(np.int16)
    chunker = PcmChunker(rate=8_000)
    frames, at = [], 0
    for size in sizes:
        frames += chunker.push(samples[at : at + size])
        at += size
    last = chunker.flush()
    if last is not None:
        frames.append(last)
    assert [frame.pts for frame in frames] == [160 * k for k in range(len(frames))]
    assert all(len(frame.samples) == 160 for frame in frames)
    out = np.concatenate([np.zeros(0, np.int16)] + [frame.samples for frame in frames])
    assert np.array_equal(out[: len(samples)], samples)
    assert not out[len(samples) :].any()
    assert len(out) - len(samples) < 160


def test_flush_of_nothing_is_none() -> None:
    chunker = PcmChunker(rate=24_000)
    chunker.push(np.zeros(480, np.int16))
    assert chunker.flush() is None


def test_reset_drops_the_unfinished_frame() -> None:
    chunker = PcmChunker(rate=8_000)
    chunker.push(np.ones(200, np.int16))
    assert chunker.reset() == 40
    assert chunker.flush() is None


def test_a_frame_shorter_than_a_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="less than one sample"):
        PcmChunker(rate=8_000, ptime=0.00001)
