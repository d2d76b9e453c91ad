from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.media.frame import Pcm
from runtime.media.resample import StreamResampler


def tone(hz: float, rate: int, seconds: float) -> Pcm:
    samples: Pcm = (12_000 * np.sin(2 * np.pi * hz / rate * np.arange(round(rate * seconds)))).astype(
        np.int16
    )
    return samples


def in_pieces(samples: Pcm, sizes: list[int], resampler: StreamResampler) -> Pcm:
    out, at = [], 0
    for size in sizes:
        out.append(resampler.push(samples[at : at + size]))
        at += size
    out += [resampler.push(samples[at:]), resampler.flush()]
    return np.concatenate(out)


@given(
    rates=st.sampled_from([(24_000, 8_000), (8_000, 16_000), (44_100, 16_000), (48_000, 24_000)]),
    sizes=st.lists(st.integers(0, 2_000), max_size=20),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=60, deadline=None)
def test_chunked_equals_whole(rates: tuple[int, int], sizes: list[int], seed: int) -> None:
    samples = np.random.default_rng(seed).integers(-20_000, 20_000, 9_000).astype(np.int16)
    whole = in_pieces(samples, [], StreamResampler(*rates))
    assert np.array_equal(in_pieces(samples, sizes, StreamResampler(*rates)), whole)


@pytest.mark.parametrize(("rate_in", "rate_out"), [(24_000, 8_000), (8_000, 16_000), (22_050, 24_000)])
def test_flush_makes_the_length_right(rate_in: int, rate_out: int) -> None:
    out = in_pieces(tone(440, rate_in, 1.0), [100] * 10, StreamResampler(rate_in, rate_out))
    assert abs(len(out) - rate_out) <= 1


def test_a_tone_keeps_its_pitch_and_its_level() -> None:
    out = in_pieces(tone(1_000, 24_000, 1.0), [480] * 49, StreamResampler(24_000, 8_000)).astype(float)
    spectrum = np.abs(np.fft.rfft(out * np.hanning(len(out))))
    assert np.argmax(spectrum) * 8_000 / len(out) == pytest.approx(1_000, abs=1.5)
    assert np.sqrt(np.mean(out[400:-400] ** 2)) == pytest.approx(12_000 / np.sqrt(2), rel=0.01)


def test_what_the_lower_rate_cannot_hold_is_removed() -> None:
    out = in_pieces(tone(7_000, 24_000, 1.0), [480] * 49, StreamResampler(24_000, 8_000))
    assert np.abs(out[200:-200]).max() < 12


def test_a_click_stays_in_its_place() -> None:
    click = np.zeros(24_000, np.int16)
    click[12_000] = 30_000
    out = in_pieces(click, [480] * 50, StreamResampler(24_000, 8_000))
    assert np.argmax(np.abs(out)) == 4_000


def test_after_flush_or_reset_the_next_stream_knows_nothing_of_the_last() -> None:
    used = StreamResampler(24_000, 8_000)
    first = in_pieces(tone(500, 24_000, 0.3), [], used)
    assert np.array_equal(in_pieces(tone(500, 24_000, 0.3), [], used), first)
    used.push(tone(300, 24_000, 0.2))
    used.reset()
    assert np.array_equal(in_pieces(tone(500, 24_000, 0.3), [], used), first)


def test_equal_rates_pass_through_untouched() -> None:
    samples = tone(500, 8_000, 0.1)
    resampler = StreamResampler(8_000, 8_000)
    assert resampler.push(samples) is samples
    resampler.reset()
    assert len(resampler.flush()) == 0


def test_a_rate_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        StreamResampler(0, 8_000)
