"""Transcription through a real server with the embedded recogniser, asked by the stock openai SDK."""

from __future__ import annotations

import io
import re
import wave
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import openai
import pytest

from runtime.media.frame import Pcm
from tests.live_server import LiveServer, live_server
from tests.turn.voices import recording, silence

# Each asks for many times the work of other requests; a busy machine may take its time.
pytestmark = pytest.mark.timeout(240)

CLIP = "librivox-sense-0930_m_16000_3.3s.flac"
WORDS = {"might", "even", "have", "been", "made", "himself"}


@pytest.fixture(scope="module")
def hearing_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with live_server(tmp_path_factory.mktemp("hearing"), recognizer_workers=1) as server:
        yield server


@pytest.fixture(scope="module")
def sdk(hearing_server: LiveServer) -> Iterator[openai.OpenAI]:
    key = hearing_server.sandbox_key()
    with openai.OpenAI(base_url=f"{hearing_server.url}/v1", api_key=key, max_retries=0) as client:
        yield client


@pytest.fixture
def talk(clips: Path) -> bytes:
    """The same sentence twice, with two seconds of silence between."""
    said = recording(clips / "C_conversation" / CLIP)
    return wav(np.concatenate([said, silence(2.0), said]))


def wav(pcm: Pcm, *, rate: int = 16_000) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((1, 2, rate, 0, "NONE", ""))
        writer.writeframes(pcm.tobytes())
    return file.getvalue()


@pytest.mark.clips
def test_json_text_and_events_say_the_same_words(sdk: openai.OpenAI, talk: bytes) -> None:
    as_json = sdk.audio.transcriptions.create(model="whisper-1", file=("talk.wav", talk))
    as_text = sdk.audio.transcriptions.create(model="x", file=("talk.wav", talk), response_format="text")
    stream = sdk.audio.transcriptions.create(model="x", file=("talk.wav", talk), stream=True)
    *deltas, done = list(stream)
    assert set(as_json.text.split()) >= WORDS
    assert str(as_text).strip() == as_json.text
    assert len(deltas) == 2
    assert "".join(delta.delta for delta in deltas) == done.text == as_json.text  # type: ignore[union-attr]


@pytest.mark.clips
def test_verbose_json_times_segments_and_words(sdk: openai.OpenAI, talk: bytes) -> None:
    verbose = sdk.audio.transcriptions.create(
        model="x",
        file=("talk.wav", talk),
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
    )
    assert verbose.duration == pytest.approx(8.58, abs=0.1)
    assert verbose.language == "english"
    assert verbose.segments is not None
    assert verbose.words is not None
    first, second = verbose.segments
    assert first.end < 3.4
    assert second.start > 5.0
    assert " ".join(word.word for word in verbose.words) == verbose.text
    times = [time for word in verbose.words for time in (word.start, word.end)]
    assert times == sorted(times)
    assert times[-1] <= verbose.duration


@pytest.mark.clips
def test_subtitles_have_a_cue_for_each_utterance(sdk: openai.OpenAI, talk: bytes) -> None:
    srt = sdk.audio.transcriptions.create(model="x", file=("t.wav", talk), response_format="srt")
    vtt = sdk.audio.transcriptions.create(model="x", file=("t.wav", talk), response_format="vtt")
    assert re.match(r"1\n00:00:00,\d{3} --> 00:00:03,\d{3}\n\w", str(srt))
    assert "\n\n2\n00:00:05," in str(srt)
    assert str(vtt).startswith("WEBVTT\n\n00:00:00.")
    assert str(vtt).count("-->") == 2


def test_silence_has_no_words(sdk: openai.OpenAI) -> None:
    assert sdk.audio.transcriptions.create(model="x", file=("s.wav", wav(silence(2.0)))).text == ""


@pytest.mark.parametrize("data", [b"", b"not audio at all", wav(silence(1.0))[:60]])
def test_what_is_no_recording_is_refused(sdk: openai.OpenAI, data: bytes) -> None:
    with pytest.raises(openai.UnprocessableEntityError):
        sdk.audio.transcriptions.create(model="x", file=("s.wav", data))


def test_word_times_are_refused_where_the_format_has_none(sdk: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="verbose_json"):
        sdk.audio.transcriptions.create(
            model="x", file=("s.wav", wav(silence(1.0))), timestamp_granularities=["word"]
        )


def test_an_unknown_format_is_refused(sdk: openai.OpenAI) -> None:
    with pytest.raises(openai.APIStatusError, match="response_format"):
        sdk.audio.transcriptions.create(
            model="x",
            file=("s.wav", wav(silence(1.0))),
            response_format="docx",  # type: ignore[call-overload]
        )


def test_the_scope_is_asked_for_before_the_body_is_read(hearing_server: LiveServer) -> None:
    key = hearing_server.sandbox_key("voice:synthesize")
    answer = httpx.post(
        f"{hearing_server.url}/v1/audio/transcriptions",
        headers={"authorization": f"Bearer {key}"},
        files={"nothing": b"x"},
    )
    assert answer.status_code == 403


def test_a_server_without_a_recogniser_says_how_to_get_one(api: httpx.Client) -> None:
    answer = api.post("/v1/audio/transcriptions", data={"model": "x"}, files={"file": wav(silence(1.0))})
    assert answer.status_code == 503
    assert "recogni" in answer.text
