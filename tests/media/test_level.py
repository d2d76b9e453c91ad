from __future__ import annotations

import numpy as np
import pytest

from runtime.media import level


def test_a_full_scale_sine_is_three_decibels_below_a_square() -> None:
    phase = 2 * np.pi * 1_000 / 8_000 * np.arange(8_000)
    sine = np.rint(32_767 * np.sin(phase)).astype(np.int16)
    assert level.rms_dbfs(sine) == pytest.approx(-3.01, abs=0.01)
    assert level.rms_dbfs(np.full(100, -32_768, np.int16)) == pytest.approx(0.0)


def test_silence_and_nothing_have_the_lowest_level() -> None:
    for samples in (np.zeros(100, np.int16), np.zeros(0, np.int16)):
        assert level.rms_dbfs(samples) == level.peak_dbfs(samples) == level.SILENCE_DBFS


def test_the_most_negative_sample_is_a_full_scale_peak() -> None:
    assert level.peak_dbfs(np.array([0, -32_768], np.int16)) == pytest.approx(0.0)


def test_fades_touch_only_their_edge_and_leave_the_original_alone() -> None:
    samples = np.full(800, 10_000, np.int16)
    faded = level.fade_out(samples, rate=8_000)
    assert np.array_equal(faded[:760], samples[:760])
    assert np.all(np.diff(faded[760:].astype(int)) <= 0)
    assert abs(int(faded[-1])) < 20
    assert np.array_equal(level.fade_in(samples, rate=8_000), faded[::-1])
    assert samples[-1] == 10_000


def test_a_block_shorter_than_the_fade_is_faded_whole() -> None:
    assert level.fade_out(np.full(8, 1_000, np.int16), rate=8_000)[-1] < 20
    assert len(level.fade_in(np.zeros(0, np.int16), rate=8_000)) == 0
