"""The engine is the settings' choice, wherever it runs."""

from __future__ import annotations

from contextlib import aclosing

import numpy as np
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from runtime.clock import SystemClock
from runtime.errors import EngineUnavailable
from runtime.server.engine import open_house
from runtime.settings import Settings
from tests.tts.engines.test_remote import SpeechServer, listening
from tests.tts.inline import drained
from tts.engine import SpeechRequest
from tts.pool import SynthesisPool

clock = SystemClock()


async def test_a_remote_engine_speaks_its_named_voices() -> None:
    double = SpeechServer()
    app = Starlette(routes=[Route("/v1/audio/speech", double.speech, methods=["POST"])])
    async with listening(app) as url:
        settings = Settings(
            engine="openai_speech",
            speech_base_url=url,
            speech_model="tts-9",
            speech_voices=("nova", "onyx"),
        )
        house = open_house(settings, clock)
        await house.engine.start()
        first, second = await house.stock()
        assert (first.voice_id, second.voice_id) == ("nova", "onyx")
        async with aclosing(house.engine.speak(SpeechRequest("Hi.", second.conditioning))) as blocks:  # type: ignore[type-var]
            samples = np.concatenate([block.samples for block in await drained(blocks)])
        assert len(samples) == 12_000
        assert double.orders[0]["voice"] == "onyx"
        assert house.engine.lateness() == 0.0
        with pytest.raises(EngineUnavailable, match="makes its voices itself"):
            house.cloner().clone(samples, 24_000, voice_id="v")
        await house.engine.close()


async def test_ours_run_in_the_pool() -> None:
    house = open_house(Settings(engine="tone"), clock)
    assert isinstance(house.engine, SynthesisPool)
    assert {voice.voice_id for voice in await house.stock()} == {"tone-high", "tone-low"}
    assert house.cloner().info.name == "tone"


@pytest.mark.parametrize(
    ("settings", "needed"),
    [
        (Settings(engine="openai_speech"), "VIVAVOCE_SPEECH_BASE_URL"),
        (Settings(engine="openai_speech", speech_base_url="http://127.0.0.1:9/v1"), "VIVAVOCE_SPEECH_VOICES"),
        (Settings(engine="elevenlabs"), "VIVAVOCE_SPEECH_API_KEY"),
        (Settings(engine="elevenlabs", speech_api_key="xi"), "VIVAVOCE_SPEECH_VOICES"),
    ],
)
def test_a_missing_setting_is_named(settings: Settings, needed: str) -> None:
    with pytest.raises(EngineUnavailable) as unavailable:
        open_house(settings, clock)
    assert needed in (unavailable.value.fix or "")
