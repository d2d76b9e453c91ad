"""Verdicts: what is told about a recording, in which words, in which order, and always the same."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from runtime.errors import Undecodable
from runtime.media.container import Recording, decode_upload
from tests.tts import damage
from tts.voices.gate import GATE_VERSION, Gate, GateReport
from tts.voices.gate.limits import BEST_WINDOW, LIMITS, STRICT, Limit, Profile
from tts.voices.gate.picture import draw_report

RATE = 48_000

EMPTY_INPUTS: Mapping[str, np.ndarray[tuple[int], np.dtype[np.float32]]] = {
    "silence": np.zeros(8 * RATE, np.float32),
    "constant offset": np.full(8 * RATE, 0.4, np.float32),
    "white noise": 0.1 * damage.white(8 * RATE, np.random.default_rng(0)),
    "pink noise": 0.1 * damage.pink(8 * RATE, RATE, np.random.default_rng(1)),
    "a tone": (0.3 * np.sin(2 * np.pi * 440 * np.arange(8 * RATE) / RATE)).astype(np.float32),
    "clicks": np.where(np.arange(8 * RATE) % RATE == 0, 0.9, 0).astype(np.float32),
    "half a second of nothing": np.zeros(RATE // 2, np.float32),
}


def codes(report: GateReport) -> set[str]:
    return {reason.code for reason in report.reasons}


# --- without any voice


@pytest.mark.parametrize("what", EMPTY_INPUTS)
@pytest.mark.parametrize("profile", [STRICT, BEST_WINDOW])
def test_what_is_no_speech_is_told_so_first(what: str, profile: Profile) -> None:
    report = Gate(profile).judge(damage.recording(EMPTY_INPUTS[what], RATE))
    assert report.verdict == "rejected"
    assert report.reasons[0].code == "no_speech"
    assert report.reasons[0].message.startswith("no speech found")


def test_an_upload_that_cannot_be_opened_has_a_report_too() -> None:
    error = Undecodable("cannot decode audio: the file is empty", fix="upload a recording")
    report = Gate("strict").refuse(error, sha256="ab" * 32)
    assert report.reasons[0].code == "undecodable"
    assert report.reasons[0].message.startswith("cannot decode audio")
    assert report.to_json()["window"] is None


def test_strict_judges_one_file() -> None:
    silence = damage.recording(EMPTY_INPUTS["silence"], RATE)
    with pytest.raises(ValueError, match="cannot judge 2"):
        Gate("strict").judge(silence, silence)
    with pytest.raises(ValueError, match="cannot judge 0"):
        Gate("best_window").judge()


def test_every_limit_says_what_to_change_and_where_its_number_came_from() -> None:
    for limit in LIMITS:
        assert limit.fix
        assert limit.source
        assert limit.message.format(value=1.0, limit=2.0, unit=limit.unit)
        assert limit.reject is not None or limit.warn is not None


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: f"{limit.code}/{limit.metric}")
def test_warnings_come_before_rejections(limit: Limit) -> None:
    """A value on its way out of the good range meets the warning first."""
    for profile in (STRICT, BEST_WINDOW):
        reject, warn = limit.rejects_at(profile), limit.warns_at(profile)
        if reject is not None and warn is not None:
            assert not limit.breaks(warn, reject)


def test_the_wording_of_the_reasons_people_search_for() -> None:
    """Literals that the enrolment guide quotes."""
    starts = {limit.code: limit.message for limit in LIMITS}
    assert starts["insufficient_bandwidth"].startswith("insufficient bandwidth")
    assert starts["multiple_speakers"].startswith("multiple speakers")
    assert starts["clip_too_short"].startswith("clip too short")
    assert starts["clip_too_long"].startswith("clip too long")
    assert starts["too_little_speech"].startswith("clip too short: only")


# --- on real recordings


def load(path: Path) -> Recording:
    return decode_upload(path.read_bytes())


def some(clips: Path, name: str) -> Path:
    return next(
        path
        for folder in ("A_good", "B_bad")
        for path in (clips / folder).iterdir()
        if path.name.startswith(name)
    )


@pytest.mark.clips
def test_good_recordings_of_the_right_length_are_accepted(clips: Path) -> None:
    faults: dict[str, set[str]] = {}
    for path in sorted((clips / "A_good").iterdir()):
        recording = load(path)
        if recording.seconds >= 5.5:
            found = codes(Gate("strict").judge(recording))
            if found:
                faults[path.name] = found
    assert faults == {}


@pytest.mark.clips
@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("tel-usnb1", "insufficient_bandwidth"),
        ("tel-vctkp360-8kmulaw", "insufficient_bandwidth"),
        ("fakeband-lyra1", "insufficient_bandwidth"),
        ("fakeband-rosehill", "insufficient_bandwidth"),
        ("fakeband-vctkp361", "insufficient_bandwidth"),
        ("wb-gbbb1", "insufficient_bandwidth"),
        ("lossy-mp3-32k", "insufficient_bandwidth"),
        ("lossy-opus-12k", "insufficient_bandwidth"),
        ("noisy-dns1", "too_noisy"),
        ("noisy-dns2", "too_noisy"),
        ("noisy-dns3", "too_noisy"),
        ("noise5db-bursty", "too_noisy"),
        ("noise5db-steadypink", "too_noisy"),
        ("reverb-dnsfile138", "reverberant"),
        ("reverb-vctkp360", "reverberant"),
        ("music8db", "music_detected"),
        ("twospk-sequence", "multiple_speakers"),
        ("twospk-overlap", "multiple_speakers"),
        ("clipped", "clipping"),
        ("packetloss", "packet_loss"),
        ("tooshort", "clip_too_short"),
        ("toolong", "clip_too_long"),
        ("tooquiet", "too_quiet"),
        ("mostlysilence", "long_silence"),
    ],
)
def test_bad_recordings_are_rejected_for_what_is_wrong(clips: Path, name: str, code: str) -> None:
    report = Gate("strict").judge(load(some(clips, name)))
    assert report.verdict == "rejected"
    assert code in codes(report)
    reason = next(reason for reason in report.reasons if reason.code == code)
    assert reason.fix
    assert reason.value is not None
    assert reason.limit is not None


@pytest.mark.clips
@pytest.mark.parametrize(
    ("name", "warning"),
    [
        ("edge-lj22k", "limited_bandwidth"),
        ("edge-stereo-rightempty", "dead_channel"),
        ("nonenglish-german-blau", None),
    ],
)
def test_what_is_only_unusual_is_accepted(clips: Path, name: str, warning: str | None) -> None:
    report = Gate("strict").judge(load(some(clips, name)))
    assert report.verdict == "accepted"
    assert warning is None or warning in {found.code for found in report.warnings}


@pytest.mark.clips
def test_the_same_bytes_give_the_same_report(clips: Path) -> None:
    path = some(clips, "fscorsica-a")
    first, second = (json.dumps(Gate("strict").judge(load(path)).to_json()) for _ in range(2))
    assert first == second
    assert json.loads(first)["gate_version"] == GATE_VERSION


@pytest.mark.clips
def test_the_report_has_the_shape_clients_read(clips: Path) -> None:
    body = Gate("strict").judge(load(some(clips, "twospk-sequence"))).to_json()
    assert body["object"] == "voice.gate_report"
    assert body["verdict"] == "rejected"
    reason = body["reasons"][0]
    assert reason["severity"] == "error"
    assert reason["spans"]
    duration = body["metrics"]["duration_s"]
    assert duration["value"] == pytest.approx(11.17, abs=0.01)
    assert (duration["min"], duration["max"], duration["pass"]) == (5.5, 16.0, True)
    for name in (
        *(
            "speech_s",
            "speech_ratio",
            "longest_silence_s",
            "sample_rate_hz",
            "declared_mime",
            "detected_container",
        ),
        *(
            "effective_bandwidth_hz",
            "image_correlation",
            "hf_floor_db",
            "clipping_ratio",
            "clipped_runs",
            "peak_dbfs",
        ),
        *("integrated_loudness_lufs", "loudness_spread_lu", "snr_db", "noise_floor_dbfs", "reverb_t60_s"),
        *("music_score", "speaker_count", "second_speaker_s", "overlap_s", "channel_correlation"),
        *("codec_artifact_score", "language_guess", "f0_median_hz", "detected_codec"),
    ):
        assert name in body["metrics"]


@pytest.mark.clips
def test_the_window_leaves_out_the_silence_at_both_ends(clips: Path) -> None:
    report = Gate("strict").judge(load(some(clips, "vctkp376-193")))
    assert report.window is not None
    assert report.window.start == pytest.approx(3.2, abs=0.3)
    assert report.window.end == pytest.approx(6.1, abs=0.3)


@pytest.mark.clips
def test_best_window_finds_fifteen_good_seconds_in_a_long_recording(clips: Path) -> None:
    report = Gate("best_window").judge(load(some(clips, "toolong")))
    assert report.accepted
    assert report.window is not None
    assert report.window.end - report.window.start == pytest.approx(15.0, abs=0.1)
    assert all(report.window.start - 0.1 <= start <= report.window.end for start, _ in report.speech)


@pytest.mark.clips
def test_best_window_takes_the_good_file_among_bad_ones(clips: Path) -> None:
    files = [load(some(clips, name)) for name in ("noisy-dns2", "fscorsica-a", "tel-usnb1")]
    report = Gate("best_window").judge(*files)
    assert report.accepted
    assert report.window is not None
    assert report.window.file == 1
    assert report.clip_sha256 == files[1].sha256


@pytest.mark.clips
def test_best_window_still_refuses_the_telephone(clips: Path) -> None:
    assert "insufficient_bandwidth" in codes(Gate("best_window").judge(load(some(clips, "tel-gbnb1"))))
    wide = Gate("best_window").judge(load(some(clips, "wb-gbbb1")))
    assert wide.accepted
    assert "limited_bandwidth" in {warning.code for warning in wide.warnings}


@pytest.mark.clips
@pytest.mark.parametrize("how", damage.INTERPOLATIONS)
def test_a_telephone_call_blown_up_to_48_khz_is_seen_through(clips: Path, how: str) -> None:
    good = load(some(clips, "fscorsica-b"))
    call = damage.resampled(good.samples[:, 0], good.rate, 8_000)
    report = Gate("strict").judge(damage.recording(damage.upsampled(call, 8_000, RATE, how), RATE))
    assert report.reasons[0].code == "insufficient_bandwidth"
    assert report.metrics["effective_bandwidth_hz"].value < 9_500  # type: ignore[operator]


# --- the picture


@pytest.mark.parametrize("seconds", [0.5, 8.0])
def test_a_picture_is_drawn_of_anything_that_opens(seconds: float) -> None:
    recording = damage.recording(EMPTY_INPUTS["pink noise"][: int(seconds * RATE)], RATE)
    png = draw_report(Gate("strict").judge(recording), recording)
    with Image.open(io.BytesIO(png)) as image:
        assert image.size[0] == 1_200
        assert image.size[1] > 400


def test_a_picture_of_what_does_not_open_is_its_reason() -> None:
    report = Gate("strict").refuse(Undecodable("cannot decode audio: it is empty"), sha256="0" * 64)
    with Image.open(io.BytesIO(draw_report(report, None))) as image:
        assert image.size[0] == 1_200


@pytest.mark.clips
def test_a_picture_shows_red_for_no_and_the_second_voice_in_its_lane(clips: Path) -> None:
    recording = load(some(clips, "twospk-sequence"))
    png = draw_report(Gate("strict").judge(recording), recording)
    assert len(png) > 10_000
    with Image.open(io.BytesIO(png)) as image:
        pixels = np.asarray(image.convert("RGB")).reshape(-1, 3)
        assert image.getpixel((5, 5)) == (196, 48, 43)
    assert (pixels == (196, 52, 168)).all(axis=1).any()


@pytest.mark.clips
def test_a_monologue_is_too_long_by_its_whole_length_and_cheap_to_refuse(clips: Path) -> None:
    one = load(some(clips, "fscorsica-b"))
    monologue = damage.recording(np.tile(one.samples[:, 0], 18), one.rate)
    report = Gate("strict").judge(monologue)
    assert report.reasons[0].code == "clip_too_long"
    assert report.reasons[0].value == pytest.approx(180.0, abs=0.5)
