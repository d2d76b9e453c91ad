"""The pitch of the voice, frame by frame, by normalised autocorrelation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from scipy.signal import decimate

from runtime.media.frame import LISTENING_RATE
from tts.voices.gate.sound import HOP_SECONDS, Floats, Mask, Sound

LOWEST_HZ, HIGHEST_HZ = 60.0, 450.0
"""Adult speech, low creak to high falsetto."""

VOICED = 0.6
"""Normalised autocorrelation from which a frame is voiced; white noise in this window stays below 0.35."""

RATE = LISTENING_RATE // 2
_WINDOW = round(0.030 * RATE)
"""Samples compared with their shifted copy: two periods of a low voice."""


@dataclass(frozen=True, slots=True)
class Pitch:
    """One value per 10 ms, aligned with the spectrogram's frames as far as both reach."""

    hz: Floats
    """0 where unvoiced."""
    strength: Floats
    """Normalised autocorrelation at that period, 0 to 1."""

    @property
    def voiced(self) -> Mask:
        return np.asarray(self.hz > 0, np.bool_)

    @property
    def median_hz(self) -> float | None:
        return float(np.median(self.hz[self.voiced])) if self.voiced.any() else None


def track_pitch(sound: Sound) -> Pitch:
    """The strongest period of each speech frame; of near equals the shortest, so that octaves do not fall."""
    frames = len(sound.speaking)
    low = decimate(sound.heard, LISTENING_RATE // RATE, ftype="fir").astype(np.float32)
    correlation, shortest = autocorrelation(low, frames)
    best = correlation.max(axis=1)
    first = np.argmax(_peaks(correlation) & (correlation >= 0.93 * best[:, None]), axis=1)
    lag = first + shortest
    strength = correlation[np.arange(frames), first]
    power = _frame_power(low, frames)
    audible = power > 1e-3 * (np.percentile(power, 95) if frames else 0.0)
    voiced = (strength >= VOICED) & audible & sound.speaking
    return Pitch(
        hz=np.where(voiced, RATE / lag, 0.0).astype(np.float32),
        strength=np.clip(strength, 0, 1).astype(np.float32),
    )


def autocorrelation(low: Floats, frames: int) -> tuple[Floats, int]:
    """
    Normalised autocorrelation of ``low`` (at :data:`RATE`) around each 10 ms frame.

    Returns:
        Shape ``(frames, lags)``, and the lag in samples of its first column.
    """
    longest, shortest = round(RATE / LOWEST_HZ), round(RATE / HIGHEST_HZ)
    hop, span = round(HOP_SECONDS * RATE), _WINDOW + longest
    padded = np.pad(low, (span // 2, span + hop))
    short = frames * hop + span - len(padded)
    blocks = np.lib.stride_tricks.sliding_window_view(np.pad(padded, (0, max(0, short))), span)[::hop][
        :frames
    ]
    size = next_fast_len(span + _WINDOW)
    cross = irfft(np.conj(rfft(blocks[:, :_WINDOW], size)) * rfft(blocks, size), size)[:, : longest + 1]
    energy = np.cumsum(np.pad(blocks.astype(np.float64) ** 2, ((0, 0), (1, 0))), axis=1)
    moving = energy[:, _WINDOW : _WINDOW + longest + 1] - energy[:, : longest + 1]
    normal = 2 * cross / (moving + moving[:, :1] + 1e-6)
    return normal[:, shortest:].astype(np.float32), shortest


def _peaks(correlation: Floats) -> Mask:
    padded = np.pad(correlation, ((0, 0), (1, 1)), constant_values=-1.0)
    return np.asarray((correlation >= padded[:, :-2]) & (correlation >= padded[:, 2:]), np.bool_)


def _frame_power(low: Floats, frames: int) -> Floats:
    hop = round(HOP_SECONDS * RATE)
    padded = np.pad(low, (0, max(0, frames * hop - len(low))))[: frames * hop]
    return np.asarray(np.mean(padded.reshape(frames, hop) ** 2, axis=1), np.float32)
