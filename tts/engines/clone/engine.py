"""The embedded engine as the house sees it: clone, load, speak."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from itertools import chain, repeat
from typing import Final

import numpy as np

from runtime.errors import EnrolmentError, InvalidRequest, SynthesisFailed
from runtime.media.frame import Pcm
from tts.engine import Conditioning, EngineInfo, PcmBlock, SpeechRequest, SpokenWord
from tts.engines.clone import casting
from tts.engines.clone.casting import BaseFamily
from tts.engines.clone.conversion import ClonedSpeaker, Speaker
from tts.engines.clone.design import Timbre, VoiceDesign
from tts.engines.clone.designed import DesignedSpeaker
from tts.engines.clone.loudness import Loudness
from tts.engines.clone.phones import SILENCE
from tts.engines.clone.score import HOP, Score
from tts.engines.clone.spectrum import RATE
from tts.engines.clone.stock import designed, stock_voices
from tts.engines.clone.vocoder import VoiceTrack, render
from tts.engines.clone.voiceprint import Voiceprint
from tts.voices.voice import StockVoice

VERSION: Final = "2"
"""Raise it with every change that is heard: it is part of every cache key."""

_FIRST_BLOCKS = (0.08, 0.16, 0.32)
_BLOCK = 0.48
"""Seconds. The first block is short so that the listener hears it early; later ones save overhead."""
_LEAD_IN = 0.03
_PAUSES = {".": 0.28, "?": 0.28, "!": 0.28, ";": 0.2, ":": 0.2, ",": 0.14}
_PAUSE = 0.04
"""Seconds of silence kept before the first sound, and after the last by what the text ends with."""
_MOST_LOADED = 64


class CloneSynthesizer:
    """
    Speak as the person in a clip, by signal processing alone.

    Args:
        base: Which family of base voices says the words; None takes flite where its libraries are
            installed and espeak-ng (GPL: its code is loaded into this process) elsewhere.

    Raises:
        EngineUnavailable: No base voice can be loaded here.
    """

    def __init__(self, *, base: BaseFamily | None = None) -> None:
        self._family: BaseFamily = base or casting.available()
        self.info = EngineInfo(
            name="clone",
            version=VERSION,
            rate=RATE,
            languages=("en-US",),
            licence="Apache-2.0, with flite (BSD)"
            if self._family == "flite"
            else "Apache-2.0, with espeak-ng (GPL-3.0)",
            clones=True,
        )
        self._loaded: OrderedDict[str, tuple[Speaker, Loudness]] = OrderedDict()

    @staticmethod
    def stock() -> Sequence[StockVoice]:
        """The voices that come with the engine. Loads no base voice, so the server may call it."""
        return stock_voices(VERSION)

    def clone(self, samples: Pcm, rate: int, *, voice_id: str) -> Conditioning:
        """See :meth:`tts.engine.Synthesizer.clone`."""
        if samples.ndim != 1 or not len(samples) or rate < 8_000:
            raise EnrolmentError(
                f"cannot clone from shape {samples.shape} at {rate} Hz", fix="give mono PCM of 8 kHz or more"
            )
        scale = 1.0 / 32768 if samples.dtype == np.int16 else 1.0
        data = Voiceprint.of(samples.astype(np.float32) * np.float32(scale), rate).to_bytes()
        return Conditioning(
            voice_id, self.info.name, self.info.version, data, hashlib.sha256(data).hexdigest()
        )

    def design(self, design: VoiceDesign, *, voice_id: str) -> Conditioning:
        """Make a voice from its dimensions instead of a recording."""
        return designed(design, voice_id=voice_id, version=self.info.version)

    def cast(self, conditioning: Conditioning) -> Timbre:
        """Which base voice says the words for this voice."""
        return self._cast(conditioning.data)[0]

    def load(self, conditioning: Conditioning) -> None:
        """See :meth:`tts.engine.Synthesizer.load`."""
        self._voice(conditioning)

    def speak(self, request: SpeechRequest) -> Iterator[PcmBlock]:
        """See :meth:`tts.engine.Synthesizer.speak`."""
        if not 0.25 <= request.speed <= 4:
            raise SynthesisFailed(f"speed is {request.speed}", fix="use a speed from 0.25 to 4")
        speaker, loudness = self._voice(request.conditioning)
        score = _trimmed(speaker.base.score(request.text, pace=speaker.pace * request.speed), request.text)
        if not len(score.f0):
            return
        track = speaker.convert(score)
        seconds = chain(_FIRST_BLOCKS if request.first else (), repeat(_BLOCK))
        blocks = (round(second * RATE) for second in seconds)
        yield from _blocks(track, score.words, loudness, seed=request.seed, blocks=blocks)

    def _voice(self, conditioning: Conditioning) -> tuple[Speaker, Loudness]:
        if conditioning.digest in self._loaded:
            self._loaded.move_to_end(conditioning.digest)
            return self._loaded[conditioning.digest]
        if conditioning.engine != self.info.name:
            raise SynthesisFailed(
                f"the voice was made for the engine {conditioning.engine!r}",
                fix="clone it again with this engine",
            )
        speaker = self._speaker(conditioning.data)
        voice = speaker, Loudness.of(speaker)
        self._loaded[conditioning.digest] = voice
        if len(self._loaded) > _MOST_LOADED:
            self._loaded.popitem(last=False)
        return voice

    def _speaker(self, data: bytes) -> Speaker:
        timbre, source = self._cast(data)
        if isinstance(source, VoiceDesign):
            return DesignedSpeaker(source, casting.for_timbre(self._family, timbre))
        return ClonedSpeaker(source, casting.for_clip(self._family, timbre))

    def _cast(self, data: bytes) -> tuple[Timbre, VoiceDesign | Voiceprint]:
        if data.startswith(b"{"):
            try:
                design = VoiceDesign.from_json(data.decode())
            except (InvalidRequest, UnicodeDecodeError) as error:
                raise SynthesisFailed(
                    f"the stored voice is damaged: {error}", fix="design it again"
                ) from error
            return design.timbre, design
        voiceprint = Voiceprint.from_bytes(data)
        return casting.for_pitch(voiceprint.median_hz), voiceprint


def _trimmed(score: Score, text: str) -> Score:
    """The score without the silence around it, but for a breath before and the pause its ending asks for."""
    sounds = [segment for segment in score.segments if segment.phone != SILENCE]
    if not sounds:
        return score.between(0, 0)
    pause = _PAUSES.get(text.rstrip()[-1:], _PAUSE)
    return score.between(
        max(0, round((sounds[0].start - _LEAD_IN) / HOP)), max(1, round((sounds[-1].end + pause) / HOP))
    )


def _blocks(
    track: VoiceTrack, words: tuple[SpokenWord, ...], loudness: Loudness, *, seed: int, blocks: Iterator[int]
) -> Iterator[PcmBlock]:
    done, spoken = 0, 0
    for block in render(track, seed=seed, blocks=blocks):
        done += len(block)
        first = spoken
        while spoken < len(words) and (words[spoken].start * RATE < done or done == track.samples):
            spoken += 1
        yield PcmBlock(loudness.apply(block), RATE, words[first:spoken])
