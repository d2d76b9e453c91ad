"""Recordings made from a good one: shorter, narrower, re-encoded, joined with another."""

from __future__ import annotations

import io
import struct
from typing import Any

import av
import numpy as np
import soxr
from numpy.typing import NDArray

Samples = NDArray[np.float64]


def decoded(data: bytes) -> tuple[Samples, int]:
    """Mono samples, full scale ±1, and their rate."""
    with av.open(io.BytesIO(data)) as container:
        rate: int = container.streams.audio[0].rate
        resampler = av.AudioResampler(format="dbl", layout="mono")
        frames = [out for frame in container.decode(audio=0) for out in resampler.resample(frame)]
    return np.concatenate([frame.to_ndarray().ravel() for frame in frames]), rate


def wav(samples: NDArray[Any], rate: int = 48_000) -> bytes:
    """Samples (int16 values, or ±1 if they are floats) as a plain WAV."""
    if np.issubdtype(samples.dtype, np.floating) and len(samples) and np.max(np.abs(samples)) <= 1.0:
        samples = np.rint(samples * 32_767)
    data = np.clip(samples, -32_768, 32_767).astype("<i2").tobytes()
    header = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        *(b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16, b"data", len(data)),
    )
    return header + data


def mp3(samples: Samples, rate: int, *, bit_rate: int = 128_000) -> bytes:
    """Samples as MP3."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=rate, layout="mono")
        stream.bit_rate = bit_rate
        pcm = np.rint(samples * 32_767).astype(np.int16).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(pcm, format="s16", layout="mono")
        frame.rate = rate
        resampler = av.AudioResampler(format=stream.format, layout="mono", rate=rate)
        for piece in resampler.resample(frame):
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return file.getvalue()


def telephone(samples: Samples, rate: int) -> bytes:
    """Through an 8 kHz line and up again to 48 kHz, with good filters."""
    narrow = soxr.resample(samples, rate, 8_000)
    return wav(soxr.resample(narrow, 8_000, 48_000))


def repeated(samples: Samples, rate: int) -> bytes:
    """8 kHz, each sample written six times."""
    return wav(np.repeat(soxr.resample(samples, rate, 8_000), 6))


def interpolated(samples: Samples, rate: int) -> bytes:
    """8 kHz, with straight lines between the samples."""
    narrow = soxr.resample(samples, rate, 8_000)
    return wav(np.interp(np.arange(6 * len(narrow)) / 6, np.arange(len(narrow)), narrow))
