"""What our voice sounds like on a telephone line, beside a reference that is not ours."""

from __future__ import annotations

import io
from math import gcd
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import firwin, resample_poly

from runtime.media.frame import SPEAKING_RATE, Pcm
from runtime.media.g711 import decode_mulaw, encode_mulaw
from runtime.media.level import rms_dbfs
from runtime.media.resample import StreamResampler
from tests.turn.voices import recording

RATE = 8_000

THIRD_OCTAVES = 1_000.0 * 2.0 ** (np.arange(-5, 6) / 3)
"""Hz, 315 to 3175: IEC 61260, base two; the bands that lie in 300 to 3400 Hz."""


def rendered(pcm: Pcm, rate: int) -> bytes:
    """As a call does it: in blocks, through the stream's resampler, to mu-law."""
    resampler = StreamResampler(rate, RATE)
    blocks = [resampler.push(pcm[at : at + 1_920]) for at in range(0, len(pcm), 1_920)]
    return encode_mulaw(np.concatenate([*blocks, resampler.flush()]))


def reference(pcm: Pcm, rate: int) -> bytes:
    """SciPy's polyphase resampler with a filter of 2 x 200 periods, and FFmpeg's G.711."""
    common = gcd(RATE, rate)
    up, down = RATE // common, rate // common
    factor = max(up, down)
    taps = firwin(2 * 200 * factor + 1, 0.97 / factor, window=("kaiser", 12.0))
    narrow = resample_poly(pcm.astype(np.float64), up, down, window=taps)
    linear = np.clip(np.rint(narrow), -32_768, 32_767).astype(np.int16)
    file = io.BytesIO()
    with av.open(file, "w", format="mulaw") as container:
        stream = container.add_stream("pcm_mulaw", rate=RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(linear[None], format="s16", layout="mono")
        frame.sample_rate = RATE
        container.mux(stream.encode(frame))
    return file.getvalue()


def expanded(mulaw: bytes) -> NDArray[np.float64]:
    """By FFmpeg."""
    options = {"ar": str(RATE), "ch_layout": "mono"}
    with av.open(io.BytesIO(mulaw), format="mulaw", options=options) as container:
        frames = [frame.to_ndarray().ravel() for frame in container.decode(audio=0)]
    return np.concatenate(frames).astype(np.float64)


def third_octaves(mulaw: bytes) -> NDArray[np.float64]:
    """dB in each band."""
    samples = expanded(mulaw)
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    hertz = np.fft.rfftfreq(len(samples), 1 / RATE)
    edge = 2.0 ** (1 / 6)
    bands = [power[(hertz >= centre / edge) & (hertz < centre * edge)].sum() for centre in THIRD_OCTAVES]
    return 10 * np.log10(bands)


@pytest.mark.clips
def test_third_octaves_are_those_of_the_reference(clips: Path) -> None:
    worst = 0.0
    for path in sorted((clips / "A_good").glob("*"))[:12]:
        pcm = recording(path)
        for rate in (16_000, SPEAKING_RATE):
            spoken = pcm if rate == 16_000 else resample_poly(pcm.astype(float), 3, 2).astype(np.int16)
            apart = np.abs(third_octaves(rendered(spoken, rate)) - third_octaves(reference(spoken, rate)))
            worst = max(worst, float(apart.max()))
    assert worst < 0.5


def test_noise_is_as_flat_as_the_reference() -> None:
    noise = (np.random.default_rng(9).standard_normal(4 * SPEAKING_RATE) * 3_000).astype(np.int16)
    ours, theirs = rendered(noise, SPEAKING_RATE), reference(noise, SPEAKING_RATE)
    assert np.abs(third_octaves(ours) - third_octaves(theirs)).max() < 0.1
    assert rms_dbfs(decode_mulaw(ours)) == pytest.approx(rms_dbfs(decode_mulaw(theirs)), abs=0.25)


@pytest.mark.parametrize("hertz", [4_200, 5_000, 6_500, 9_000, 11_500])
def test_tones_that_do_not_fit_are_not_folded_into_the_line(hertz: int) -> None:
    time = np.arange(2 * SPEAKING_RATE) / SPEAKING_RATE
    tone = (20_000 * np.sin(2 * np.pi * hertz * time)).astype(np.int16)
    heard = decode_mulaw(rendered(tone, SPEAKING_RATE))[800:-800]
    assert rms_dbfs(heard) < rms_dbfs(tone) - 60.0


@pytest.mark.parametrize("hertz", [310, 1_010, 1_990, 3_390])
@pytest.mark.parametrize("level", [-10.0, -30.0])
def test_levels_stay_as_they_are(hertz: int, level: float) -> None:
    time = np.arange(2 * SPEAKING_RATE) / SPEAKING_RATE
    wave = 32_767 * np.sqrt(2) * 10 ** (level / 20) * np.sin(2 * np.pi * hertz * time)
    tone = np.rint(wave).astype(np.int16)
    heard = decode_mulaw(rendered(tone, SPEAKING_RATE))[800:-800]
    assert rms_dbfs(heard) == pytest.approx(rms_dbfs(tone), abs=0.1)


def test_full_scale_does_not_wrap() -> None:
    square = np.where(np.arange(SPEAKING_RATE) % 240 < 120, 32_767, -32_768).astype(np.int16)
    heard = decode_mulaw(rendered(square, SPEAKING_RATE)).astype(int)
    expected = expanded(reference(square, SPEAKING_RATE))
    assert np.mean(np.sign(heard[100:-100]) == np.sign(expected[100:-100])) > 0.99
