from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.media.frame import Pcm
from runtime.media.opus import OPUS_RATE, OpusDecoder, OpusEncoder

RATE = 24_000


def tone(seconds: float, hertz: float = 440.0) -> Pcm:
    times = np.arange(round(seconds * RATE)) / RATE
    return (8000 * np.sin(2 * np.pi * hertz * times)).astype(np.int16)


def decoded(packets: list[bytes]) -> Pcm:
    decoder = OpusDecoder()
    return np.concatenate([decoder.decode(packet) for packet in packets])


def test_a_tone_comes_back_as_itself() -> None:
    encoder = OpusEncoder(RATE)
    heard = decoded(encoder.push(tone(1.0)) + encoder.flush()).astype(float)
    assert len(heard) == OPUS_RATE
    middle = heard[OPUS_RATE // 4 : -OPUS_RATE // 4]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert np.argmax(spectrum) * OPUS_RATE / len(middle) == pytest.approx(440, abs=3)
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(8000 / np.sqrt(2), rel=0.1)


def test_the_last_packet_is_filled_up_with_silence() -> None:
    encoder = OpusEncoder(RATE)
    assert encoder.push(tone(0.030)) != []
    assert len(encoder.flush()) == 1
    assert encoder.flush() == []


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 1500), max_size=12))
def test_any_cutting_of_the_input_gives_the_same_packets(cuts: list[int]) -> None:
    audio = tone(0.2)
    whole, pieces = OpusEncoder(RATE), OpusEncoder(RATE)
    packets: list[bytes] = []
    at = 0
    for length in [*cuts, len(audio)]:
        packets += pieces.push(audio[at : at + length])
        at += length
    assert packets + pieces.flush() == whole.push(audio) + whole.flush()


@pytest.mark.parametrize("packet", [b"\xff", b"\xff" * 50, b"garbage" * 40])
def test_what_is_no_opus_is_refused_and_the_stream_goes_on(packet: bytes) -> None:
    encoder, decoder = OpusEncoder(RATE), OpusDecoder()
    with pytest.raises(ValueError, match="not an Opus packet"):
        decoder.decode(packet)
    assert sum(len(decoder.decode(good)) for good in encoder.push(tone(0.1))) == OPUS_RATE // 10


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_decoded_or_refused(packet: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert OpusDecoder().decode(packet).dtype == np.int16
