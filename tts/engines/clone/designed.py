"""A base voice with its dimensions changed: nobody's voice, and so anybody's to use."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from tts.engines.clone.design import VoiceDesign
from tts.engines.clone.loudness import ORDINARY
from tts.engines.clone.phones import SILENCE, VOICED
from tts.engines.clone.score import BaseVoice, Floats, Score
from tts.engines.clone.spectrum import CEPSTRA, FEATURES, HIGH_BANDS, bend, edge_level, tilt
from tts.engines.clone.survey import survey, voiced_f0
from tts.engines.clone.vocoder import VoiceTrack

_BREATH = np.array([0.12, 0.40, 0.50, 0.60, 0.70], np.float32)
"""Aperiodicity of an ordinary voiced sound, the median of our clips."""
_FALL_VOICED = 0.45
_FALL_VOICELESS = 0.20
"""Natural log amplitude lost per kHz above 8 kHz: about 4 and 2 dB, as in full-band clips."""
_LIVELIER = 1.15
"""Statistical base voices vary too little around their mean; this restores it."""


class DesignedSpeaker:
    """See :class:`~tts.engines.clone.conversion.Speaker`."""

    def __init__(self, design: VoiceDesign, base: BaseVoice) -> None:
        self.base = base
        self._design = design
        self._survey = survey(base)
        self.pace = design.pace
        self.level = ORDINARY
        self._tilt = tilt(design.brightness)

    def convert(self, score: Score) -> VoiceTrack:
        """The track that says ``score`` in this voice."""
        phone = score.labels.phone
        mean = self._survey.mean
        features = np.zeros((len(score.f0), FEATURES), np.float32)
        features[:, :CEPSTRA] = mean + (score.cepstra - mean) * _LIVELIER
        features[:, 0] = score.cepstra[:, 0]
        features = bend(features, self._design.tract_length)
        fall = np.where(VOICED[phone], _FALL_VOICED, _FALL_VOICELESS)[:, None]
        features[:, CEPSTRA:] = edge_level(features)[:, None] - fall * (np.arange(HIGH_BANDS) + 0.5)
        features += self._tilt
        hush = gaussian_filter1d((phone == SILENCE).astype(np.float32), 2)
        features[:, 0] -= 3 * hush
        features[:, CEPSTRA:] -= 3 * hush[:, None]
        f0 = self._pitch(score)
        f0[hush > 0.7] = 0
        breath = np.tile(_BREATH + (1 - _BREATH) * 0.8 * self._design.breathiness, (len(f0), 1))
        breath[f0 == 0] = 1
        return VoiceTrack(f0, features, breath.astype(np.float32))

    def _pitch(self, score: Score) -> Floats:
        f0 = voiced_f0(score)
        sounding = f0 > 0
        melody = self._survey.melody
        centre = melody.mean if self._design.pitch_hz is None else np.log(self._design.pitch_hz)
        f0[sounding] = np.exp(centre + (np.log(f0[sounding]) - melody.mean) * self._design.liveliness)
        return f0
