"""
An engine that speaks a steady tone: exact, instant, audible.

Load tests use it to measure everything but synthesis; tests use it because every sample, word time and
span can be computed by hand. Whole pieces are whole periods, so that pieces join without a click and an
agent that never stops talking is one unbroken sine from pick-up to hang-up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from hashlib import sha256

import numpy as np

from runtime.media.frame import SPEAKING_RATE, Pcm
from tts.engine import Conditioning, EngineInfo, PcmBlock, SpeechRequest, SpokenWord
from tts.voices.voice import StockVoice

TICK = 0.020
"""Seconds: words last a whole number of ticks."""

TICKS_PER_CHARACTER = 3
"""0.06 s a character is about 180 words a minute, a brisk human pace."""

FREQUENCIES = (200, 250, 300, 400, 500, 600, 750, 800, 1000, 1200)
"""Hz with a whole number of periods in a tick and a whole number of samples in a period at 24 kHz."""

AMPLITUDE = 8192
"""A quarter of full scale, -12 dBFS."""

FIRST_BLOCK = 5
BLOCK = 10
"""Ticks in the first block of an utterance and in the others: 0.1 s and 0.2 s."""


class ToneSynthesizer:
    """
    Say each word as 0.06 s of sine a character, with nothing between words.

    Voices differ by their frequency. A cloned voice gets one of :data:`FREQUENCIES` by the recording's
    digest: it can be told apart from others, and is like nobody.
    """

    info = EngineInfo(
        name="tone",
        version="1",
        rate=SPEAKING_RATE,
        languages=("*",),
        licence="Apache-2.0",
        clones=True,
        placeholder=True,
    )

    def __init__(self) -> None:
        self._blocks: dict[int, Pcm] = {}

    def stock(self) -> Sequence[StockVoice]:
        """Two voices, an octave apart."""
        return (
            StockVoice(
                voice_id="tone-high",
                name="High tone",
                gender="female",
                language="en-US",
                description="A steady 400 Hz tone; a test signal, not speech.",
                conditioning=_conditioning("tone-high", 400),
            ),
            StockVoice(
                voice_id="tone-low",
                name="Low tone",
                gender="male",
                language="en-US",
                description="A steady 200 Hz tone; a test signal, not speech.",
                conditioning=_conditioning("tone-low", 200),
            ),
        )

    def clone(self, samples: Pcm, rate: int, *, voice_id: str) -> Conditioning:
        """A tone of this recording's own."""
        return _conditioning(voice_id, FREQUENCIES[sha256(samples.tobytes()).digest()[0] % len(FREQUENCIES)])

    def load(self, conditioning: Conditioning) -> None:
        """Prepare the voice's block, so that speaking it only slices."""
        self._block(conditioning)

    def speak(self, request: SpeechRequest) -> Iterator[PcmBlock]:
        """See :meth:`tts.engine.Synthesizer.speak`."""
        words, ticks = _schedule(request.text, request.speed)
        tone = self._block(request.conditioning)
        at, waiting = 0, 0
        while at < ticks:
            size = min(FIRST_BLOCK if at == 0 and request.first else BLOCK, ticks - at)
            end = (at + size) * TICK
            began = waiting
            while waiting < len(words) and words[waiting].start < end - TICK / 2:
                waiting += 1
            yield PcmBlock(tone[: size * _TICK_SAMPLES], self.info.rate, tuple(words[began:waiting]))
            at += size

    def _block(self, conditioning: Conditioning) -> Pcm:
        frequency = int(conditioning.data)
        if frequency not in self._blocks:
            phase = 2 * np.pi * frequency / self.info.rate * np.arange(BLOCK * _TICK_SAMPLES)
            self._blocks[frequency] = np.round(AMPLITUDE * np.sin(phase)).astype(np.int16)
            self._blocks[frequency].flags.writeable = False
        return self._blocks[frequency]


_TICK_SAMPLES = round(TICK * SPEAKING_RATE)


def _schedule(text: str, speed: float) -> tuple[list[SpokenWord], int]:
    """When each word sounds, and the ticks they take together."""
    words: list[SpokenWord] = []
    at = 0
    for match in re.finditer(r"\S+", text):
        ticks = max(1, round(len(match[0]) * TICKS_PER_CHARACTER / speed))
        words.append(SpokenWord(match[0], at * TICK, (at + ticks) * TICK, match.span()))
        at += ticks
    return words, at


def _conditioning(voice_id: str, frequency: int) -> Conditioning:
    data = str(frequency).encode()
    return Conditioning(
        voice_id, ToneSynthesizer.info.name, ToneSynthesizer.info.version, data, sha256(data).hexdigest()
    )
