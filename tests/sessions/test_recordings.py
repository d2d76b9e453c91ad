from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from runtime.errors import Undecodable
from runtime.media.container import DecodeLimits
from runtime.media.frame import Pcm
from sessions.recordings import Passages, RecordingCutter
from tests.turn.voices import noise, recording, silence, voice


@pytest.fixture(scope="module")
def cutter() -> RecordingCutter:
    return RecordingCutter(DecodeLimits(max_seconds=60.0))


def cut(cutter: RecordingCutter, pcm: Pcm, *, rate: int = 16_000, channels: int = 1) -> Passages:
    file = io.BytesIO()
    soundfile.write(file, np.stack([pcm] * channels, axis=1), rate, format="FLAC")
    return cutter.cut(file.getvalue())


def test_each_utterance_is_a_passage_with_its_edges(cutter: RecordingCutter) -> None:
    cuts = cut(cutter, np.concatenate([silence(1.0), voice(2.0), silence(2.0), voice(1.5), silence(1.0)]))
    assert cuts.seconds == pytest.approx(7.5)
    first, second = cuts.passages
    assert 0.6 < first.start < 1.1
    assert 4.6 < second.start < 5.1
    assert 1.8 < len(first.pcm) / 16_000 < 3.0


def test_passages_do_not_overlap_and_hold_the_recordings_own_samples(cutter: RecordingCutter) -> None:
    pcm = np.concatenate([voice(1.0), silence(0.8)] * 5)
    end = 0
    for passage in cut(cutter, pcm).passages:
        begin = round(passage.start * 16_000)
        assert begin >= end
        end = begin + len(passage.pcm)
        np.testing.assert_allclose(passage.pcm, pcm[begin:end], atol=1)
    assert end <= len(pcm)


def test_speech_up_to_the_last_sample_is_kept(cutter: RecordingCutter) -> None:
    pcm = np.concatenate([silence(1.0), voice(2.0)])
    (passage,) = cut(cutter, pcm).passages
    assert passage.start + len(passage.pcm) / 16_000 == pytest.approx(3.0, abs=0.2)


@pytest.mark.clips
def test_any_rate_and_channel_count_gives_the_same_cuts(cutter: RecordingCutter, clips: Path) -> None:
    pcm = recording(clips / "C_conversation" / "cards-005_m_16000_3.5s.flac")
    mono = cut(cutter, pcm)
    stereo = cut(cutter, np.repeat(pcm, 3), rate=48_000, channels=2)
    assert len(mono.passages) == len(stereo.passages)
    for one, other in zip(mono.passages, stereo.passages, strict=True):
        assert one.start == pytest.approx(other.start, abs=0.1)


def test_noise_alone_has_no_passages(cutter: RecordingCutter) -> None:
    assert cut(cutter, noise(4.0, level=-30.0)).passages == ()


def test_a_recording_longer_than_allowed_is_refused(cutter: RecordingCutter) -> None:
    with pytest.raises(Undecodable, match="60"):
        cut(cutter, silence(61.0))
