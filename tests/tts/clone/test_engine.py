"""The engine as a whole, on every base voice that is installed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from runtime.errors import EnrolmentError, InvalidRequest, SynthesisFailed
from tests.tts.clone.voices import person
from tts.engine import Conditioning, SpeechRequest
from tts.engines.clone import CloneSynthesizer, VoiceDesign, espeak, flite
from tts.engines.clone.pitch import track
from tts.engines.clone.voiceprint import Voiceprint

TEXT = "Your appointment is on Thursday at three, in the afternoon."
INSTALLED = [name for name, found in (("flite", flite.installed()), ("espeak", espeak.installed())) if found]


@pytest.fixture(scope="module", params=INSTALLED or ["none"])
def engine(request: pytest.FixtureRequest) -> CloneSynthesizer:
    if request.param == "none":
        pytest.skip("no base voice is installed: apt-get install libflite1, or pip install espeakng-loader")
    return CloneSynthesizer(base=request.param)


def cloned(*, f0: float = 110.0, seed: int = 0) -> Conditioning:
    data = person(f0=f0, seed=seed).to_bytes()
    return Conditioning(f"voice_{seed}", "clone", "1", data, f"{f0}-{seed}")


def spoken(
    engine: CloneSynthesizer, conditioning: Conditioning, text: str = TEXT, **options: float
) -> np.ndarray:
    blocks = engine.speak(SpeechRequest(text, conditioning, **options))  # type: ignore[arg-type]
    return np.concatenate([np.zeros(0, np.int16), *(block.samples for block in blocks)])


def median_f0(samples: np.ndarray) -> float:
    f0 = track((samples / 32768).astype(np.float32), 24_000)
    return float(np.median(f0[f0 > 0]))


@pytest.mark.parametrize("f0", [95.0, 140.0, 210.0])
def test_a_clone_speaks_at_the_pitch_of_its_person(engine: CloneSynthesizer, f0: float) -> None:
    assert median_f0(spoken(engine, cloned(f0=f0))) == pytest.approx(f0, rel=0.12)


def test_the_same_request_gives_the_same_samples(engine: CloneSynthesizer) -> None:
    first, again, other = (spoken(engine, cloned(), seed=seed) for seed in (7, 7, 8))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_first_block_is_short_only_at_the_start_of_an_utterance(engine: CloneSynthesizer) -> None:
    opening = next(engine.speak(SpeechRequest(TEXT, cloned(), first=True)))
    later = next(engine.speak(SpeechRequest(TEXT, cloned(), first=False)))
    assert len(opening.samples) / opening.rate <= 0.1
    assert 0.3 <= len(later.samples) / later.rate <= 0.6


def test_every_word_is_timed_once_and_points_at_its_text(engine: CloneSynthesizer) -> None:
    blocks = list(engine.speak(SpeechRequest(TEXT, cloned())))
    words = [word for block in blocks for word in block.words]
    assert [TEXT[slice(*word.source)].strip(".,").lower() for word in words] == TEXT.replace(",", "").strip(
        "."
    ).lower().split()
    assert all(
        a.start <= b.start and a.source[1] <= b.source[0] for a, b in zip(words, words[1:], strict=False)
    )
    assert words[-1].end <= sum(len(block.samples) for block in blocks) / 24_000 + 0.01
    begin = 0.0
    for block in blocks:
        end = begin + len(block.samples) / block.rate
        assert all(begin <= word.start < end for word in block.words)
        begin = end


def test_speed_changes_the_length_and_not_the_pitch(engine: CloneSynthesizer) -> None:
    slow, fast = (spoken(engine, cloned(), speed=speed) for speed in (0.8, 1.6))
    assert len(slow) / len(fast) == pytest.approx(2.0, rel=0.2)
    assert median_f0(slow) == pytest.approx(median_f0(fast), rel=0.06)


def test_a_clone_is_as_loud_as_its_clip_within_bounds_and_never_clips(engine: CloneSynthesizer) -> None:
    def level(recorded: float) -> float:
        data = person(f0=120, level=recorded).to_bytes()
        samples = spoken(engine, Conditioning("v", "clone", "1", data, f"level-{recorded}")).astype(float)
        assert np.abs(samples).max() < 32_767
        return 20 * float(np.log10(samples.std()))

    faint, soft, loud, blaring = (level(recorded) for recorded in (0.001, 0.06, 0.12, 0.9))
    assert loud - soft == pytest.approx(6, abs=1)
    assert faint > soft - 3
    assert blaring < loud + 4


@pytest.mark.parametrize("text", ["", " \n ", "...", "\U0001f600 \U0001f4a9", "\x00\x07", "你好"])
def test_text_without_anything_to_say_makes_little_or_no_sound(engine: CloneSynthesizer, text: str) -> None:
    assert len(spoken(engine, cloned(), text)) < 3 * 24_000


@pytest.mark.parametrize(
    "text", ["café — it’s $5.20", "<b>bold</b> & 'odd' \\ text", "A" * 300, "1234567890"]
)
def test_odd_text_is_spoken(engine: CloneSynthesizer, text: str) -> None:
    assert np.abs(spoken(engine, cloned(), text)).max() > 1_000


def test_every_stock_voice_speaks_and_no_two_are_alike(engine: CloneSynthesizer) -> None:
    voices = engine.stock()
    assert len({voice.conditioning.digest for voice in voices}) == len(voices) >= 6
    said = {voice.voice_id: spoken(engine, voice.conditioning, "Good morning.").tobytes() for voice in voices}
    assert len(set(said.values())) == len(voices)


def test_design_parameters_are_heard(engine: CloneSynthesizer) -> None:
    def designed(**parameters: float) -> np.ndarray:
        return spoken(engine, engine.design(VoiceDesign(timbre="warm", **parameters), voice_id="d"))

    plain = designed()
    assert median_f0(designed(pitch_hz=160)) == pytest.approx(160, rel=0.08)
    assert len(designed(pace=1.5)) < 0.8 * len(plain)

    def centroid(samples: np.ndarray) -> float:
        power = np.abs(np.fft.rfft(samples.astype(float))) ** 2
        hz = np.fft.rfftfreq(len(samples), 1 / 24_000)
        return float((power * hz).sum() / power.sum())

    assert centroid(designed(brightness=4)) > centroid(plain) > centroid(designed(brightness=-4))
    assert centroid(designed(tract_length=0.85)) > centroid(designed(tract_length=1.2))


@pytest.mark.parametrize(
    "parameters", [{"pitch_hz": 20}, {"tract_length": 3}, {"timbre": "purple"}, {"pace": 0}]
)
def test_impossible_designs_are_refused(parameters: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest, match=next(iter(parameters))):
        VoiceDesign(**parameters)  # type: ignore[arg-type]


def test_a_design_survives_its_json() -> None:
    design = VoiceDesign(timbre="bright", pitch_hz=123.5, breathiness=0.25)
    assert VoiceDesign.from_json(design.to_json()) == design
    with pytest.raises(InvalidRequest, match="wings"):
        VoiceDesign.from_json('{"wings": 2}')


def test_damaged_or_foreign_voices_are_refused_with_a_fix(engine: CloneSynthesizer) -> None:
    good = cloned()
    for broken in (
        Conditioning("v", "clone", "1", good.data[:100], "a"),
        Conditioning("v", "clone", "1", b"", "b"),
        Conditioning("v", "clone", "1", b"{not json", "c"),
        Conditioning("v", "other", "1", good.data, "d"),
    ):
        with pytest.raises(SynthesisFailed) as caught:
            engine.load(broken)
        assert caught.value.fix


@pytest.mark.parametrize("speed", [0.0, -1.0, 9.0, float("nan")])
def test_impossible_speeds_are_refused(engine: CloneSynthesizer, speed: float) -> None:
    with pytest.raises(SynthesisFailed, match="speed"):
        next(engine.speak(SpeechRequest(TEXT, cloned(), speed=speed)))


@pytest.mark.parametrize(
    "samples",
    [np.zeros(0, np.int16), np.zeros(48_000, np.int16), np.zeros((100, 2), np.int16)],
    ids=["empty", "silence", "stereo"],
)
def test_recordings_without_speech_cannot_be_cloned(engine: CloneSynthesizer, samples: np.ndarray) -> None:
    with pytest.raises(EnrolmentError) as caught:
        engine.clone(samples, 16_000, voice_id="v")
    assert caught.value.fix


def test_a_voiceprint_survives_storage() -> None:
    before = person(f0=120)
    after = Voiceprint.from_bytes(before.to_bytes())
    np.testing.assert_allclose(after.features, before.features, atol=5e-3)
    np.testing.assert_allclose(after.f0, before.f0, rtol=1e-3)
    assert np.array_equal(after.labels.phone, before.labels.phone)
    assert before.to_bytes() == before.to_bytes()


@pytest.mark.clips
def test_a_real_clip_becomes_a_voice_of_its_pitch(engine: CloneSynthesizer, clips: Path) -> None:
    samples, rate = soundfile.read(next(clips.glob("A_good/vctkp361-005*")), dtype="int16")
    conditioning = engine.clone(samples, rate, voice_id="p361")
    assert 50_000 < len(conditioning.data) < 300_000
    said = spoken(engine, conditioning)
    assert median_f0(said) == pytest.approx(
        median_f0(samples[:: rate // 24_000 or 1]) if rate == 24_000 else 196, rel=0.1
    )
    power = np.abs(np.fft.rfft(said.astype(float))) ** 2
    hz = np.fft.rfftfreq(len(said), 1 / 24_000)
    assert power[hz > 8_000].sum() / power.sum() > 1e-5
