"""Whatever engine speaks, its words carry the mark, unless the operator says otherwise."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import numpy as np
import pytest

from runtime.clock import SystemClock
from tests.tts.inline import InlineEngine, drained
from tests.tts.provenance.babble import babble
from tts.engine import PcmBlock, SpeechRequest
from tts.engines.tone import ToneSynthesizer
from tts.pool import SynthesisPool
from tts.provenance.detection import detect
from tts.provenance.marked import MarkedEngine

RATE = 24_000
VOICE = ToneSynthesizer().stock()[0].conditioning


class Babbler(ToneSynthesizer):
    """An engine that says five seconds of nothing, in blocks of 0.3 s."""

    info = replace(ToneSynthesizer.info, name="babble", placeholder=False)

    def speak(self, request: SpeechRequest) -> Iterator[PcmBlock]:
        samples = babble(5.0, RATE, seed=request.seed)
        for at in range(0, len(samples), 7200):
            yield PcmBlock(samples[at : at + 7200], RATE)


class RemoteBabbler(InlineEngine):
    """The same, with connections to close."""

    info = Babbler.info
    open = True

    async def speak(
        self, request: SpeechRequest, *, deadline: float | None = None
    ) -> AsyncIterator[PcmBlock]:
        for block in Babbler().speak(request):
            yield block

    async def close(self) -> None:
        self.open = False


def found(blocks: list[PcmBlock]) -> bool:
    return detect(np.concatenate([block.samples for block in blocks]), RATE).found


@pytest.mark.parametrize("key", [b"vivavoce", None])
async def test_the_pool_marks(key: bytes | None) -> None:
    pool = SynthesisPool(Babbler, workers=1, clock=SystemClock(), watermark=key)
    await pool.start()
    try:
        blocks = await drained(pool.speak(SpeechRequest("anything", VOICE)))
    finally:
        await pool.close()
    assert found(blocks) is (key is not None)


@pytest.mark.parametrize("key", [b"vivavoce", None])
async def test_engines_elsewhere_are_marked_here(key: bytes | None) -> None:
    remote = RemoteBabbler()
    engine = MarkedEngine(remote, key=key)
    await engine.start()
    await engine.warm(VOICE)
    assert found(await drained(engine.speak(SpeechRequest("anything", VOICE)))) is (key is not None)
    assert engine.info.name == "babble"
    await engine.close()
    assert not remote.open
