"""The child's half of enrolment: uploads in, reports and voices out."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from runtime.errors import EngineUnavailable
from runtime.media.container import DecodeLimits
from runtime.media.encode import encode
from tts.voices.enrol import EnrolmentService
from tts.voices.gate import Window
from tts.voices.upload import Upload

RATE = 24_000


@pytest.fixture
def service() -> EnrolmentService:
    return EnrolmentService("tone")


def noise(seconds: float = 7.0, *, format: str = "wav") -> Upload:
    pcm = np.random.default_rng(0).integers(-3_000, 3_000, int(seconds * RATE)).astype(np.int16)
    return Upload(encode(pcm, format, RATE), declared_mime="audio/mpeg")


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"", "undecodable"), (b"not audio" * 99, "undecodable"), (noise(0.2).data, "no_speech")],
)
def test_whatever_is_uploaded_is_answered_with_a_report(
    service: EnrolmentService, data: bytes, code: str
) -> None:
    report = service.judge([Upload(data)])
    assert report.verdict == "rejected"
    assert report.reasons[0].code == code
    assert service.picture([Upload(data)], report).startswith(b"\x89PNG")


def test_the_declared_type_is_reported_and_not_believed(service: EnrolmentService) -> None:
    metrics = service.judge([noise()]).metrics
    assert metrics["declared_mime"].value == "audio/mpeg"
    assert metrics["detected_container"].value == "wav"


def test_a_recording_of_hours_is_too_long_and_cheap_to_refuse() -> None:
    service = EnrolmentService("tone", DecodeLimits(max_seconds=3))
    assert service.judge([noise(7.0, format="flac")]).reasons[0].code == "clip_too_long"


def test_unreadable_files_are_left_out_where_others_can_be_read(service: EnrolmentService) -> None:
    report = service.judge([Upload(b"junk"), Upload(b""), noise()], "best_window")
    assert report.reasons[0].code == "no_speech"
    assert report.window is not None
    assert report.window.file == 2


def test_nothing_to_judge_is_our_own_mistake(service: EnrolmentService) -> None:
    with pytest.raises(ValueError, match="no file"):
        service.judge([])


def test_an_unknown_engine_is_refused_at_once() -> None:
    with pytest.raises(EngineUnavailable, match="use one of|no engine"):
        EnrolmentService("parrot")


def test_the_dry_run_says_what_enrolment_would(service: EnrolmentService) -> None:
    assert service.check([noise()]).to_json() == service.judge([noise()]).to_json()


def test_the_clone_is_made_of_the_window_alone(service: EnrolmentService) -> None:
    upload = noise(10.0)
    other = Upload(encode(np.zeros(RATE, np.int16), "wav", RATE))
    whole = service.clone([upload], Window(0, 0.0, 10.0), "voice_a")
    part = service.clone([upload], Window(0, 2.0, 8.0), "voice_a")
    again = service.clone([other, upload], Window(1, 2.0, 8.0), "voice_a")
    assert part.voice_id == "voice_a"
    assert part.digest == again.digest
    assert whole.engine == "tone"


@pytest.mark.clips
def test_reports_and_voices_cross_the_process_boundary(service: EnrolmentService, clips: Path) -> None:
    upload = Upload(next((clips / "A_good").glob("fscorsica-a*")).read_bytes())
    report = service.judge([upload])
    assert report.accepted
    assert report.window is not None
    voice = service.clone([upload], report.window, "voice_x")
    assert pickle.loads(pickle.dumps(report)) == report
    assert pickle.loads(pickle.dumps(voice)) == voice
