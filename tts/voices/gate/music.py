"""Music under the voice: narrow lines that stay where they are, as no voice's do, and go on in the pauses."""

from __future__ import annotations

import numpy as np

from runtime.media.frame import LISTENING_RATE
from tts.voices.gate.sound import HOP_SECONDS, Floats, Mask, Sound

_WINDOW = 1_024
"""64 ms at 16 kHz: resolves partials 30 Hz apart."""
_HOP = round(HOP_SECONDS * LISTENING_RATE)
_BINS = slice(8, 256)
"""125 Hz to 4 kHz: above the hum of mains, where instruments have their partials."""
_AROUND = 10
"""Bins on either side that a line is held against."""
_SUSTAIN = 20
"""Frames (0.2 s) a line is followed for."""
_BESIDE_DB = 40.0
"""Pauses further than this below the speech cannot be heard beside it."""
_VOICE_ALONE = 0.7
"""What a steady voice reads more than a pause: long vowels are sustained lines too. Low instruments read as
much less where only the speech itself can be looked at."""


def measure_music(sound: Sound) -> float:
    """
    How far sustained narrow lines stand above their surroundings, in nepers.

    Each frame of the log spectrum is whitened by its own average over the neighbouring bins and then averaged
    over 0.2 s: gliding harmonics of speech and the ripple of noise flatten out, partials of music remain. The
    five strongest lines of each stretch count; the answer is the 75th percentile over the stretches that lie
    in pauses, or over all stretches less 0.7, whichever is more.

    Rooms read 0.5 to 1.5, solo guitar and chords 2.2 to 4.5 from 20 dB below the voice upwards.
    """
    heard = sound.heard
    if len(heard) < _WINDOW + _HOP * _SUSTAIN:
        return 0.0
    frames = np.lib.stride_tricks.sliding_window_view(heard, _WINDOW)[::_HOP]
    spectrum = np.log(np.abs(np.fft.rfft(frames * np.hanning(_WINDOW), axis=1)) + 1e-6)[:, _BINS]
    white = spectrum - _around(spectrum)
    sustained = _moving(white)
    strongest = np.sort(sustained, axis=1)[:, -5:].mean(axis=1)
    paused = _paused(sound, len(strongest))
    alone = float(np.percentile(strongest, 75)) - _VOICE_ALONE
    return max(alone, float(np.percentile(strongest[paused], 75)) if paused.sum() >= 6 else 0.0, 0.0)


def _around(spectrum: Floats) -> Floats:
    """Moving average over frequency, mirrored at the edges."""
    width = 2 * _AROUND + 1
    total = np.cumsum(np.pad(spectrum, ((0, 0), (_AROUND + 1, _AROUND)), mode="reflect"), axis=1)
    return np.asarray((total[:, width:] - total[:, :-width]) / width)


def _moving(white: Floats) -> Floats:
    total = np.cumsum(np.pad(white, ((1, 0), (0, 0))), axis=0)
    return np.asarray((total[_SUSTAIN:] - total[:-_SUSTAIN]) / _SUSTAIN)


def _paused(sound: Sound, stretches: int) -> Mask:
    """Stretches that lie in a pause which can still be heard."""
    span = _SUSTAIN + _WINDOW // _HOP - 1
    resting = np.pad(sound.resting, (0, stretches + span), constant_values=False)[: stretches + span]
    whole = np.lib.stride_tricks.sliding_window_view(resting, span)[:stretches].all(axis=1)
    power = 10 ** (sound.level / 10)
    power = np.pad(power, (0, max(0, stretches + span - len(power))))[: stretches + span]
    total = np.cumsum(np.concatenate([[0.0], power]))
    level = 10 * np.log10((total[span : span + stretches] - total[:stretches]) / span + 1e-13)
    if not sound.speaking.any():
        return np.asarray(whole, np.bool_)
    speech = 10 * np.log10(np.mean(10 ** (sound.level[sound.speaking] / 10)) + 1e-13)
    return np.asarray(whole & (level > speech - _BESIDE_DB), np.bool_)
