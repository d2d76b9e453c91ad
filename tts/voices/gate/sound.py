"""One recording, seen the ways the measurements need it: mono, spectrogram, speech and silence."""

from __future__ import annotations

from functools import cache, cached_property

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy.ndimage import binary_closing, binary_erosion

from runtime.media.frame import LISTENING_RATE
from runtime.turn.events import WINDOW_SAMPLES, WINDOW_SECONDS
from runtime.turn.vad import SileroVad
from tts.voices.voice import Span

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

HOP_SECONDS = 0.010
"""Between two frames of the spectrogram, and between two values of every track made from it."""

_SPEECH = 0.5
"""Probability from which a window is speech; the operating point Silero's authors give."""

_BRIDGE_SECONDS = 0.20
"""A shorter hole between two words is part of speaking: stops close the mouth for up to 150 ms."""


_AT_ONCE = 2_048
"""Frames transformed together: a recording of minutes must not need gigabytes for a moment."""


class Sound:
    """
    The mono signal under test and what is derived from it, each computed once.

    Args:
        samples: Shape ``(n,)``, full scale ±1.
        rate: Hz, native: bandwidth is measured before anything resamples.
    """

    def __init__(self, samples: Floats, rate: int) -> None:
        self.raw = samples
        self.rate = rate

    @property
    def seconds(self) -> float:
        return len(self.raw) / self.rate

    @cached_property
    def samples(self) -> Floats:
        """Without its constant offset."""
        return self.raw - np.float32(np.mean(self.raw, dtype=np.float64)) if len(self.raw) else self.raw

    @cached_property
    def peak(self) -> float:
        return float(np.max(np.abs(self.raw))) if len(self.raw) else 0.0

    # --- spectrogram at the native rate

    @cached_property
    def window_samples(self) -> int:
        """Length of an analysis frame: the power of two nearest to 23 ms."""
        return int(2 ** round(np.log2(0.023 * self.rate)))

    @cached_property
    def spectrogram(self) -> Floats:
        """Power, shape ``(frames, bins)``, a frame every 10 ms, Hann window."""
        width, hop = self.window_samples, round(HOP_SECONDS * self.rate)
        padded = np.pad(self.samples, (width // 2, width))
        frames = np.lib.stride_tricks.sliding_window_view(padded, width)[: len(self.samples) : hop]
        window = np.hanning(width).astype(np.float32)
        window /= np.sqrt(np.sum(window**2))
        power = np.empty((len(frames), width // 2 + 1), np.float32)
        for start in range(0, len(frames), _AT_ONCE):
            spectrum = np.fft.rfft(frames[start : start + _AT_ONCE] * window, axis=1)
            power[start : start + _AT_ONCE] = spectrum.real**2 + spectrum.imag**2
        return power

    @cached_property
    def bin_hz(self) -> float:
        return self.rate / self.window_samples

    @cached_property
    def level(self) -> Floats:
        """Power of each 10 ms frame in dBFS (a full-scale sine is -3), shape ``(frames,)``."""
        power = self.spectrogram.sum(axis=1) / self.window_samples * 2
        return np.asarray(10 * np.log10(power + 1e-13), np.float32)

    # --- who speaks when

    @cached_property
    def heard(self) -> Floats:
        """At 16 kHz and a level that detectors were made for: the loudest percent of it reaches ±0.5."""
        sound = self.samples
        if self.rate != LISTENING_RATE:
            sound = np.asarray(soxr.resample(sound, self.rate, LISTENING_RATE, quality="HQ"), np.float32)
        loud = float(np.percentile(np.abs(sound), 99.9)) if len(sound) else 0.0
        return sound * np.float32(0.5 / loud) if loud > 1e-4 else sound

    @cached_property
    def speech_probability(self) -> Floats:
        """One value per 32 ms window of :attr:`heard`."""
        windows = self.heard[: len(self.heard) // WINDOW_SAMPLES * WINDOW_SAMPLES].reshape(
            -1, 1, WINDOW_SAMPLES
        )
        model = _vad()
        state = np.zeros((1, model.state_size), np.float32)
        return np.array([model.judge(window, state)[0] for window in windows], np.float32)

    @cached_property
    def speaking(self) -> Mask:
        """Speech or not, for each 10 ms frame of the spectrogram; holes shorter than 0.2 s are speech."""
        frames = len(self.spectrogram)
        if not len(self.speech_probability):
            return np.zeros(frames, np.bool_)
        windows = self.speech_probability > _SPEECH
        bridge = int(_BRIDGE_SECONDS / WINDOW_SECONDS)
        windows = binary_closing(np.pad(windows, bridge), np.ones(bridge + 1))[bridge:-bridge] | windows
        index = np.minimum((np.arange(frames) * HOP_SECONDS / WINDOW_SECONDS).astype(int), len(windows) - 1)
        return np.asarray(windows[index], np.bool_)

    @cached_property
    def resting(self) -> Mask:
        """Frames at least 60 ms away from any speech: what the room sounds like when nobody talks."""
        return np.asarray(binary_erosion(~self.speaking, np.ones(13), border_value=1), np.bool_)

    @cached_property
    def speech(self) -> tuple[Span, ...]:
        """Seconds of each stretch of speech."""
        return spans(self.speaking)

    @cached_property
    def speech_seconds(self) -> float:
        return float(self.speaking.sum() * HOP_SECONDS)

    @cached_property
    def active(self) -> Mask:
        """Frames of speech that are loud: within 30 dB of the loudest."""
        if not self.speaking.any():
            return self.speaking
        loud = np.percentile(self.level[self.speaking], 95)
        return self.speaking & (self.level > loud - 30)


def spans(mask: Mask, *, minimum: float = 0.0, hop: float = HOP_SECONDS) -> tuple[Span, ...]:
    """The stretches where ``mask`` holds, in seconds, less those shorter than ``minimum``."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    stretches = ((start * hop, end * hop) for start, end in zip(edges[::2], edges[1::2], strict=True))
    return tuple(
        (round(float(start), 2), round(float(end), 2)) for start, end in stretches if end - start >= minimum
    )


def silences(sound: Sound) -> tuple[Span, ...]:
    """What lies before, between and after the stretches of speech."""
    edges = [0.0, *(edge for stretch in sound.speech for edge in stretch), round(sound.seconds, 2)]
    return tuple((start, end) for start, end in zip(edges[::2], edges[1::2], strict=True) if end > start)


@cache
def _vad() -> SileroVad:
    return SileroVad()
