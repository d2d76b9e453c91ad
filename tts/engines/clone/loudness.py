"""How loud a voice is: as loud as its clip within the bounds of comfort, and never clipped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from runtime.media.frame import Pcm
from tts.engines.clone.phones import SILENCE
from tts.engines.clone.score import Floats
from tts.engines.clone.vocoder import render

if TYPE_CHECKING:
    from tts.engines.clone.conversion import Speaker

QUIETEST, ORDINARY, LOUDEST = 0.050, 0.075, 0.158
"""RMS of the sounding frames, -26, -22.5 and -16 dBFS: what telephony takes without noise or overload."""
_KNEE, _CEILING = 0.7, 0.98
_SAMPLE = "She told us that the weather would be fine."


@dataclass(frozen=True, slots=True)
class Loudness:
    """One voice's gain."""

    gain: float

    @classmethod
    def of(cls, speaker: Speaker) -> Loudness:
        """Measure a voice by letting it speak a sentence: about 40 ms, once per load."""
        score = speaker.base.score(_SAMPLE)
        track = speaker.convert(score)
        samples = np.concatenate(list(render(track, seed=0, blocks=[track.samples])))
        step = track.samples // len(track.f0)
        power = (samples.reshape(-1, step).astype(np.float64) ** 2).mean(1)
        speech = score.labels.phone != SILENCE
        wanted = float(np.clip(speaker.level, QUIETEST, LOUDEST))
        return cls(wanted / float(np.sqrt(power[speech].mean() + 1e-12)))

    def apply(self, samples: Floats) -> Pcm:
        """16-bit PCM. Peaks above the knee are bent instead of cut, so a block never clips."""
        loud = samples * np.float32(self.gain)
        over = np.abs(loud) - _KNEE
        room = _CEILING - _KNEE
        bent = _KNEE + room * np.tanh(np.maximum(over, 0) / room)
        loud = np.where(over > 0, np.sign(loud) * bent, loud)
        return np.round(loud * 32767).astype(np.int16)
