"""The settings say who recognises speech."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from runtime.errors import RecognitionError
from runtime.server.calls import open_recognizer
from runtime.settings import Settings
from sessions.recognizers.openai_transcription import OpenAIRecognizer
from sessions.recognizers.whisper import WhisperRecognizer
from tests.sessions.tiny_whisper import write_tiny_whisper


async def test_an_endpoint_takes_the_place_of_the_embedded_recogniser(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, transcription_base_url="http://127.0.0.1:1/v1")
    async with AsyncExitStack() as stack:
        assert isinstance(await open_recognizer(settings, stack), OpenAIRecognizer)


async def test_no_workers_and_no_endpoint_is_nobody(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, recognizer_workers=0)
    async with AsyncExitStack() as stack:
        assert await open_recognizer(settings, stack) is None


async def test_a_whisper_model_is_loaded_before_the_first_call(tmp_path: Path) -> None:
    pytest.importorskip("faster_whisper", reason="the extra whisper is not installed")
    model = write_tiny_whisper(tmp_path / "model")
    settings = Settings(data_dir=tmp_path, whisper_model=str(model), whisper_device="cpu")
    async with AsyncExitStack() as stack:
        recognizer = await open_recognizer(settings, stack)
        assert isinstance(recognizer, WhisperRecognizer)


async def test_a_model_that_is_not_there_stops_the_server_with_a_reason(tmp_path: Path) -> None:
    pytest.importorskip("faster_whisper", reason="the extra whisper is not installed")
    settings = Settings(data_dir=tmp_path, whisper_model=str(tmp_path / "nothing"))
    async with AsyncExitStack() as stack:
        with pytest.raises(RecognitionError, match="there is no model in"):
            await open_recognizer(settings, stack)
