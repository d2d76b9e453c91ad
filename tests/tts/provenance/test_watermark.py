"""The mark is faint, streams, survives what recordings go through, and is not seen where it is not."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.media.container import decode_upload
from runtime.media.frame import Pcm
from runtime.media.resample import StreamResampler
from tests.bench import watermark as bench
from tests.tts.provenance.babble import babble
from tts.provenance.detection import FALSE_ALARM, Traces, detect
from tts.provenance.verify import full_scale
from tts.provenance.watermark import DEFAULT_KEY, Watermarker, signs, voice_signs
from tts.voices.gate import Gate

RATE = 24_000


def marked(samples: Pcm, rate: int = RATE, key: bytes = b"vivavoce") -> Pcm:
    return Watermarker(rate, key=key).push(samples)


@pytest.fixture(scope="module")
def speech() -> list[Pcm]:
    return [babble(5.0, RATE, seed=seed) for seed in range(3)]


@pytest.mark.parametrize("damage", bench.DAMAGES)
def test_five_seconds_are_enough_after(damage: str, speech: list[Pcm]) -> None:
    rng = np.random.default_rng(0)
    for samples in speech:
        assert detect(*bench.DAMAGES[damage](marked(samples), RATE, rng)).verdict == "watermarked"


@pytest.mark.parametrize("damage", ["none", "mu-law 8 kHz", "white noise 20 dB"])
def test_nothing_is_found_where_nothing_is(damage: str, speech: list[Pcm]) -> None:
    rng = np.random.default_rng(0)
    for samples in speech:
        assert detect(*bench.DAMAGES[damage](samples, RATE, rng)).verdict == "not_detected"


def test_another_key_finds_nothing(speech: list[Pcm]) -> None:
    samples = marked(speech[0], key=b"mine")
    assert detect(samples, RATE, key=b"mine").found
    assert not detect(samples, RATE, key=b"yours").found
    assert not detect(samples, RATE).found


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000])
def test_the_mark_does_not_depend_on_the_rate(rate: int) -> None:
    samples = marked(babble(5.0, rate, seed=1), rate)
    assert detect(samples, rate).found
    resampler = StreamResampler(rate, 16_000)
    assert detect(np.concatenate((resampler.push(samples), resampler.flush())), 16_000).found


def test_it_is_faint_and_nothing_above_the_telephone_band(speech: list[Pcm]) -> None:
    for samples in speech:
        echo = marked(samples).astype(float) - samples
        assert 10 * np.log10(np.mean(samples.astype(float) ** 2) / np.mean(echo**2)) > 20
        power = np.abs(np.fft.rfft(echo)) ** 2
        hz = np.fft.rfftfreq(len(echo), 1 / RATE)
        assert power[hz > 4200].sum() < 1e-3 * power.sum()  # what is left is rounding


@settings(max_examples=20)
@given(st.lists(st.integers(0, 9000), max_size=8))
def test_any_split_gives_the_same_samples(cuts: list[int]) -> None:
    samples = babble(0.5, RATE, seed=3)
    watermarker, at, blocks = Watermarker(RATE), 0, []
    for size in [*cuts, len(samples)]:
        blocks.append(watermarker.push(samples[at : at + size]))
        at += size
    whole = marked(samples)
    split = np.concatenate(blocks)
    assert len(split) == len(whole)
    assert np.abs(split.astype(int) - whole).max() <= 1


def test_loud_samples_clip_and_do_not_wrap() -> None:
    square = np.where(np.arange(RATE) // 100 % 2, 32767, -32768).astype(np.int16)
    assert np.abs(marked(square).astype(int) - square).max() < 8000


def test_a_marked_part_of_a_long_recording_is_located() -> None:
    before, after = babble(20.0, RATE, seed=4), babble(20.0, RATE, seed=5)
    middle = marked(babble(15.0, RATE, seed=6))
    detection = detect(np.concatenate((before, middle, after)), RATE)
    assert detection.found
    ((begin, end),) = detection.spans
    assert 9.0 <= begin <= 21.0
    assert 34.0 <= end <= 46.0
    assert detection.to_json()["verdict"] == "watermarked"


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(0, np.int16),
        np.zeros(100, np.int16),
        np.zeros(RATE * 5, np.int16),
        np.full(RATE * 5, 1000, np.int16),
        np.concatenate((babble(0.5, RATE, seed=1), np.zeros(RATE * 5, np.int16))),
    ],
    ids=["nothing", "a moment", "silence", "direct current", "half a second"],
)
def test_too_little_sound_is_inconclusive(samples: Pcm) -> None:
    assert detect(samples, RATE).verdict in ("inconclusive", "not_detected")
    assert not detect(samples, RATE).found


def test_silence_stays_silence_and_rates_are_checked() -> None:
    assert not marked(np.zeros(5000, np.int16)).any()
    assert len(marked(np.zeros(0, np.int16))) == 0
    with pytest.raises(ValueError, match="8000 Hz"):
        Watermarker(4_000)


def test_noise_and_music_are_not_marked() -> None:
    rng = np.random.default_rng(0)
    chord = sum(np.sin(np.arange(RATE * 3) / period) for period in (7.0, 5.0, 3.1))
    assert not detect(rng.normal(0, 3000, RATE * 8).astype(np.int16), RATE).found
    assert not detect((3000 * chord).astype(np.int16), RATE).found


def test_false_alarms_are_as_rare_as_claimed(speech: list[Pcm]) -> None:
    scores = [
        detect(samples, RATE, key=b"wrong %d" % number).score for samples in speech for number in range(20)
    ]
    assert np.std(scores) < 1.3
    assert sum(score >= detect(speech[0], RATE).threshold for score in scores) <= 1
    assert FALSE_ALARM <= 1e-3


@pytest.mark.clips
def test_real_recordings_are_not_marked(clips: Path) -> None:
    recordings = islice(bench.recorded(clips / "A_good"), 0, None, 3)
    found = [detect(samples, rate).found for samples, rate in recordings]
    assert found
    assert not any(found)


@pytest.mark.clips
def test_the_gate_refuses_a_recording_that_carries_the_mark(clips: Path) -> None:
    clip = clips / "A_good" / "vctkp360-006_m_44100_7.3s.wav"
    real = decode_upload(clip.read_bytes())
    assert "synthetic_source" not in {reason.code for reason in Gate().judge(real).reasons}
    mark = marked(full_scale(real.samples[:, 0]), real.rate)
    ours = replace(real, samples=(mark / np.float32(32768)).astype(np.float32)[:, None])
    reasons = {reason.code: reason for reason in Gate().judge(ours).reasons}
    assert "synthetic_source" in reasons
    assert reasons["synthetic_source"].spans


def test_the_voice_that_spoke_is_named_among_those_that_are_known(speech: list[Pcm]) -> None:
    known = [f"voice_{number}" for number in range(200)]
    for samples in speech:
        traces = Traces(Watermarker(RATE, voice_id="voice_7").push(samples), RATE)
        assert traces.detect(DEFAULT_KEY).found
        named = traces.name(known, key=DEFAULT_KEY)
        assert [mark.voice_id for mark in named] == ["voice_7"]
        assert named[0].score >= named[0].threshold
        assert traces.name([name for name in known if name != "voice_7"], key=DEFAULT_KEY) == ()
        assert Traces(marked(samples), RATE).name(known, key=DEFAULT_KEY) == ()


def test_two_voices_one_after_the_other_are_both_named() -> None:
    one, two = (
        Watermarker(RATE, voice_id=voice_id).push(babble(12.0, RATE, seed=seed))
        for seed, voice_id in enumerate(("voice_1", "voice_2"))
    )
    named = Traces(np.concatenate((one, two)), RATE).name(["voice_0", "voice_1", "voice_2"], key=DEFAULT_KEY)
    first, second = sorted(named, key=lambda mark: mark.spans[0])
    assert (first.voice_id, second.voice_id) == ("voice_1", "voice_2")
    assert first.spans[0][0] == 0.0
    assert second.spans[-1][1] == pytest.approx(24.0, abs=0.5)


def test_with_a_secret_key_only_its_owner_finds_the_mark_and_still_knows_the_public_one(
    speech: list[Pcm],
) -> None:
    ours, public = marked(speech[0], key=b"our secret"), marked(speech[0])
    keys = (b"our secret", DEFAULT_KEY)
    assert Traces(ours, RATE).detect(*keys).key == b"our secret"
    assert Traces(public, RATE).detect(*keys).key == DEFAULT_KEY
    assert not Traces(ours, RATE).detect(DEFAULT_KEY).found
    assert not Traces(speech[0], RATE).detect(*keys).found


def test_a_voice_pattern_is_at_right_angles_to_the_key_pattern() -> None:
    for voice_id in ("ada", "voice_1", "Ünï"):
        pattern = voice_signs(DEFAULT_KEY, voice_id)
        assert set(pattern) == {-1.0, 1.0}
        assert pattern @ signs(DEFAULT_KEY) == 0
