"""The server's own ear: the same voice is heard as the same, another as another, and doubt is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from runtime.errors import EngineUnavailable
from runtime.media.encode import encode
from tts.engine import SpeechRequest
from tts.engines.clone import CloneSynthesizer
from tts.voices.enrol import EnrolmentService
from tts.voices.gate import Window
from tts.voices.gate.sound import Floats
from tts.voices.likeness import Timbre, compare, timbre
from tts.voices.upload import Upload
from tts.voices.voice import WEAK_LIKENESS, Likeness

LINES = (
    "The birch canoe slid on the smooth planks.",
    "She had your dark suit in greasy wash water all year.",
)


@pytest.fixture(scope="module")
def engine() -> CloneSynthesizer:
    try:
        return CloneSynthesizer()
    except EngineUnavailable as missing:
        pytest.skip(str(missing))


def spoken(engine: CloneSynthesizer, voice: int, text: str) -> Floats:
    blocks = engine.speak(SpeechRequest(text, engine.stock()[voice].conditioning))
    pcm = np.concatenate([block.samples for block in blocks])
    return pcm.astype(np.float32) / np.float32(32_768)


def heard(samples: Floats, rate: int = 24_000) -> Timbre:
    found = timbre(samples, rate)
    assert found is not None
    return found


def test_one_voice_is_recognised_whatever_it_says_and_however_loud(engine: CloneSynthesizer) -> None:
    one, same, other = (
        heard(spoken(engine, who, line)) for who, line in ((1, LINES[0]), (1, LINES[1]), (0, LINES[1]))
    )
    found = compare(same, one, cohort=[other])
    assert found.score > WEAK_LIKENESS
    assert found.cohort_max is not None
    assert found.cohort_max < found.score - 0.3
    assert found.warning is None
    assert heard(spoken(engine, 1, LINES[0]) * np.float32(0.05)) @ one > 0.999


def test_too_little_voice_has_no_timbre() -> None:
    rng = np.random.default_rng(0)
    assert timbre(np.zeros(0, np.float32), 24_000) is None
    assert timbre(np.zeros(48_000, np.float32), 24_000) is None
    assert timbre(rng.normal(0, 0.1, 48_000).astype(np.float32), 24_000) is None


@pytest.mark.parametrize(
    ("score", "cohort_max", "limit"),
    [(0.5, 0.1, WEAK_LIKENESS), (0.7, 0.72, 0.72), (0.2, None, WEAK_LIKENESS)],
)
def test_a_weak_likeness_warns_with_value_limit_and_fix(
    score: float, cohort_max: float | None, limit: float
) -> None:
    likeness = Likeness(score, 8, cohort_max, cohort_max)
    warning = likeness.warning
    assert warning is not None
    assert (warning.severity, warning.value, warning.limit) == ("warning", score, limit)
    assert "10-15 s" in warning.fix
    assert likeness.to_json()["weak"] is True
    assert Likeness.from_json(likeness.to_json()) == likeness


def test_a_strong_likeness_does_not() -> None:
    assert Likeness(0.8, 8, 0.1, 0.4).warning is None
    assert Likeness(0.8, 0, None, None).warning is None


def test_a_service_hears_its_own_voice(engine: CloneSynthesizer, clips: Path) -> None:
    service = EnrolmentService("clone")
    clip = Upload((clips / "A_good" / "cstrhvd-join591-592-593-594_m_48000_11.3s.wav").read_bytes())
    report = service.judge([clip])
    assert report.window is not None
    voice = service.clone([clip], report.window, "voice_1")
    likeness = service.likeness([clip], report.window, voice)
    assert likeness is not None
    assert likeness.cohort == 8
    assert likeness.warning is None
    assert service.likeness([clip], report.window, voice) == likeness
    stranger = service.likeness([clip], report.window, engine.stock()[0].conditioning)
    assert stranger is not None
    assert stranger.warning is not None
    assert service.picture([clip], report, stranger) != service.picture([clip], report)


def test_a_test_tone_is_like_nobody() -> None:
    service = EnrolmentService("tone")
    pcm = np.random.default_rng(0).integers(-3_000, 3_000, 72_000).astype(np.int16)
    upload = Upload(encode(pcm, "wav", 24_000))
    window = Window(0, 0.0, 3.0)
    assert service.likeness([upload], window, service.clone([upload], window, "voice_1")) is None
