"""
How high the voice itself reaches, whatever the file says.

A sample rate is a claim, energy at high frequencies is cheap: repeating each sample of a telephone call six
times puts more of it above 4 kHz than a good microphone does. Two things cannot be had so cheaply:

*Speech moves a band.* A band counts only where the loud frames of speech stand clear of the quiet frames and
of the pauses, and where it goes up and down with the band below it. Added noise fills a band without moving
it with the voice; noise that comes and goes moves it, but not with the voice.

*Interpolation mirrors.* Every interpolator short of a perfect one leaves, above the old Nyquist frequency, a
mirror image of what lies below it. The log spectrogram is therefore compared with its own reflection about
every frequency: an image correlates sharply at exactly one of them, a natural voice at none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tts.voices.gate.sound import Floats, Sound

BAND_HZ = 500.0
"""Width of the bands that are tested; also the resolution of the answer."""

MODULATION_DB = 6.0
"""How far loud speech frames must stand above what is there anyway."""

LINK = 0.28
"""Correlation over time between the bands just below and just above a frequency, best pair, at the least.
Unprocessed voices stay above 0.33, nearly all above 0.6; at the border between a voice and added noise it
falls, mostly to zero."""

DYNAMIC_DB = 75.0
"""A band further than this below the strongest is inaudible beside it, and may be what a filter left."""

IMAGE_CORRELATION = 0.45
"""From here on a reflection is an image. Unprocessed voices reach 0.35, images 0.50 to 1.00."""

IMAGE_PROMINENCE = 0.15
"""How far that correlation must stand above those 150 to 800 Hz beside it: an image is sharp."""

TRADED_NYQUISTS = (4_000.0, 5_512.5, 6_000.0, 8_000.0)
"""Hz. Half the sample rates that narrow recordings are really made at: there, noise or a codec may have
blurred the image, and less is enough."""

TRADED_CORRELATION = 0.25
TRADED_PROMINENCE = 0.18
"""At these four frequencies unprocessed voices reach 0.19 and 0.14."""

_MASKING_DB = 50.0
"""Noise within this of the strongest band hides the highs of a voice, which lie 30 to 60 dB below it."""

_LOWEST_NYQUIST = 3_400.0
"""Hz. Below this nothing is sold as a recording of a voice."""

_REFLECTED_HZ = (100.0, 1_100.0)
"""Distances from the mirror that are compared: near enough that a soft filter has left something there."""

_FLOOR = 10.5
"""Decades below the strongest bin that are worth comparing: 16 bits reach no deeper."""


@dataclass(frozen=True, slots=True)
class Bandwidth:
    """What the two measures found."""

    effective_hz: float
    """The lower of the two: how high the voice reaches."""
    modulated_hz: float
    """Top of the highest band that moves with the speech."""
    image_correlation: float
    """The strongest sharp reflection within the modulated part, 0 to 1."""
    image_hz: float | None
    """The lowest mirror found: the Nyquist frequency of the rate it was up-sampled from."""
    floor_db: float | None
    """Level above the effective bandwidth, relative to the strongest band; None where nothing lies above."""
    masked: bool
    """Whether noise hides what may lie above: the pauses fill the next bands as much as the speech does."""
    cliff_db: float
    """The steepest fall of the loud-frame spectrum over 1 kHz, above 3 kHz."""


def measure_bandwidth(sound: Sound) -> Bandwidth:
    """Both measures on the native-rate spectrogram. Needs a fifth of a second of speech, else finds 0 Hz."""
    if int(sound.active.sum()) < 20:
        return Bandwidth(0.0, 0.0, 0.0, None, None, False, 0.0)
    levels = _band_levels(sound)
    loud = np.percentile(levels[sound.active], 97, axis=0)
    quiet = np.percentile(levels, 10, axis=0)
    if sound.resting.sum() >= 30:
        quiet = np.maximum(quiet, np.percentile(levels[sound.resting], 90, axis=0))
    modulated = min(_modulated_top(loud, quiet), _linked_top(levels[sound.speaking], quiet))
    mirror, correlation = _image(sound, below=modulated)
    effective = modulated if mirror is None else min(modulated, mirror)
    above = loud[int(effective // BAND_HZ) + 2 :]
    hidden = quiet[round(modulated / BAND_HZ) :][:4]
    return Bandwidth(
        effective_hz=effective,
        modulated_hz=modulated,
        image_correlation=correlation,
        image_hz=mirror,
        floor_db=float(above.max() - loud.max()) if len(above) else None,
        masked=mirror is None and bool(len(hidden) and hidden.max() > loud.max() - _MASKING_DB),
        cliff_db=_cliff(loud),
    )


def _band_levels(sound: Sound) -> Floats:
    """dB in each band and frame, over about 40 ms."""
    bands = int(sound.rate / 2 // BAND_HZ)
    edges = np.round(np.arange(bands) * BAND_HZ / sound.bin_hz).astype(int)
    last = round(bands * BAND_HZ / sound.bin_hz)
    power = np.add.reduceat(sound.spectrogram[:, :last], edges, axis=1) / np.diff([*edges, last])
    padded = np.pad(power, ((1, 1), (0, 0)), mode="edge")
    return np.asarray(10 * np.log10((padded[:-2] + padded[1:-1] + padded[2:]) / 3 + 1e-16), np.float32)


def _modulated_top(loud: Floats, quiet: Floats) -> float:
    """Hz. One band may be missing on the way up (a notch, a room's null), not two."""
    moves = (loud - quiet >= MODULATION_DB) & (loud > loud.max() - DYNAMIC_DB)
    missing = np.flatnonzero(~moves)
    missing = missing[missing >= round(1_000 / BAND_HZ)]
    gap = next((int(k) for k in missing if k + 1 >= len(moves) or not moves[k + 1]), len(moves))
    return gap * BAND_HZ


def _linked_top(speaking: Floats, quiet: Floats) -> float:
    """Hz up to which each band moves with those below it, from 3 kHz on."""
    moving = np.maximum(speaking, np.maximum(quiet, speaking.max(axis=0) - 40))
    moving = moving - moving.mean(axis=0)
    spread = np.sqrt(np.mean(moving**2, axis=0)) + 1e-3
    link = moving.T @ moving / len(moving) / np.outer(spread, spread)
    bands = len(link)
    for band in range(round(3_000 / BAND_HZ), bands):
        if np.max(link[band : band + 3, band - 3 : band]) < LINK:
            return band * BAND_HZ
    return bands * BAND_HZ


def _image(sound: Sound, *, below: float) -> tuple[float | None, float]:
    """The lowest mirror frequency under ``below``, and the strongest sharp correlation there."""
    frequencies, correlation = _reflections(sound, below=min(below, sound.rate / 2 * 0.97))
    if not len(frequencies):
        return None, 0.0
    distance = np.abs(frequencies[:, None] - frequencies)
    beside = np.where((distance > 150) & (distance < 800), correlation, 0.0).max(axis=1)
    prominence = correlation - beside
    traded = np.abs(frequencies[:, None] - TRADED_NYQUISTS).min(axis=1) <= sound.bin_hz
    image = (correlation >= IMAGE_CORRELATION) & (prominence >= IMAGE_PROMINENCE)
    image |= traded & (correlation >= TRADED_CORRELATION) & (prominence >= TRADED_PROMINENCE)
    sharp = float(np.max(correlation, where=prominence >= IMAGE_PROMINENCE, initial=0.0))
    return (float(frequencies[image][0]) if image.any() else None), sharp


def _reflections(sound: Sound, *, below: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Correlation of what lies above each frequency with the reflection of what lies below it."""
    spectrum = np.log10(sound.spectrogram[sound.active] + 1e-16)
    spectrum = spectrum[:: max(1, len(spectrum) // 300)]
    spectrum = np.maximum(spectrum, spectrum.max() - _FLOOR)
    if sound.resting.sum() >= 30:
        # What does not rise out of the room's noise cannot be compared, and must not count against the rest.
        spectrum = np.maximum(
            spectrum, np.log10(np.percentile(sound.spectrogram[sound.resting], 75, axis=0) + 1e-16)
        )
    near, far = (round(distance / sound.bin_hz) for distance in _REFLECTED_HZ)
    # Mirrors at every half bin: the reflection of bin i about c/2 is bin c - i.
    centres = np.arange(int(2 * _LOWEST_NYQUIST / sound.bin_hz), int(2 * below / sound.bin_hz))
    correlation = []
    for centre in centres:
        upper = np.arange((centre + 1) // 2 + near, min((centre + 1) // 2 + far, spectrum.shape[1] - 1))
        if len(upper) < (far - near) // 2:
            break
        over, under = _centred(spectrum[:, upper]), _centred(spectrum[:, centre - upper])
        correlation.append(np.sum(over * under) / np.sqrt(np.sum(over**2) * np.sum(under**2) + 1e-9))
    frequencies = centres[: len(correlation)].astype(np.float64) * (sound.bin_hz / 2)
    return frequencies, np.array(correlation, np.float64)


def _centred(block: Floats) -> Floats:
    """Less its row and column means: neither loudness nor spectral tilt may correlate."""
    return np.asarray(block - block.mean(axis=1, keepdims=True) - block.mean(axis=0) + block.mean())


def _cliff(loud: Floats) -> float:
    """dB between the loudest band of the kHz below and the loudest of the kHz above, at its steepest."""
    start = round(3_000 / BAND_HZ)
    falls = [loud[k - 2 : k].max() - loud[k + 1 : k + 3].max() for k in range(start, len(loud) - 2)]
    return float(max(falls, default=0.0))
