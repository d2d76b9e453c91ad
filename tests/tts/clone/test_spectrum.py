"""Features stand for the spectrum they were made of."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tts.engines.clone.spectrum import (
    BINS,
    BREATH_BANDS,
    CEPSTRA,
    FEATURES,
    RATE,
    bend,
    encode,
    log_amplitude,
    minimum_phase,
    tilt,
    unwarp,
    warp,
)

HZ = np.arange(BINS) * RATE / 2 / (BINS - 1)


@given(st.floats(0, 8_000))
def test_unwarp_undoes_warp(hz: float) -> None:
    assert unwarp(warp(np.array(hz))) == pytest.approx(hz, abs=1e-6)


@given(st.integers(0, 2**31))
@settings(max_examples=20, deadline=None)
def test_a_smooth_spectrum_survives_the_features(seed: int) -> None:
    features = np.random.default_rng(seed).normal(0, 1, (1, FEATURES)) / (1 + np.arange(FEATURES))
    spectrum = log_amplitude(features.astype(np.float32))
    again = log_amplitude(encode(spectrum, RATE))
    audible = HZ < 7_000
    assert np.abs(again - spectrum)[:, audible].max() < 0.25


def test_minimum_phase_has_the_magnitude_and_is_causal() -> None:
    features = (np.random.default_rng(1).normal(0, 1, (1, FEATURES)) / (1 + np.arange(FEATURES))).astype(
        np.float32
    )
    spectrum = minimum_phase(features, np.zeros((1, BREATH_BANDS), np.float32))
    np.testing.assert_allclose(spectrum.real, log_amplitude(features), atol=1e-3)
    pulse = np.fft.irfft(np.exp(spectrum[0]))
    assert (pulse[:300] ** 2).sum() > 0.99 * (pulse**2).sum()


def test_a_longer_tract_lowers_every_resonance() -> None:
    peak = -(((HZ - 2_000) / 300) ** 2)[None].astype(np.float32)
    features = encode(np.maximum(peak, -6), RATE)
    for ratio in (0.85, 1.0, 1.2):
        seen = HZ[:300][log_amplitude(bend(features, ratio))[0, :300].argmax()]
        assert seen == pytest.approx(2_000 / ratio, abs=60)


def test_tilt_is_in_decibels_per_octave() -> None:
    spectrum = log_amplitude(tilt(3.0)[None])[0] * 20 / np.log(10)
    at = {hz: spectrum[np.abs(HZ - hz).argmin()] for hz in (1_000, 2_000, 4_000)}
    assert at[2_000] - at[1_000] == pytest.approx(3, abs=0.4)
    assert at[4_000] - at[2_000] == pytest.approx(3, abs=0.4)


def test_narrow_recordings_repeat_their_highest_band() -> None:
    narrow = encode(np.zeros((2, 257), np.float32), 16_000)
    assert narrow.shape == (2, FEATURES)
    assert np.abs(narrow[:, CEPSTRA:]).max() < 1e-6
