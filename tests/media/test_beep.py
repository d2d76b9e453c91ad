from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soxr
from hypothesis import given
from hypothesis import strategies as st

from runtime.media.beep import Beep, BeepDetector
from runtime.media.dtmf import KEYS
from runtime.media.frame import Pcm
from tests.media.tones import (
    NETWORK,
    SPECIAL_INFORMATION,
    key,
    on_a_line,
    quiet,
    recordings_of_speech,
    telephone_speech,
    tone,
)

RATE = 8_000


def beeps(pcm: Pcm, *, rate: int = RATE, piece: int = 160) -> list[tuple[Beep, float]]:
    """Those found, and how many seconds had been heard by then."""
    detector = BeepDetector(rate)
    return [
        (beep, min(at + piece, len(pcm)) / rate)
        for at in range(0, len(pcm), piece)
        for beep in detector.push(pcm[at : at + piece])
    ]


@pytest.mark.parametrize("hertz", [400.0, 440.0, 800.0, 1_000.0, 1_400.0, 2_200.0])
@pytest.mark.parametrize("seconds", [0.1, 0.3, 1.5])
@pytest.mark.parametrize("level", [-10.0, -38.0])
def test_a_beep_is_found_within_a_tenth_of_a_second_of_its_end(
    hertz: float, seconds: float, level: float
) -> None:
    found = beeps(on_a_line(quiet(0.5), tone((hertz,), seconds, level=level), quiet(0.5)))
    assert len(found) == 1
    beep, when = found[0]
    assert when - (0.5 + seconds) <= 0.1
    assert beep.hertz == pytest.approx((hertz,), abs=6.0)
    assert beep.start / RATE == pytest.approx(0.5, abs=0.025)
    assert beep.end / RATE == pytest.approx(0.5 + seconds, abs=0.025)


def test_two_tones_at_once_are_a_beep() -> None:
    found = beeps(on_a_line(quiet(0.5), tone((950.0, 1_180.0), 0.4, level=-20), quiet(0.5)))
    assert [sorted(beep.hertz) for beep, _ in found] == [pytest.approx([950.0, 1_180.0], abs=6.0)]


def test_a_beep_over_the_noise_of_a_line() -> None:
    found = beeps(on_a_line(quiet(0.5), tone((1_000.0,), 0.4, level=-30), quiet(0.5), noise=-41.0))
    assert len(found) == 1


def test_a_tone_that_goes_on_is_found_only_once_it_is_over_and_not_when_it_is_too_long() -> None:
    assert beeps(on_a_line(quiet(0.5), tone((1_000.0,), 1.0, level=-20))) == []
    assert beeps(on_a_line(quiet(0.5), tone((2_100.0,), 3.0, level=-20), quiet(0.5))) == []
    assert beeps(on_a_line(quiet(0.5), tone((1_000.0,), 0.05, level=-20), quiet(0.5))) == []


@pytest.mark.parametrize("name", NETWORK)
@pytest.mark.parametrize("level", [-12.0, -35.0])
def test_tones_of_the_network_are_no_beeps(name: str, level: float) -> None:
    hertz, on, off = NETWORK[name]
    cadence = [part for _ in range(3) for part in (tone(hertz, on, level=level), quiet(off))]
    assert beeps(on_a_line(quiet(0.5), *cadence)) == []


def test_special_information_tones_are_no_beep() -> None:
    tones = [tone((hertz,), 0.33, level=-15) for hertz in SPECIAL_INFORMATION]
    assert beeps(on_a_line(quiet(0.5), *tones, quiet(1.0))) == []


def test_keys_are_no_beeps() -> None:
    pressed = [part for each in "".join(KEYS) for part in (key(each, 0.2, level=-18), quiet(0.2))]
    assert beeps(on_a_line(quiet(0.3), *pressed)) == []


def test_chirps_and_fading_notes_are_no_beeps() -> None:
    time = np.arange(RATE) / RATE
    chirp = 0.1 * np.sin(2 * np.pi * (600 * time + 400 * time**2))
    note = 0.2 * np.sin(2 * np.pi * 660 * time) * np.exp(-time / 0.15)
    assert beeps(on_a_line(quiet(0.5), chirp, quiet(0.5))) == []
    assert beeps(on_a_line(quiet(0.5), note, quiet(0.5))) == []


def test_at_other_rates() -> None:
    narrow = on_a_line(quiet(0.5), tone((1_000.0,), 0.4, level=-20), quiet(0.5))
    for rate in (16_000, 24_000):
        found = beeps(soxr.resample(narrow, RATE, rate), rate=rate, piece=rate // 50)
        assert [beep.hertz for beep, _ in found] == [pytest.approx((1_000.0,), abs=6.0)]
    with pytest.raises(ValueError, match="8000"):
        BeepDetector(6_000)


@given(st.lists(st.integers(0, 900), max_size=30))
def test_any_split_finds_the_same_beep(cuts: list[int]) -> None:
    pcm = on_a_line(quiet(0.2), tone((1_400.0,), 0.2, level=-20), quiet(0.3))
    whole = [beep for beep, _ in beeps(pcm, piece=len(pcm))]
    detector, at = BeepDetector(RATE), 0
    found = []
    for cut in cuts:
        found += detector.push(pcm[at : at + cut])
        at += cut
    assert [*found, *detector.push(pcm[at:])] == whole
    assert len(whole) == 1


def test_a_long_call_is_not_kept() -> None:
    detector = BeepDetector(RATE)
    minute = on_a_line(quiet(60.0), noise=-50.0)
    assert detector.push(minute) == []
    assert len(detector._kept) <= 5.0 * RATE
    late = on_a_line(tone((1_000.0,), 0.3, level=-20), quiet(0.3))
    (found,) = detector.push(late)
    assert found.start / RATE == pytest.approx(60.0, abs=0.03)


@pytest.mark.clips
def test_a_beep_after_a_greeting_and_none_in_the_greeting(clips: Path) -> None:
    rng = np.random.default_rng(5)
    missed = []
    paths = recordings_of_speech(clips)
    for number, path in enumerate(paths):
        hertz, seconds = rng.uniform(440, 2_200), float(np.exp(rng.uniform(np.log(0.1), np.log(1.5))))
        greeting, beep = telephone_speech(path), tone((hertz,), seconds, level=rng.uniform(-38, -10))
        end = (len(greeting) + len(beep)) / RATE + 0.4
        found = beeps(on_a_line(greeting, quiet(0.4), beep, quiet(0.5), seed=number))
        if len(found) != 1 or not 0.0 <= found[0][1] - end <= 0.3:
            missed.append((path.name, hertz, seconds, found))
    assert len(missed) <= 0.02 * len(paths), missed
