"""What an upload is, by its bytes; and what is said of one that is nothing."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.errors import EnrolmentError, Undecodable, UploadTooLarge
from runtime.media.container import DecodeLimits, decode_upload
from runtime.media.encode import StreamEncoder, encode
from runtime.media.frame import Pcm

RATE = 24_000


def tone(seconds: float = 1.0, rate: int = RATE, hz: float = 440.0) -> Pcm:
    return np.round(8_000 * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate)) / rate)).astype(np.int16)


def chunk(name: bytes, body: bytes, *, claimed: int | None = None) -> bytes:
    size = len(body) if claimed is None else claimed
    return struct.pack("<4sI", name, size) + body + b"\0" * (len(body) % 2)


def wav(
    data: bytes, *, form: bytes, before: bytes = b"", data_size: int | None = None, riff: int = 0
) -> bytes:
    body = b"WAVE" + chunk(b"fmt ", form) + before + chunk(b"data", data, claimed=data_size)
    return chunk(b"RIFF", body, claimed=riff or None)


def form(code: int, bits: int, *, channels: int = 1, rate: int = RATE, extra: bytes = b"") -> bytes:
    width = channels * bits // 8
    return struct.pack("<HHIIHH", code, channels, rate, rate * width, width, bits) + extra


PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE


@pytest.mark.parametrize(
    ("name", "container", "codec"),
    [
        ("wav", "wav", "pcm_s16le"),
        ("mp3", "mp3", "mp3float"),
        ("opus", "ogg", "opus"),
        ("flac", "flac", "flac"),
        ("aac", "aac", "aac"),
    ],
)
def test_every_format_is_known_by_its_bytes_alone(name: str, container: str, codec: str) -> None:
    recording = decode_upload(encode(tone(), name, RATE), declared_mime="text/plain")
    assert (recording.container, recording.codec) == (container, codec)
    assert recording.seconds == pytest.approx(1.0, abs=0.07)
    assert np.abs(recording.samples).max() == pytest.approx(8_000 / 32_768, rel=0.2)
    assert recording.declared_mime == "text/plain"


@pytest.mark.parametrize("muxer", ["mp4", "webm"])
def test_video_containers_give_their_sound(muxer: str) -> None:
    import io

    import av
    from av.audio.stream import AudioStream

    file = io.BytesIO()
    with av.open(file, "w", format=muxer) as container:
        stream = container.add_stream({"mp4": "aac", "webm": "libopus"}[muxer], rate=48_000, layout="stereo")
        assert isinstance(stream, AudioStream)
        frame = av.AudioFrame.from_ndarray(np.repeat(tone(1, 48_000), 2)[None], format="s16", layout="stereo")
        frame.sample_rate = 48_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    recording = decode_upload(file.getvalue())
    assert (recording.rate, recording.channels) == (48_000, 2)
    assert recording.seconds == pytest.approx(1.0, abs=0.05)


def test_wav_with_a_list_chunk_before_its_data_as_ffmpeg_writes_it() -> None:
    info = chunk(b"LIST", b"INFO" + chunk(b"ISFT", b"Lavf58.29.100\0"))
    recording = decode_upload(wav(tone().tobytes(), form=form(PCM, 16), before=info))
    assert np.array_equal(recording.samples[:, 0] * 32_768, tone())


def test_extensible_wav_of_24_bits() -> None:
    guid = struct.pack("<H", PCM) + bytes.fromhex("0000000010008000 00aa00389b71".replace(" ", ""))
    extra = struct.pack("<HHI", 22, 24, 4) + guid
    data = b"".join(struct.pack("<i", int(value) << 8)[:3] for value in tone(0.1))
    recording = decode_upload(wav(data, form=form(EXTENSIBLE, 24, extra=extra)))
    assert recording.codec == "pcm_s24le"
    assert recording.samples[:, 0] == pytest.approx(tone(0.1) / 32_768, abs=1e-6)


def test_float_wav_above_full_scale_is_brought_back_whole() -> None:
    loud = (tone() / 8_000 * 2.5).astype("<f4")
    recording = decode_upload(wav(loud.tobytes(), form=form(FLOAT, 32)))
    assert np.abs(recording.samples).max() == pytest.approx(1.0)
    assert recording.samples[:, 0] == pytest.approx(loud / 2.5, abs=1e-3)


@pytest.mark.parametrize("size", [0xFFFF_FFFF, 0x7FFF_FFFF, 0x8000_0000, 0x7FFF_F000])
def test_streamed_wav_of_unknown_size_is_read_to_its_end(size: int) -> None:
    recording = decode_upload(wav(tone().tobytes(), form=form(PCM, 16), data_size=size, riff=size))
    assert recording.seconds == 1.0


def test_bare_mpeg_frames_without_id3_are_found() -> None:
    encoder = StreamEncoder("mp3", RATE)
    whole = encoder.push(tone(2)) + encoder.finish()
    start = whole.index(b"\xff\xf3")
    assert decode_upload(whole[start:]).seconds == pytest.approx(2.0, abs=0.07)
    assert decode_upload(whole[start + 288 : start + 3 * 288]).container == "mp3"


def test_samples_belong_to_nobody_afterwards() -> None:
    recording = decode_upload(encode(tone(), "wav", RATE))
    with pytest.raises(ValueError, match="read-only"):
        recording.samples[0] = 1.0


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"hello, this is not audio at all" * 100, "no audio file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(2_000), "no audio file"),
        (b"//NExAAqQIf... (base64-encoded audio)", "no audio file"),
        (b"RIFF", "no audio file"),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "no audio file"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "no audio file"),
        (wav(tone().tobytes(), form=form(PCM, 16, channels=0)), "0 channels"),
        (wav(b"", form=form(PCM, 16)), "no samples"),
        (wav(tone(5).tobytes(), form=form(PCM, 16))[:60_000], "cut off"),
        (wav(tone().tobytes(), form=form(PCM, 16), data_size=2_000_000_000), "cut off"),
        (encode(tone(5), "flac", RATE)[:30_000], "cut off"),
        (wav(bytes(64_000), form=form(PCM, 16, channels=32)), "32 channels"),
        (wav(bytes(64_000), form=form(PCM, 16, rate=1_000)), "1000 Hz"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_is_no_recording_is_refused_with_the_reason(data: bytes, words: str) -> None:
    with pytest.raises(Undecodable, match=words) as refused:
        decode_upload(data)
    assert refused.value.fix


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_numbers_are_refused(poison: float) -> None:
    sound = (tone() / 32_768).astype("<f4")
    sound[1_000] = poison
    with pytest.raises(Undecodable, match="not numbers"):
        decode_upload(wav(sound.tobytes(), form=form(FLOAT, 32)))


def test_too_many_bytes_are_refused_before_any_is_read() -> None:
    with pytest.raises(UploadTooLarge, match="at most 1000"):
        decode_upload(bytes(1_001), limits=DecodeLimits(max_bytes=1_000))


def test_a_lossless_bomb_stops_at_the_bound() -> None:
    long = encode(np.zeros(400 * 48_000, np.int16), "flac", 48_000)
    assert len(long) < 300_000
    with pytest.raises(Undecodable, match="more than 300 s") as refused:
        decode_upload(long)
    assert refused.value.code == "clip_too_long"


def test_many_channels_share_one_bound_on_memory() -> None:
    limits = DecodeLimits(max_samples=10_000)
    data = wav(bytes(2 * 8 * 2_000), form=form(PCM, 16, channels=8))
    with pytest.raises(Undecodable, match="clip too long"):
        decode_upload(data, limits=limits)


def test_a_coding_nobody_knows_is_refused() -> None:
    damaged = bytearray(wav(bytes(2_400), form=form(PCM, 16)))
    damaged[34] = 0  # bits a sample
    with pytest.raises(Undecodable):
        decode_upload(bytes(damaged))


@settings(max_examples=60, deadline=None)
@given(
    cut=st.integers(0, 9_000),
    flips=st.lists(st.tuples(st.integers(0, 8_999), st.integers(0, 255)), max_size=12),
)
@pytest.mark.parametrize("name", ["wav", "flac", "mp3", "opus"])
def test_damaged_files_decode_or_are_refused_but_nothing_else(
    name: str, cut: int, flips: list[tuple[int, int]]
) -> None:
    data = bytearray(encode(tone(0.3), name, RATE)[:9_000])
    for place, value in flips:
        if place < len(data):
            data[place] = value
    try:
        recording = decode_upload(bytes(data[:cut]))
    except EnrolmentError:
        return
    assert np.isfinite(recording.samples).all()
    assert recording.samples.ndim == 2
