"""The embedded engine as the house sees it: clone, load, speak."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, TypeAlias

from runtime.errors import EngineUnavailable
from runtime.media.frame import SPEAKING_RATE, Pcm
from tts.engine import Conditioning, EngineInfo, PcmBlock, SpeechRequest
from tts.engines.clone.design import VoiceDesign
from tts.voices.voice import StockVoice

BaseFamily: TypeAlias = Literal["flite", "espeak"]


class CloneSynthesizer:
    """
    Speak as the person in a clip, by signal processing alone.

    Args:
        base: Which family of base voices says the words; None takes flite where its libraries are
            installed and espeak-ng (GPL: its code is loaded into this process) elsewhere.

    Raises:
        EngineUnavailable: No base voice can be loaded here.
    """

    info: EngineInfo

    def __init__(self, *, base: BaseFamily | None = None) -> None:
        self.info = EngineInfo(
            name="clone",
            version="1",
            rate=SPEAKING_RATE,
            languages=("en-US",),
            licence="Apache-2.0",
            clones=True,
        )

    @staticmethod
    def stock() -> Sequence[StockVoice]:
        """The voices that come with the engine. Loads no base voice, so the server may call it."""
        return ()

    def clone(self, samples: Pcm, rate: int, *, voice_id: str) -> Conditioning:
        """See :meth:`tts.engine.Synthesizer.clone`."""
        raise EngineUnavailable("the cloning engine is not built yet")

    def design(self, design: VoiceDesign, *, voice_id: str) -> Conditioning:
        """Make a voice from its dimensions instead of a recording."""
        raise EngineUnavailable("the cloning engine is not built yet")

    def load(self, conditioning: Conditioning) -> None:
        """See :meth:`tts.engine.Synthesizer.load`."""
        raise EngineUnavailable("the cloning engine is not built yet")

    def speak(self, request: SpeechRequest) -> Iterator[PcmBlock]:
        """See :meth:`tts.engine.Synthesizer.speak`."""
        raise EngineUnavailable("the cloning engine is not built yet")
