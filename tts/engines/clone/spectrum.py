"""
The numbers that stand for one spectral envelope, and the way back to a spectrum.

Up to 8 kHz an envelope is a warped cepstrum: ``log|H(f)| = sum_m c_m cos(m w~(f))``, natural logarithm of
amplitude, with the all-pass warp ``w~`` of mel-cepstral analysis (Tokuda et al., *Mel-generalized cepstral
analysis*, ICSLP 1994; alpha 0.42 at 16 kHz is close to the mel scale). flite's voices store the same
coefficients, so a base voice's envelope needs no analysis. From 8 to 12 kHz it is four band levels, because
no base voice reaches there and cepstra that span an empty band spoil the rest.

The way back is linear, and so is the step from a log spectrum to its minimum phase; both are folded into one
complex matrix, so that a pulse costs a product and an exponential.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, rfft

from tts.engines.clone.score import Floats

RATE = 24_000
FFT = 1024
BINS = FFT // 2 + 1
ALPHA = 0.42
LOW_RATE = 16_000
"""The cepstra describe the spectrum up to half of this."""
CEPSTRA = 40
HIGH_EDGES = (8_000, 9_000, 10_000, 11_000, 12_000)
HIGH_BANDS = len(HIGH_EDGES) - 1
FEATURES = CEPSTRA + HIGH_BANDS
BREATH_EDGES = (0, 1_000, 2_000, 4_000, 8_000, 12_000)
BREATH_BANDS = len(BREATH_EDGES) - 1

Complex: TypeAlias = NDArray[np.complex64]
_WARPED_POINTS = 160


def warp(hz: NDArray[np.float64], *, alpha: float = ALPHA) -> NDArray[np.float64]:
    """Warped angular frequency, 0 to pi for 0 to 8 kHz."""
    omega = 2 * np.pi * np.asarray(hz, float) / LOW_RATE
    warped: NDArray[np.float64] = omega + 2 * np.arctan2(alpha * np.sin(omega), 1 - alpha * np.cos(omega))
    return warped


def unwarp(warped: NDArray[np.float64]) -> NDArray[np.float64]:
    """Hz at a warped angular frequency: the all-pass of ``-alpha`` undoes that of ``alpha``."""
    return warp(np.asarray(warped, float) * LOW_RATE / (2 * np.pi), alpha=-ALPHA) * LOW_RATE / (2 * np.pi)


@lru_cache(maxsize=8)
def _analysis_matrix(rate: int, bins: int) -> Floats:
    """Linear map, shape ``(bins, CEPSTRA)``, from a log-amplitude spectrum of ``rate`` to cepstra."""
    points = (np.arange(_WARPED_POINTS) + 0.5) * np.pi / _WARPED_POINTS
    hz = np.arange(bins) * rate / 2 / (bins - 1)
    centres = unwarp(points)
    widths = np.gradient(centres)
    sampling = np.maximum(0, 1 - np.abs(hz[:, None] - centres) / np.maximum(widths, hz[1]))
    sampling[hz > LOW_RATE / 2 + hz[1]] = 0
    sampling /= sampling.sum(0)
    cosines = np.cos(np.arange(CEPSTRA) * points[:, None]) * (2 / _WARPED_POINTS)
    cosines[:, 0] /= 2
    matrix: Floats = (sampling @ cosines).astype(np.float32)
    return matrix


def encode(log_amplitude: Floats, rate: int) -> Floats:
    """
    Features of envelopes.

    Args:
        log_amplitude: Shape ``(frames, bins)``, natural log of amplitude from 0 to ``rate / 2``.
        rate: Hz, at least 16000. Bands above ``rate / 2`` repeat the highest band there is.

    Returns:
        Shape ``(frames, FEATURES)``: cepstra, then the mean log amplitude of each high band.
    """
    bins = log_amplitude.shape[1]
    cepstra = log_amplitude @ _analysis_matrix(rate, bins)
    hz = np.arange(bins) * rate / 2 / (bins - 1)
    bands = []
    for low, high in zip(HIGH_EDGES[:-1], HIGH_EDGES[1:], strict=True):
        inside = (hz >= low) & (hz < high)
        if inside.any():
            bands.append(log_amplitude[:, inside].mean(1))
        else:
            bands.append(bands[-1] if bands else log_amplitude[:, -1])
    return np.column_stack([cepstra, *bands]).astype(np.float32)


@lru_cache(maxsize=1)
def _synthesis_matrix() -> Floats:
    """Linear map from features and band gains, ``(FEATURES + BREATH_BANDS, BINS)``, to log amplitude."""
    hz = np.arange(BINS) * RATE / FFT
    low = np.cos(np.arange(CEPSTRA)[:, None] * warp(np.minimum(hz, LOW_RATE / 2)))
    centres = (np.array(HIGH_EDGES[:-1]) + np.array(HIGH_EDGES[1:])) / 2
    knots = np.concatenate([[LOW_RATE / 2 - 250], centres])
    tents = np.stack([np.interp(hz, knots, row) for row in np.eye(len(knots))])
    low = low * (hz <= knots[0]) + low[:, np.searchsorted(hz, knots[0])][:, None] * tents[0] * (hz > knots[0])
    high = tents[1:] * (hz > knots[0])
    middles = (np.array(BREATH_EDGES[:-1]) + np.array(BREATH_EDGES[1:])) / 2
    gains = np.stack([np.interp(hz, middles, row) for row in np.eye(BREATH_BANDS)])
    return np.concatenate([low, high, gains]).astype(np.float32)


@lru_cache(maxsize=1)
def _minimum_phase_matrix() -> Complex:
    """:func:`_synthesis_matrix` with each row's minimum phase as its imaginary part."""
    cepstrum = irfft(_synthesis_matrix().astype(np.float64), FFT, axis=1)
    cepstrum[:, 1 : FFT // 2] *= 2
    cepstrum[:, FFT // 2 + 1 :] = 0
    matrix: Complex = rfft(cepstrum, axis=1).astype(np.complex64)
    return matrix


def log_amplitude(features: Floats) -> Floats:
    """Natural log amplitude, shape ``(frames, BINS)`` at :data:`RATE`, of features."""
    spectrum: Floats = features @ _synthesis_matrix()[:FEATURES]
    return spectrum


def minimum_phase(features: Floats, log_gains: Floats) -> Complex:
    """
    Complex log spectra of causal, compact pulses.

    Args:
        features: Shape ``(pulses, FEATURES)``.
        log_gains: Shape ``(pulses, BREATH_BANDS)``, natural log of the gain of each breath band.
    """
    joined = np.concatenate([features, log_gains], axis=1, dtype=np.float32)
    matrix = _minimum_phase_matrix()
    spectrum = np.empty((len(joined), BINS), np.complex64)
    spectrum.real = joined @ matrix.real
    spectrum.imag = joined @ matrix.imag
    return spectrum


def bend(features: Floats, ratio: float) -> Floats:
    """
    The envelope of a vocal tract ``ratio`` times as long: every resonance at ``1 / ratio`` of its frequency.

    The warp is linear up to 6.4 kHz and closes at 8 kHz (piecewise-linear vocal-tract normalisation, Lee and
    Rose, 1998); the high bands stay.
    """
    if ratio == 1.0:
        return features
    bent = features.copy()
    bent[:, :CEPSTRA] = features[:, :CEPSTRA] @ _bend_matrix(round(ratio, 3))
    return bent


@lru_cache(maxsize=64)
def _bend_matrix(ratio: float) -> Floats:
    points = (np.arange(_WARPED_POINTS) + 0.5) * np.pi / _WARPED_POINTS
    hz = unwarp(points)
    top, knee = LOW_RATE / 2, 0.8 * LOW_RATE / 2 * min(1.0, 1 / ratio)
    source = np.where(hz <= knee, hz * ratio, 0)
    end = knee * ratio
    source = np.where(hz > knee, end + (hz - knee) * (top - end) / (top - knee), source)
    seen = np.cos(np.arange(CEPSTRA) * warp(source)[:, None])
    cosines = np.cos(np.arange(CEPSTRA) * points[:, None]) * (2 / _WARPED_POINTS)
    cosines[:, 0] /= 2
    matrix: Floats = (seen.T @ cosines).astype(np.float32)
    return matrix


@lru_cache(maxsize=1)
def _edge_row() -> Floats:
    points = (np.arange(16) + 0.5) / 16 * 1_250 + 6_500
    row: Floats = np.cos(np.arange(CEPSTRA)[:, None] * warp(points)).mean(1).astype(np.float32)
    return row


def edge_level(features: Floats) -> Floats:
    """Mean log amplitude from 6.5 to 7.75 kHz, where the cepstra end: what the high bands hang on."""
    level: Floats = features[:, :CEPSTRA] @ _edge_row()
    return level


@lru_cache(maxsize=16)
def tilt(db_per_octave: float) -> Floats:
    """Features that, added, tilt a spectrum around 1 kHz by so many dB per octave (flat below 200 Hz)."""
    hz = np.maximum(np.arange(BINS) * RATE / FFT, 200.0)
    slope = (np.log(10) / 20 * db_per_octave * np.log2(hz / 1_000)).astype(np.float32)
    features: Floats = encode(slope[None], RATE)[0]
    return features
