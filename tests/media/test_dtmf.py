from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soxr
from hypothesis import given
from hypothesis import strategies as st

from runtime.media.dtmf import KEYS, DtmfDetector
from tests.media.tones import key, on_a_line, quiet, recordings_of_speech, telephone_speech, tone

ALL = "".join(KEYS)


def heard(pcm: np.ndarray, *, rate: int = 8_000, piece: int = 160) -> str:
    detector = DtmfDetector(rate)
    return "".join(detector.push(pcm[at : at + piece]) for at in range(0, len(pcm), piece))


def test_every_key_is_told_once_however_long_it_is_held() -> None:
    for seconds in (0.040, 0.1, 2.0):
        parts = [part for each in ALL for part in (key(each, seconds, level=-18), quiet(0.05))]
        assert heard(on_a_line(quiet(0.1), *parts)) == ALL


def test_a_key_pressed_twice_is_two_keys_and_one_that_falters_is_one() -> None:
    five = key("5", 0.06, level=-18)
    assert heard(on_a_line(five, quiet(0.045), five, quiet(0.1))) == "55"
    faltering = np.concatenate([five, quiet(0.008), five])
    assert heard(on_a_line(faltering, quiet(0.1))) == "5"


@pytest.mark.parametrize("level", [-8.0, -30.0, -36.0])
@pytest.mark.parametrize("twist", [-8.0, 4.0])
def test_levels_and_twist_of_real_lines(level: float, twist: float) -> None:
    parts = [
        part
        for each in ALL
        for part in (key(each, 0.07, level=min(level, level - twist), twist=twist), quiet(0.06))
    ]
    assert heard(on_a_line(*parts, noise=-60.0)) == ALL


@pytest.mark.parametrize("off", [-0.015, 0.015])
def test_tones_may_be_off_by_one_and_a_half_percent_and_not_by_four(off: float) -> None:
    near = [part for each in ALL for part in (key(each, 0.06, level=-18, off=(off, off)), quiet(0.06))]
    assert heard(on_a_line(*near)) == ALL
    far = [part for each in ALL for part in (key(each, 0.1, level=-18, off=(4 * off, 4 * off)), quiet(0.06))]
    assert heard(on_a_line(*far)) == ""


def test_too_short_too_quiet_or_one_tone_alone_is_no_key() -> None:
    assert heard(on_a_line(key("5", 0.015, level=-18), quiet(0.1))) == ""
    assert heard(on_a_line(key("5", 0.2, level=-55), quiet(0.1), noise=-90)) == ""
    assert heard(on_a_line(tone((770.0,), 0.2, level=-18), quiet(0.1))) == ""
    assert heard(on_a_line(tone((1336.0,), 0.2, level=-18), quiet(0.1))) == ""


def test_at_other_rates() -> None:
    narrow = on_a_line(
        quiet(0.1), *(part for each in ALL for part in (key(each, 0.08, level=-18), quiet(0.08)))
    )
    for rate in (16_000, 24_000, 48_000):
        assert heard(soxr.resample(narrow, 8_000, rate), rate=rate) == ALL
    with pytest.raises(ValueError, match="8000"):
        DtmfDetector(4_000)


@given(st.lists(st.integers(1, 400), max_size=30))
def test_any_split_tells_the_same_keys(cuts: list[int]) -> None:
    pcm = on_a_line(key("7", 0.05, level=-20), quiet(0.05), key("3", 0.05, level=-20), quiet(0.05))
    detector, at, keys = DtmfDetector(8_000), 0, ""
    for cut in cuts:
        keys += detector.push(pcm[at : at + cut])
        at += cut
    assert keys + detector.push(pcm[at:]) == "73"


def test_keys_of_all_kinds_are_never_lost_or_doubled() -> None:
    rng = np.random.default_rng(11)
    for _ in range(60):
        keys = "".join(rng.choice(list(ALL), 10))
        parts = []
        for each in keys:
            level, twist = rng.uniform(-30, -10), rng.uniform(-6, 4)
            off = tuple(rng.uniform(-0.015, 0.015, 2))
            parts += [
                key(each, rng.uniform(0.04, 0.2), level=level, off=off, phase=rng.uniform(), twist=twist),
                quiet(rng.uniform(0.045, 0.15)),
            ]
        assert heard(on_a_line(*parts, noise=-50.0, seed=int(rng.integers(1 << 30)))) == keys


@pytest.mark.clips
def test_nobody_speaks_keys(clips: Path) -> None:
    for path in recordings_of_speech(clips):
        assert heard(on_a_line(telephone_speech(path)), piece=4_000) == "", path.name
