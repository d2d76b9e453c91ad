"""
The embedded cloning engine: no download, no GPU, one core.

A *base voice* (flite, else espeak-ng) says the words and supplies timing and melody as a score; a
*voiceprint*, made from the clip, says how this person sounds while making each sound; a *conversion* turns
the one into the other; a *vocoder* makes the waveform.

::

    text -> base (flite | espeak) -> Score: phones, words, F0, spectrum, every 5 ms
                                        |
    clip -> analysis -> alignment -> Voiceprint -> conversion -> vocoder -> 24 kHz PCM blocks
"""

from tts.engines.clone.design import VoiceDesign
from tts.engines.clone.engine import CloneSynthesizer

__all__ = ["CloneSynthesizer", "VoiceDesign"]
