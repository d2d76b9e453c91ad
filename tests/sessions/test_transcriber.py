from __future__ import annotations

import pytest

from runtime.errors import AtCapacity, RecognitionError
from runtime.media.container import DecodeLimits
from sessions.recognizers.sphinx import SphinxRecognizer
from sessions.transcriber import Transcriber


async def test_without_a_recogniser_recordings_are_refused() -> None:
    transcriber = Transcriber(None, limits=DecodeLimits())
    with pytest.raises(RecognitionError, match="recognises no speech"):
        await transcriber.cut(b"RIFF")
    await transcriber.close()


async def test_more_recordings_than_may_wait_are_refused() -> None:
    transcriber = Transcriber(SphinxRecognizer(), limits=DecodeLimits(), waiting=0)
    with pytest.raises(AtCapacity):
        await transcriber.cut(b"RIFF")
    await transcriber.close()
