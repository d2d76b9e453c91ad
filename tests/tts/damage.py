"""Ways in which a good recording is spoilt, for tests and benches: signal in, signal out."""

from __future__ import annotations

import io
import math

import av
import numpy as np
import soxr
from av.audio.stream import AudioStream
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline, PchipInterpolator
from scipy.signal import fftconvolve, resample_poly

from runtime.media.container import Recording, decode_upload

Signal = NDArray[np.float32]

INTERPOLATIONS = ("soxr", "quick", "repeat", "nearest", "linear", "cubic", "hermite", "polyphase")


def recording(samples: Signal, rate: int) -> Recording:
    """A mono or ``(n, channels)`` signal as the decoder would have handed it over, in 16 bits."""
    whole = np.round(np.clip(samples, -1, 1) * 32_767) / 32_768
    shaped = np.asarray(whole if whole.ndim == 2 else whole[:, None], np.float32)
    return Recording(shaped, rate, "wav", "pcm_s16le", sha256="0" * 64)


def resampled(samples: Signal, rate: int, new_rate: int) -> Signal:
    return np.asarray(soxr.resample(samples, rate, new_rate, quality="VHQ"), np.float32)


def upsampled(samples: Signal, rate: int, new_rate: int, how: str) -> Signal:
    """Blown up from ``rate`` by one of :data:`INTERPOLATIONS`."""
    if how == "soxr":
        return resampled(samples, rate, new_rate)
    if how == "quick":
        return np.asarray(soxr.resample(samples, rate, new_rate, quality="QQ"), np.float32)
    if how == "polyphase":
        common = math.gcd(rate, new_rate)
        return np.asarray(resample_poly(samples, new_rate // common, rate // common), np.float32)
    at = np.arange(int(len(samples) * new_rate / rate)) * rate / new_rate
    known = np.arange(len(samples))
    if how == "repeat":
        return np.asarray(samples[np.minimum(at.astype(int), len(samples) - 1)], np.float32)
    if how == "nearest":
        return np.asarray(samples[np.minimum(np.round(at).astype(int), len(samples) - 1)], np.float32)
    if how == "linear":
        return np.interp(at, known, samples).astype(np.float32)
    spline = CubicSpline(known, samples) if how == "cubic" else PchipInterpolator(known, samples)
    return np.asarray(spline(at), np.float32)


def speech_rms(samples: Signal, rate: int) -> float:
    """Of the louder 40 % of 20 ms blocks."""
    block = rate // 50
    power = np.mean(samples[: len(samples) // block * block].reshape(-1, block) ** 2, axis=1)
    return float(np.sqrt(np.mean(np.sort(power)[int(0.6 * len(power)) :])))


def mixed(samples: Signal, other: Signal, rate: int, *, below_db: float) -> Signal:
    """With ``other`` (repeated as needed) so many dB below the speech."""
    other = np.resize(other, len(samples))
    gain = speech_rms(samples, rate) / np.sqrt(np.mean(other**2)) * 10 ** (-below_db / 20)
    return np.asarray(samples + gain * other, np.float32)


def pink(count: int, rate: int, rng: np.random.Generator) -> Signal:
    spectrum = np.fft.rfft(rng.standard_normal(count))
    spectrum /= np.sqrt(np.maximum(np.fft.rfftfreq(count, 1 / rate), 20))
    return np.asarray(np.fft.irfft(spectrum, count), np.float32)


def white(count: int, rng: np.random.Generator) -> Signal:
    return rng.standard_normal(count).astype(np.float32)


def chords(count: int, rate: int, rng: np.random.Generator) -> Signal:
    """Struck four-note chords, one a second."""
    music = np.zeros(count, np.float32)
    for start in range(0, count, rate):
        times = np.arange(min(rate, count - start)) / rate
        root = rng.choice([110.0, 130.8, 146.8, 164.8, 196.0])
        for interval in (1, 1.26, 1.5, 2):
            for harmonic in range(1, 6):
                tone = np.sin(2 * np.pi * root * interval * harmonic * times + rng.uniform(0, 6))
                music[start : start + len(times)] += (tone * np.exp(-times) / harmonic).astype(np.float32)
    return music


def overdriven(samples: Signal, *, by_db: float, lowered_db: float = 0.0, soft: bool = False) -> Signal:
    """Raised past full scale, cut there (or bent by tanh), and lowered again."""
    loud = samples / np.max(np.abs(samples)) * 10 ** (by_db / 20)
    cut = np.tanh(loud) if soft else np.clip(loud, -1, 1)
    return np.asarray(cut * 10 ** (-lowered_db / 20), np.float32)


def in_room(samples: Signal, response: Signal) -> Signal:
    """Convolved with a room's response, at the level it had."""
    wet = fftconvolve(samples, response)[: len(samples)]
    return np.asarray(wet / np.max(np.abs(wet)) * np.max(np.abs(samples)), np.float32)


def decay(rate: int, t60: float, rng: np.random.Generator, *, direct_db: float = 0.0) -> Signal:
    """A room's response: a direct sound, and dying noise of the same energy less ``direct_db``."""
    times = np.arange(int(rate * t60)) / rate
    tail = rng.standard_normal(len(times)) * 10 ** (-3 * times / t60)
    tail *= 10 ** (-direct_db / 20) / np.sqrt(np.sum(tail**2))
    tail[0] += 1
    return tail.astype(np.float32)


def with_gap(samples: Signal, rate: int, *, seconds: float, noise: Signal | None = None) -> Signal:
    """A pause of digital silence (or of ``noise``) at the quietest moment of the middle third."""
    block = rate // 20
    third = len(samples) // 3
    power = [np.mean(samples[at : at + block] ** 2) for at in range(third, 2 * third, block)]
    at = third + int(np.argmin(power)) * block
    pause = np.zeros(int(rate * seconds), np.float32) if noise is None else noise[: int(rate * seconds)]
    return np.concatenate([samples[:at], pause, samples[at:]])


def drifting(samples: Signal, *, by_db: float) -> Signal:
    """Growing quieter from beginning to end."""
    return np.asarray(samples * 10 ** (-np.linspace(0, by_db, len(samples)) / 20), np.float32)


def stepped(samples: Signal, *, by_db: float) -> Signal:
    """Quieter from the middle on."""
    quiet = np.where(np.arange(len(samples)) < len(samples) // 2, 1.0, 10 ** (-by_db / 20))
    return np.asarray(samples * quiet, np.float32)


def losing_packets(samples: Signal, rate: int, *, share: float, rng: np.random.Generator) -> Signal:
    """20 ms packets replaced by silence."""
    lossy = samples.copy()
    packet = rate // 50
    for start in range(0, len(samples), packet):
        if rng.random() < share:
            lossy[start : start + packet] = 0
    return lossy


def coded(samples: Signal, rate: int, codec: str, bit_rate: int) -> tuple[Signal, int]:
    """Through a lossy codec and back: ``mp3``, ``opus`` or ``aac``; returns samples and their rate."""
    muxer, encoder = {"mp3": ("mp3", "libmp3lame"), "opus": ("ogg", "libopus"), "aac": ("adts", "aac")}[codec]
    if codec == "opus":
        samples, rate = resampled(samples, rate, 48_000), 48_000
    file = io.BytesIO()
    with av.open(file, "w", format=muxer) as container:
        stream = container.add_stream(encoder, rate=rate, layout="mono")
        assert isinstance(stream, AudioStream)
        stream.bit_rate = bit_rate
        pcm = np.round(np.clip(samples, -1, 1) * 32_767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(pcm[None], format="s16", layout="mono")
        frame.sample_rate = rate
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    back = decode_upload(file.getvalue())
    return back.samples[:, 0], back.rate
