"""Speech leaves as files that others can open, as it is made."""

from __future__ import annotations

import io
import wave

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.errors import InvalidRequest
from runtime.media.container import decode_upload
from runtime.media.encode import SPEECH_FORMATS, StreamEncoder, encode
from runtime.media.frame import Pcm

RATE = 24_000
TAGS = {"title": "hello", "comment": "synthetic — speech", "voice_id": "voice_abc"}
MAGIC = {"wav": b"RIFF", "mp3": b"ID3", "opus": b"OggS", "flac": b"fLaC"}


def sweep(seconds: float = 1.0) -> Pcm:
    times = np.arange(int(seconds * RATE)) / RATE
    return np.round(9_000 * np.sin(2 * np.pi * (150 + 100 * times) * times)).astype(np.int16)


def streamed(pcm: Pcm, name: str, *, step: int, tags: dict[str, str] | None = None) -> bytes:
    encoder = StreamEncoder(name, RATE, tags=tags)
    parts = [encoder.push(pcm[at : at + step]) for at in range(0, len(pcm), step)]
    return b"".join([*parts, encoder.finish()])


@pytest.mark.parametrize("name", sorted(SPEECH_FORMATS))
@settings(max_examples=10, deadline=None)
@given(step=st.integers(1, 5_000))
def test_any_split_of_the_speech_gives_the_same_file(name: str, step: int) -> None:
    pcm = sweep(0.25)
    assert streamed(pcm, name, step=max(step, 40)) == streamed(pcm, name, step=len(pcm))


@pytest.mark.parametrize("name", ["wav", "mp3", "opus", "flac", "aac"])
def test_streams_and_files_say_what_was_said(name: str) -> None:
    pcm = sweep(2.0)
    for data in (encode(pcm, name, RATE), streamed(pcm, name, step=999)):
        assert data.startswith(MAGIC.get(name, b""))
        recording = decode_upload(data)
        heard = recording.samples[:, 0]
        said = np.interp(np.arange(len(heard)) / recording.rate, np.arange(len(pcm)) / RATE, pcm / 32_768)
        # Encoders delay by some milliseconds: the best lag counts.
        lag = max(range(-2_400, 2_401, 6), key=lambda shift: float(np.dot(np.roll(said, shift), heard)))
        aligned = np.roll(said, lag)
        assert np.dot(aligned, heard) / np.sqrt(np.dot(aligned, aligned) * np.dot(heard, heard)) > 0.97


def test_a_whole_wav_carries_true_sizes_and_opens_with_the_standard_library() -> None:
    with wave.open(io.BytesIO(encode(sweep(), "wav", RATE, tags=TAGS))) as opened:
        assert (opened.getframerate(), opened.getnframes(), opened.getnchannels()) == (RATE, RATE, 1)


def test_a_streamed_wav_says_that_its_size_is_unknown() -> None:
    data = streamed(sweep(), "wav", step=500)
    assert data[4:8] == b"\xff\xff\xff\xff"
    assert data[40:44] == b"\xff\xff\xff\xff"


@pytest.mark.parametrize("name", ["wav", "mp3", "opus", "flac", "aac"])
@pytest.mark.parametrize("whole", [True, False])
def test_tags_are_where_other_programs_look_for_them(name: str, whole: bool) -> None:
    pcm = sweep()
    data = encode(pcm, name, RATE, tags=TAGS) if whole else streamed(pcm, name, step=700, tags=TAGS)
    with av.open(io.BytesIO(data)) as opened:
        found = {**opened.metadata, **opened.streams.audio[0].metadata}
    assert found["title"] == "hello"
    assert found["comment"].startswith("synthetic — speech")
    assert "voice_abc" in " ".join(found.values())


def test_the_first_bytes_of_mp3_leave_within_a_tenth_of_a_second_of_speech() -> None:
    encoder = StreamEncoder("mp3", RATE)
    assert encoder.push(sweep(0.1))


def test_g711_is_8000_bytes_a_second_whatever_the_engine_speaks() -> None:
    assert len(encode(sweep(), "g711_ulaw", RATE)) == pytest.approx(8_000, abs=8)
    assert len(streamed(sweep(), "g711_alaw", step=480)) == pytest.approx(8_000, abs=8)


def test_pcm_is_the_samples() -> None:
    assert encode(sweep(), "pcm", RATE) == sweep().astype("<i2").tobytes()
    assert len(encode(sweep(), "pcm", RATE, output_rate=48_000)) == pytest.approx(96_000, abs=8)


@pytest.mark.parametrize("name", sorted(SPEECH_FORMATS))
def test_saying_nothing_is_no_error(name: str) -> None:
    encoder = StreamEncoder(name, RATE)
    assert isinstance(encoder.push(np.zeros(0, np.int16)) + encoder.finish(), bytes)


def test_odd_engine_rates_are_brought_to_one_the_format_carries() -> None:
    assert StreamEncoder("opus", 22_050).output_rate == 24_000
    assert StreamEncoder("mp3", 96_000).output_rate == 48_000


@pytest.mark.parametrize(
    ("name", "output_rate", "param"),
    [("wma", None, "response_format"), ("g711_ulaw", 16_000, "sample_rate"), ("wav", 1_000, "sample_rate")],
)
def test_impossible_orders_name_the_field_and_the_choice(
    name: str, output_rate: int | None, param: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        StreamEncoder(name, RATE, output_rate=output_rate)
    assert refused.value.param == param
    assert refused.value.fix
    assert refused.value.fix.startswith("use one of")
