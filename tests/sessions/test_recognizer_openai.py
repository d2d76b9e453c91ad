from __future__ import annotations

import io
import json
import re
import wave

import numpy as np
import pytest

from runtime.errors import RecognitionError
from sessions.recognizers.openai_transcription import OpenAIRecognizer
from tests.sessions.chat_endpoint import ChatEndpoint, chat_endpoint
from tests.turn.voices import voice


async def test_an_utterance_is_sent_as_one_wav_and_comes_back_as_words() -> None:
    answer = {
        "task": "transcribe", "language": "english", "duration": 1.0, "text": " Hello there. ",
        "words": [{"word": "Hello", "start": 0.1, "end": 0.4}, {"word": "there", "start": 0.4, "end": 0.8}],
    }  # fmt: skip
    endpoint = ChatEndpoint(body=json.dumps(answer).encode())
    pcm = voice(1.0)
    async with chat_endpoint(endpoint) as client:
        stream = OpenAIRecognizer(client).open("en-GB")
        stream.push(pcm[:5000])
        stream.push(pcm[5000:])
        transcript = await stream.finish()
    assert transcript.text == "Hello there."
    assert [(word.word, word.start, word.end) for word in transcript.words] == [
        ("Hello", 0.1, 0.4),
        ("there", 0.4, 0.8),
    ]
    assert transcript.seconds == pytest.approx(1.0)
    (request,) = endpoint.requests
    body = request["body"]
    with wave.open(io.BytesIO(body[body.index(b"RIFF") :])) as sent:
        assert (sent.getframerate(), sent.getnchannels()) == (16_000, 1)
        np.testing.assert_array_equal(np.frombuffer(sent.readframes(len(pcm)), np.int16), pcm)
    assert re.search(rb'name="language"\r\n\r\nen\r\n', body)
    assert b"verbose_json" in body


async def test_models_without_word_times_are_asked_for_text_only() -> None:
    endpoint = ChatEndpoint(body=b'{"text": "Hello"}')
    async with chat_endpoint(endpoint) as client:
        stream = OpenAIRecognizer(client, model="gpt-4o-transcribe").open()
        stream.push(voice(0.2))
        transcript = await stream.finish()
    assert (transcript.text, transcript.words) == ("Hello", ())
    assert b"verbose_json" not in endpoint.requests[0]["body"]


async def test_nothing_pushed_is_not_sent() -> None:
    endpoint = ChatEndpoint()
    async with chat_endpoint(endpoint) as client:
        assert (await OpenAIRecognizer(client).open().finish()).text == ""
    assert endpoint.requests == []


async def test_an_abandoned_utterance_is_not_sent_and_has_no_partial_results() -> None:
    endpoint = ChatEndpoint()
    async with chat_endpoint(endpoint) as client:
        stream = OpenAIRecognizer(client).open()
        stream.push(voice(0.2))
        stream.abandon()
        assert await stream.partial() is None
    assert endpoint.requests == []


async def test_a_refusal_is_a_recognition_error() -> None:
    async with chat_endpoint(ChatEndpoint(status=400)) as client:
        stream = OpenAIRecognizer(client).open()
        stream.push(voice(0.2))
        with pytest.raises(RecognitionError, match="transcription endpoint failed"):
            await stream.finish()
