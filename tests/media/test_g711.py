"""G.711 against another implementation, for every code and every sample."""

from __future__ import annotations

from collections.abc import Callable

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.media import g711
from runtime.media.frame import Pcm

EVERY_SAMPLE = np.arange(-32_768, 32_768).astype(np.int16)
EVERY_CODE = bytes(range(256))


def ffmpeg_decoded(codec: str, payload: bytes) -> Pcm:
    decoder = av.AudioCodecContext.create(codec, "r")
    assert isinstance(decoder, av.AudioCodecContext)
    decoder.sample_rate = 8_000
    decoder.layout = "mono"
    pcm: Pcm = np.concatenate([f.to_ndarray().ravel() for f in decoder.decode(av.Packet(payload))])
    return pcm


@pytest.mark.parametrize(
    ("codec", "decode"), [("pcm_mulaw", g711.decode_mulaw), ("pcm_alaw", g711.decode_alaw)]
)
def test_every_code_decodes_as_ffmpeg_decodes_it(codec: str, decode: Callable[[bytes], Pcm]) -> None:
    assert np.array_equal(decode(EVERY_CODE), ffmpeg_decoded(codec, EVERY_CODE))


@pytest.mark.parametrize(
    ("encode", "decode"),
    [(g711.encode_mulaw, g711.decode_mulaw), (g711.encode_alaw, g711.decode_alaw)],
)
def test_every_code_survives_the_way_there_and_back(
    encode: Callable[[Pcm], bytes], decode: Callable[[bytes], Pcm]
) -> None:
    values = decode(EVERY_CODE)
    assert np.array_equal(decode(encode(values)), values)


@pytest.mark.parametrize(
    ("encode", "decode"),
    [(g711.encode_mulaw, g711.decode_mulaw), (g711.encode_alaw, g711.decode_alaw)],
)
def test_every_sample_goes_to_the_interval_that_holds_it(
    encode: Callable[[Pcm], bytes], decode: Callable[[bytes], Pcm]
) -> None:
    back = decode(encode(EVERY_SAMPLE)).astype(np.int64)
    # Each segment is twice as wide as the last and has sixteen intervals: half of one is 1/33 of the value.
    bound = np.maximum(8, (np.abs(EVERY_SAMPLE.astype(np.int64)) + 132) / 32)
    assert np.all(np.abs(back - EVERY_SAMPLE) <= bound)
    assert np.all(np.diff(back) >= 0)


def test_mulaw_encodes_every_sample_as_the_standard_algorithm() -> None:
    def reference(sample: int) -> int:
        # Sun Microsystems' public-domain g711.c, in words: clip, bias, find the segment, take four bits.
        sign = 0x80 if sample < 0 else 0
        magnitude = min(abs(sample), 32_635) + 132
        segment = magnitude.bit_length() - 8
        return ~(sign | (segment << 4) | ((magnitude >> (segment + 3)) & 15)) & 0xFF

    assert g711.encode_mulaw(EVERY_SAMPLE) == bytes(reference(int(s)) for s in EVERY_SAMPLE)


def test_alaw_encodes_every_sample_as_the_standard_algorithm() -> None:
    def reference(sample: int) -> int:
        sign = 0x80 if sample >= 0 else 0
        magnitude = (sample if sample >= 0 else ~sample) >> 4
        segment = max(0, magnitude.bit_length() - 4)
        code = magnitude if segment == 0 else (magnitude >> (segment - 1)) & 15
        return (sign | (segment << 4) | (code & 15)) ^ 0x55

    assert g711.encode_alaw(EVERY_SAMPLE) == bytes(reference(int(s)) for s in EVERY_SAMPLE)


def test_signal_to_noise_of_a_tone_is_that_of_g711() -> None:
    tone = (8_000 * np.sin(2 * np.pi * 1_004 / 8_000 * np.arange(8_000))).astype(np.int16)
    for encode, decode in ((g711.encode_mulaw, g711.decode_mulaw), (g711.encode_alaw, g711.decode_alaw)):
        noise = decode(encode(tone)).astype(float) - tone
        assert 10 * np.log10(np.mean(tone.astype(float) ** 2) / np.mean(noise**2)) > 36


def test_silence_decodes_to_the_smallest_value() -> None:
    assert g711.decode_mulaw(g711.MULAW_SILENCE)[0] == 0
    assert g711.decode_alaw(g711.ALAW_SILENCE)[0] == 8


def test_empty_stays_empty() -> None:
    assert g711.decode_mulaw(b"").shape == (0,)
    assert g711.encode_alaw(np.zeros(0, np.int16)) == b""


@given(st.binary(max_size=400), st.integers(0, 400))
def test_a_stream_decodes_the_same_in_pieces(payload: bytes, cut: int) -> None:
    pieces = np.concatenate((g711.decode_mulaw(payload[:cut]), g711.decode_mulaw(payload[cut:])))
    assert np.array_equal(pieces, g711.decode_mulaw(payload))
