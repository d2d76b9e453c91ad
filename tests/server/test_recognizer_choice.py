"""The settings say who recognises speech."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

from runtime.server.calls import open_recognizer
from runtime.settings import Settings
from sessions.recognizers.openai_transcription import OpenAIRecognizer


async def test_an_endpoint_takes_the_place_of_the_embedded_recogniser(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, transcription_base_url="http://127.0.0.1:1/v1")
    async with AsyncExitStack() as stack:
        assert isinstance(await open_recognizer(settings, stack), OpenAIRecognizer)


async def test_no_workers_and_no_endpoint_is_nobody(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, recognizer_workers=0)
    async with AsyncExitStack() as stack:
        assert await open_recognizer(settings, stack) is None
