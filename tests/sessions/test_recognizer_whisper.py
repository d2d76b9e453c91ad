"""faster-whisper by its real loading path, on a model of random weights; and what is said where it fails."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from runtime.errors import RecognitionError
from runtime.media.frame import LISTENING_RATE
from sessions.recognizers.whisper import PARTIAL_EVERY, WhisperRecognizer
from sessions.recognizers.whisper_model import WhisperModel
from tests.sessions.tiny_whisper import write_tiny_whisper

SPEECH = (3000 * np.sin(np.arange(2 * LISTENING_RATE) / 7)).astype(np.int16)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("faster_whisper", reason="the extra whisper is not installed")
    return write_tiny_whisper(tmp_path_factory.mktemp("whisper") / "model")


@pytest.fixture
async def recognizer(folder: Path) -> AsyncIterator[WhisperRecognizer]:
    recognizer = WhisperRecognizer(str(folder), device="cpu", threads=1)
    await recognizer.start()
    yield recognizer
    await recognizer.close()


async def test_an_utterance_becomes_text_and_timed_words(recognizer: WhisperRecognizer) -> None:
    stream = recognizer.open("en-US", expects=["yes", "no"])
    for start in range(0, len(SPEECH), 320):
        stream.push(SPEECH[start : start + 320])
    transcript = await stream.finish()
    stream.abandon()
    assert transcript.text
    assert transcript.language == "en"
    assert transcript.seconds == pytest.approx(2.0)
    assert transcript.words
    for word in transcript.words:
        assert 0 <= word.start <= word.end <= 30
        assert 0 <= word.confidence <= 1


async def test_words_are_told_while_the_utterance_goes_on(recognizer: WhisperRecognizer) -> None:
    stream = recognizer.open()
    stream.push(SPEECH[: round((PARTIAL_EVERY + 0.1) * LISTENING_RATE)])
    words = await asyncio.wait_for(stream.partial(), 20)
    assert words == stream.text
    assert words
    stream.abandon()
    assert await stream.partial() is None


async def test_an_utterance_without_audio_has_no_words(recognizer: WhisperRecognizer) -> None:
    transcript = await recognizer.open().finish()
    assert (transcript.text, transcript.words, transcript.seconds) == ("", (), 0.0)


async def test_several_callers_are_heard_one_after_the_other(recognizer: WhisperRecognizer) -> None:
    streams = [recognizer.open() for _ in range(3)]
    for stream in streams:
        stream.push(SPEECH)
    transcripts = await asyncio.gather(*(stream.finish() for stream in streams))
    assert len({transcript.text for transcript in transcripts}) == 1


async def test_a_folder_that_holds_no_model_is_told_of_at_the_start(tmp_path: Path) -> None:
    pytest.importorskip("faster_whisper", reason="the extra whisper is not installed")
    with pytest.raises(RecognitionError, match=re.escape("it must hold model.bin")):
        await WhisperRecognizer(str(tmp_path)).start()


def test_a_broken_model_says_so(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes((folder / "model.bin").read_bytes()[:500])
    with pytest.raises(RuntimeError, match="could not be loaded"):
        WhisperModel(str(tmp_path), device="cpu", compute_type="default", threads=1)


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("GatedRepoError", "HF_TOKEN"),
        ("RepositoryNotFoundError", "check its name"),
        ("LocalEntryNotFoundError", "fetch it elsewhere"),
        ("ValueError", "could not be loaded"),
    ],
)
def test_what_the_hub_refuses_is_said_in_words(
    kind: str, says: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import faster_whisper  # type: ignore[import-untyped, import-not-found, unused-ignore]

    def refuse(*_args: object, **_options: object) -> None:
        raise type(kind, (Exception,), {})("no")

    monkeypatch.setattr(faster_whisper, "WhisperModel", refuse)
    with pytest.raises(RuntimeError, match=says):
        WhisperModel("somebody/some-model", device="cpu", compute_type="default", threads=1)


async def test_without_the_package_the_setting_says_what_to_install() -> None:
    try:
        import faster_whisper  # noqa: F401
    except ImportError:
        with pytest.raises(RecognitionError, match=re.escape("vivavoce[whisper]")):
            await WhisperRecognizer("small.en").start()
    else:
        pytest.skip("the extra whisper is installed")
