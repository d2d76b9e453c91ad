"""The vocoder gives back what it was asked to draw, in blocks of any size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tts.clone.voices import vowel
from tts.engines.clone.breath import aperiodicity
from tts.engines.clone.envelope import envelope
from tts.engines.clone.pitch import track
from tts.engines.clone.spectrum import FFT, RATE, encode, log_amplitude
from tts.engines.clone.vocoder import VoiceTrack, render


def analysed(samples: np.ndarray) -> VoiceTrack:
    f0 = track(samples, RATE)
    return VoiceTrack(f0, encode(envelope(samples, f0, RATE, FFT), RATE), aperiodicity(samples, f0, RATE))


@pytest.fixture(scope="module")
def drawn() -> VoiceTrack:
    return analysed(
        np.concatenate([vowel(f0=120, seconds=0.3), np.zeros(2_400, np.float32), vowel(f0=210, seconds=0.3)])
    )


@given(st.lists(st.integers(1, 9_000), min_size=1, max_size=12), st.integers(0, 5))
@settings(max_examples=15, deadline=None)
def test_blocks_of_any_size_join_to_the_same_waveform(drawn: VoiceTrack, sizes: list[int], seed: int) -> None:
    whole = np.concatenate(list(render(drawn, seed=seed, blocks=[drawn.samples])))
    cut = np.concatenate(list(render(drawn, seed=seed, blocks=[*sizes, drawn.samples])))
    np.testing.assert_allclose(cut, whole, atol=2e-6)
    assert len(whole) == drawn.samples


def test_another_seed_is_another_breath_but_the_same_voice(drawn: VoiceTrack) -> None:
    one, other = (np.concatenate(list(render(drawn, seed=seed, blocks=[10**6]))) for seed in (1, 2))
    assert not np.array_equal(one, other)
    assert np.corrcoef(one, other)[0, 1] > 0.5


@pytest.mark.parametrize("f0", [85.0, 130.0, 220.0, 330.0])
def test_pitch_survives_analysis_and_synthesis(f0: float) -> None:
    again = np.concatenate(list(render(analysed(vowel(f0=f0, seconds=0.5)), seed=0, blocks=[10**6])))
    measured = track(again, RATE)
    assert np.median(measured[measured > 0]) == pytest.approx(f0, rel=0.01)


def test_level_survives_analysis_and_synthesis() -> None:
    samples = vowel(f0=140, seconds=0.6)
    again = np.concatenate(list(render(analysed(samples), seed=0, blocks=[10**6])))
    assert 20 * np.log10(again[2_400:-2_400].std() / samples[2_400:-2_400].std()) == pytest.approx(0, abs=1.5)


def test_the_envelope_shows_the_resonances_and_not_the_harmonics() -> None:
    samples = vowel(f0=100, seconds=0.5, formants=(700, 1_800))
    spectrum = log_amplitude(encode(envelope(samples, track(samples, RATE), RATE, FFT), RATE))[50]
    hz = np.arange(len(spectrum)) * RATE / FFT
    peaks = hz[1:-1][(spectrum[1:-1] > spectrum[:-2]) & (spectrum[1:-1] > spectrum[2:])]
    for formant in (700, 1_800):
        assert np.abs(peaks - formant).min() < 80
    assert len(peaks[(peaks > 300) & (peaks < 2_500)]) <= 4


def test_noise_and_silence_have_no_pitch() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)
    assert (track(noise, RATE) > 0).mean() < 0.05
    assert not track(np.zeros(RATE, np.float32), RATE).any()


def test_breath_is_told_from_buzz() -> None:
    buzz = vowel(f0=120, seconds=0.5)
    noise = np.random.default_rng(0).normal(0, 0.1, len(buzz)).astype(np.float32)
    f0 = np.full(int(0.5 / 0.005), 120, np.float32)
    assert aperiodicity(buzz, f0, RATE)[10:-10, 0].mean() < 0.1
    assert aperiodicity(noise, f0, RATE)[10:-10, 0].mean() > 0.4


def test_a_high_voice_does_not_rumble_below_its_pitch() -> None:
    again = np.concatenate(list(render(analysed(vowel(f0=220, seconds=1.0)), seed=0, blocks=[10**6])))
    power = np.abs(np.fft.rfft(again * np.hanning(len(again)))) ** 2
    hz = np.fft.rfftfreq(len(again), 1 / RATE)
    pitch = power[(hz > 200) & (hz < 240)].max()
    assert 10 * np.log10(power[hz < 50].max() / pitch) < -35
