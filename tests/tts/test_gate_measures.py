"""Each measure of the gate on signals whose answer is known."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pytest
from scipy.signal import butter, sosfilt

from runtime.media.container import Recording
from tests.tts import damage
from tests.tts.damage import INTERPOLATIONS, Signal
from tts.voices.gate.bandwidth import measure_bandwidth
from tts.voices.gate.channels import choose_channel
from tts.voices.gate.level import measure_clipping, measure_loudness
from tts.voices.gate.losses import measure_losses
from tts.voices.gate.music import measure_music
from tts.voices.gate.noise import measure_noise
from tts.voices.gate.overlap import measure_overlap
from tts.voices.gate.pitch import track_pitch
from tts.voices.gate.room import measure_reverberation
from tts.voices.gate.sound import HOP_SECONDS, Mask, Sound, silences, spans
from tts.voices.gate.speakers import measure_speakers

RATE = 48_000


class Spoken(Sound):
    """A signal that is known to be speech where it (or what it was made of) is loud: no detector is asked."""

    def __init__(self, samples: Signal, rate: int, *, like: Sound | None = None) -> None:
        super().__init__(samples, rate)
        self._like = like

    @cached_property
    def speaking(self) -> Mask:
        if self._like is not None:
            return self._like.speaking
        loud = self.level > np.percentile(self.level, 95) - 35
        return np.asarray(np.convolve(loud, np.ones(9), "same") > 0, np.bool_)


def speechlike(
    seconds: float = 8.0,
    *,
    pitch: float = 120.0,
    formants: tuple[float, ...] = (600, 1_300, 2_500),
    seed: int = 0,
) -> Signal:
    """
    Syllables at 48 kHz: gliding pulses through three resonances that wander, louder and softer, dying away
    by 60 dB in 0.15 s; a hiss up to 20 kHz after each, half a second of rest after every fifth, and a floor
    of -75 dBFS under all of it.
    """
    rng = np.random.default_rng(seed)
    parts = [np.zeros(RATE // 2)]
    for syllable in range(int(seconds / 0.36)):
        count = int(0.22 * RATE)
        glide = pitch * 2 ** (rng.uniform(-0.15, 0.15) + np.linspace(0, rng.uniform(-0.2, 0.2), count))
        phase = np.cumsum(glide) / RATE
        voiced = np.diff(np.floor(phase), prepend=0) * np.hanning(count) ** 0.3
        vowel = np.zeros(count)
        for centre in formants:
            moved = centre * rng.uniform(0.75, 1.3)
            band = butter(1, (0.93 * moved, 1.07 * moved), "band", fs=RATE, output="sos")
            vowel += sosfilt(band, voiced) * (600 / moved)
        hiss = rng.standard_normal(int(0.10 * RATE)) * np.hanning(int(0.10 * RATE))
        hiss = sosfilt(butter(2, (3_500, 20_000), "band", fs=RATE, output="sos"), hiss) * 0.01
        dying = np.minimum(1, 10 ** (-60 / 20 * (np.arange(count) / RATE - 0.10) / 0.15))
        parts.append(vowel * dying / np.max(np.abs(vowel)) * 0.3 * 10 ** (-rng.uniform(0, 14) / 20))
        parts.append(hiss)
        parts.append(np.zeros(int((0.5 if syllable % 5 == 4 else 0.04) * RATE)))
    whole = np.concatenate(parts)[: int(seconds * RATE)]
    return (whole + rng.standard_normal(len(whole)) * 10 ** (-75 / 20)).astype(np.float32)


SPEECH = speechlike()


# --- bandwidth


def test_a_full_band_recording_reaches_its_own_limit() -> None:
    found = measure_bandwidth(Spoken(SPEECH, RATE))
    assert found.effective_hz >= 16_000
    assert found.image_hz is None


@pytest.mark.parametrize("rate", [22_050, 24_000, 32_000])
def test_genuine_lower_rates_reach_their_nyquist(rate: int) -> None:
    found = measure_bandwidth(Spoken(damage.resampled(SPEECH, RATE, rate), rate))
    assert rate / 2 - 1_100 <= found.effective_hz <= rate / 2


@pytest.mark.parametrize("how", INTERPOLATIONS)
@pytest.mark.parametrize("low", [8_000, 11_025, 16_000])
def test_upsampling_is_seen_through_whatever_the_interpolation(how: str, low: int) -> None:
    narrow = damage.upsampled(damage.resampled(SPEECH, RATE, low), low, RATE, how)
    assert measure_bandwidth(Spoken(narrow, RATE)).effective_hz < 9_500


@pytest.mark.parametrize("how", ["soxr", "repeat", "linear"])
def test_noise_added_afterwards_is_not_taken_for_bandwidth(how: str) -> None:
    narrow = damage.upsampled(damage.resampled(SPEECH, RATE, 8_000), 8_000, RATE, how)
    hiss = damage.white(len(narrow), np.random.default_rng(1))
    assert measure_bandwidth(Spoken(damage.mixed(narrow, hiss, RATE, below_db=45), RATE)).effective_hz < 6_000


def test_the_mirror_names_the_rate_it_was_upsampled_from() -> None:
    narrow = damage.upsampled(damage.resampled(SPEECH, RATE, 16_000), 16_000, RATE, "linear")
    assert measure_bandwidth(Spoken(narrow, RATE)).image_hz == pytest.approx(8_000, abs=60)


# --- level


@pytest.mark.parametrize(("dbfs", "lufs"), [(0.0, -3.01), (-20.0, -23.01)])
def test_loudness_of_the_reference_tone(dbfs: float, lufs: float) -> None:
    """BS.1770-5: a 997 Hz sine at 0 dBFS in one channel reads -3.01 LKFS."""
    tone = 10 ** (dbfs / 20) * np.sin(2 * np.pi * 997 * np.arange(5 * RATE) / RATE)
    assert measure_loudness(Sound(tone.astype(np.float32), RATE)).integrated_lufs == pytest.approx(
        lufs, abs=0.1
    )


def test_silence_has_no_loudness_to_speak_of() -> None:
    assert measure_loudness(Sound(np.zeros(RATE, np.float32), RATE)).integrated_lufs == -70.0


def test_a_step_in_volume_is_a_spread() -> None:
    even, stepped = SPEECH, damage.stepped(SPEECH, by_db=20)
    assert measure_loudness(Spoken(even, RATE)).spread_lu < 6
    assert measure_loudness(Spoken(stepped, RATE)).spread_lu > 14


@pytest.mark.parametrize("lowered", [0.0, 12.0])
def test_flat_tops_are_clipping_at_any_level(lowered: float) -> None:
    clean = measure_clipping(Spoken(SPEECH, RATE))
    cut = measure_clipping(Spoken(damage.overdriven(SPEECH, by_db=12, lowered_db=lowered), RATE))
    assert clean.ratio == 0
    assert cut.ratio > 0.001
    assert cut.spans
    assert cut.peak_dbfs == pytest.approx(-lowered, abs=0.1)


def test_clipping_through_a_codec_still_crowds_the_ceiling() -> None:
    cut, rate = damage.coded(damage.overdriven(SPEECH, by_db=18, lowered_db=3), RATE, "mp3", 128_000)
    assert measure_clipping(Spoken(cut, rate)).crowding > 2 * measure_clipping(Spoken(SPEECH, RATE)).crowding


# --- noise, room, music


@pytest.mark.parametrize("below", [5.0, 12.0, 25.0])
def test_noise_reads_as_many_db_as_were_added(below: float) -> None:
    hiss = damage.pink(len(SPEECH), RATE, np.random.default_rng(2))
    sound = Spoken(SPEECH, RATE)
    noisy = Spoken(damage.mixed(SPEECH, hiss, RATE, below_db=below), RATE, like=sound)
    assert measure_noise(noisy).snr_db == pytest.approx(below, abs=4.5)


def test_a_dry_voice_dies_away_sooner_than_a_voice_in_a_hall() -> None:
    rng = np.random.default_rng(3)
    dry = measure_reverberation(Spoken(SPEECH, RATE))
    wet = measure_reverberation(
        Spoken(damage.in_room(SPEECH, damage.decay(RATE, 1.0, rng, direct_db=-3)), RATE)
    )
    assert dry is not None
    assert wet is not None
    assert dry < 0.30 < 0.33 < wet


@pytest.mark.parametrize("below", [5.0, 15.0])
def test_chords_under_the_voice_are_music_and_noise_is_not(below: float) -> None:
    rng = np.random.default_rng(4)
    chords = damage.mixed(SPEECH, damage.chords(len(SPEECH), RATE, rng), RATE, below_db=below)
    hiss = damage.mixed(SPEECH, damage.pink(len(SPEECH), RATE, rng), RATE, below_db=below)
    clean = Spoken(SPEECH, RATE)
    assert measure_music(Spoken(chords, RATE, like=clean)) > 2.0
    assert measure_music(Spoken(hiss, RATE, like=clean)) < 1.8


# --- pitch and people


@pytest.mark.parametrize("hz", [80.0, 120.0, 210.0, 350.0])
def test_pitch_of_pulses_is_their_rate(hz: float) -> None:
    median = track_pitch(Spoken(speechlike(4.0, pitch=hz), RATE)).median_hz
    assert median == pytest.approx(hz, rel=0.06)


def test_one_voice_is_one_voice() -> None:
    sound = Spoken(SPEECH, RATE)
    assert measure_speakers(sound, track_pitch(sound)).second_seconds == 0
    assert measure_overlap(sound).seconds <= 0.05


@pytest.mark.parametrize("turns", [1, 2])
def test_another_voice_after_the_first_is_found_where_it_speaks(turns: int) -> None:
    first = speechlike(6.0, pitch=110, formants=(550, 1_200, 2_400), seed=5)
    second = speechlike(6.0, pitch=205, formants=(680, 1_500, 2_900), seed=6)
    piece = len(first) // turns
    parts = [voice[at * piece : (at + 1) * piece] for at in range(turns) for voice in (first, second)]
    sound = Spoken(np.concatenate(parts), RATE)
    found = measure_speakers(sound, track_pitch(sound))
    assert found.second_seconds > 1.0
    assert all(0 <= start < end <= sound.seconds for start, end in found.spans)


def test_two_voices_at_once_are_two_pitches() -> None:
    one = speechlike(6.0, pitch=105, seed=7)
    other = speechlike(6.0, pitch=173, formants=(700, 1_600, 3_000), seed=8)
    assert measure_overlap(Spoken(one + other, RATE)).seconds > 0.05


# --- losses


def test_lost_packets_are_counted_where_they_are() -> None:
    lossy = SPEECH.copy()
    sound = Spoken(SPEECH, RATE)
    middle = [(start + end) / 2 for start, end in sound.speech if end - start > 0.3]
    for second in middle[:3]:
        lossy[round(second * RATE) : round((second + 0.02) * RATE)] = 0
    assert measure_losses(sound).count == 0
    found = measure_losses(Spoken(lossy, RATE))
    assert found.count >= 1
    assert all(any(abs(start - second) < 0.03 for second in middle) for start, _ in found.spans)


# --- channels


def stereo(left: Signal, right: Signal) -> Recording:
    return damage.recording(np.stack([left, right], axis=1), RATE)


def test_a_dead_channel_is_left_out() -> None:
    mono, channels = choose_channel(stereo(SPEECH, np.zeros_like(SPEECH)))
    assert (channels.dead, channels.chosen) == (1, 0)
    assert mono == pytest.approx(SPEECH, abs=1e-4)


def test_one_voice_in_two_channels_goes_together_and_two_parties_do_not() -> None:
    _, same = choose_channel(stereo(SPEECH, 0.5 * SPEECH))
    here = np.where(np.arange(len(SPEECH)) < len(SPEECH) // 2, SPEECH, 1e-4 * SPEECH).astype(np.float32)
    _, call = choose_channel(stereo(here, (SPEECH - here).astype(np.float32)))
    assert same.correlation == pytest.approx(1.0, abs=0.01)
    assert same.together is not None
    assert same.together > 0.9
    assert call.together is not None
    assert call.together < 0.2


def test_a_channel_wired_backwards_does_not_cancel_the_voice() -> None:
    mono, _ = choose_channel(stereo(SPEECH, -SPEECH))
    assert np.std(mono) == pytest.approx(np.std(SPEECH), rel=0.01)


# --- what all of them stand on


def test_spans_and_silences_cover_the_whole_recording() -> None:
    sound = Spoken(SPEECH, RATE)
    covered = sorted([*sound.speech, *silences(sound)])
    assert covered[0][0] == 0
    assert covered[-1][1] == pytest.approx(sound.seconds, abs=0.02)
    assert all(
        one[1] == pytest.approx(other[0], abs=1e-6) for one, other in zip(covered, covered[1:], strict=False)
    )


def test_short_stretches_can_be_left_out_of_spans() -> None:
    mask = np.array([False, True, False, True, True, True])
    assert spans(mask) == ((0.01, 0.02), (0.03, 0.06))
    assert spans(mask, minimum=2 * HOP_SECONDS) == ((0.03, 0.06),)


@pytest.mark.parametrize("count", [0, 1, 100, 1_000])
def test_next_to_nothing_is_measured_without_complaint(count: int) -> None:
    sound = Sound(np.zeros(count, np.float32), RATE)
    assert sound.speech == ()
    assert measure_bandwidth(sound).effective_hz == 0
    assert measure_noise(sound).snr_db is None
    assert measure_overlap(sound).seconds == 0
