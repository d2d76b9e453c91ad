"""The tone engine with faults to order, for the tests of the pool."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tts.engine import Conditioning, PcmBlock, SpeechRequest
from tts.engines.tone import ToneSynthesizer


class FragileSynthesizer(ToneSynthesizer):
    """
    Does what the words say: ``crash`` and ``hang`` after two blocks, ``always-crash``, ``raise``.

    Args:
        folder: Where it notes that a fault has happened, so that the next worker is spared it.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self.loaded: set[str] = set()

    def load(self, conditioning: Conditioning) -> None:
        super().load(conditioning)
        self.loaded.add(conditioning.digest)
        (self._folder / f"loaded-{os.getpid()}-{len(self.loaded)}").touch()

    def unload(self, digest: str) -> None:
        self.loaded.remove(digest)
        (self._folder / f"unloaded-{os.getpid()}-{digest}").touch()

    def speak(self, request: SpeechRequest) -> Iterator[PcmBlock]:
        for number, block in enumerate(super().speak(request)):
            if number == 2:
                self._suffer(request.text)
            yield block
        (self._folder / f"spoken-{os.getpid()}").touch()

    def _suffer(self, text: str) -> None:
        if "always-crash" in text:
            os._exit(1)
        if "raise" in text:
            raise RuntimeError("the glottis is stuck")
        for fault in ("crash", "hang"):
            if fault in text and not (self._folder / fault).exists():
                (self._folder / fault).touch()
                if fault == "crash":
                    os._exit(1)
                time.sleep(60)


class WordlessSynthesizer(FragileSynthesizer):
    """The same, telling no word times."""

    def speak(self, request: SpeechRequest) -> Iterator[PcmBlock]:
        for block in super().speak(request):
            yield PcmBlock(block.samples, block.rate)


class ChoirSynthesizer(ToneSynthesizer):
    """The tone engine, advancing up to three utterances in a step, and noting how many it had."""

    batch_width = 3

    def __init__(self, log: Path) -> None:
        super().__init__()
        self._log = log

    def advance(self, speeches: Sequence[Iterator[PcmBlock]]) -> list[PcmBlock | None]:
        with self._log.open("a") as log:
            log.write(f"{len(speeches)}\n")
        time.sleep(0.01)
        return [next(speech, None) for speech in speeches]


class ForgetfulChoir(ChoirSynthesizer):
    """Loses one utterance of every batch."""

    def advance(self, speeches: Sequence[Iterator[PcmBlock]]) -> list[PcmBlock | None]:
        return super().advance(speeches[1:])
