from __future__ import annotations

import asyncio
import base64
import io
import json
import time
import wave

import av
import httpx
import pytest

from tests.live_server import LiveServer
from tests.server.test_errors import problem

MAGIC = {
    "wav": b"RIFF",
    "mp3": b"ID3",
    "opus": b"OggS",
    "flac": b"fLaC",
    "aac": (b"\xff\xf1", b"ID3"),  # ADTS, perhaps behind a tag
}


def speak(api: httpx.Client, **fields: object) -> httpx.Response:
    return api.post("/v1/audio/speech", json={"input": "Hello in my own voice.", **fields})


def test_the_documented_request_gives_a_wav_that_tells_its_length(api: httpx.Client) -> None:
    answer = speak(api, voice="tone-low")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "audio/wav"
    with wave.open(io.BytesIO(answer.content)) as file:
        assert file.getframerate() == 24_000
        seconds = file.getnframes() / file.getframerate()
        assert len(file.readframes(10**9)) == 2 * file.getnframes()
    assert 0.8 < seconds < 6


@pytest.mark.parametrize("form", MAGIC)
def test_every_container_has_its_magic_and_decodes(api: httpx.Client, form: str) -> None:
    answer = speak(api, response_format=form)
    assert answer.status_code == 200
    assert answer.headers["x-pyai-format"] == form
    assert answer.content.startswith(MAGIC[form])
    with av.open(io.BytesIO(answer.content)) as container:
        rate = container.streams.audio[0].rate
        samples = sum(frame.samples for frame in container.decode(audio=0))
    reference = len(speak(api, response_format="pcm").content) / 2 / 24_000
    assert samples / rate == pytest.approx(reference, abs=0.15)


@pytest.mark.parametrize(("form", "content_type"), [("g711_ulaw", "audio/basic"), ("pcm", "audio/pcm")])
def test_headerless_formats_have_as_many_bytes_as_their_rate_says(
    api: httpx.Client, form: str, content_type: str
) -> None:
    answer = speak(api, response_format=form)
    pcm = speak(api, response_format="pcm").content
    seconds = len(pcm) / 2 / 24_000
    rate = 8_000 if form == "g711_ulaw" else 48_000
    assert answer.headers["content-type"] == content_type
    assert len(answer.content) == pytest.approx(seconds * rate, rel=0.02)


def test_the_engines_card_tells_how_soon_it_was_heard_of_late(api: httpx.Client) -> None:
    speak(api)
    card = api.get("/v1/engine").json()
    assert (card["name"], card["placeholder"]) == ("tone", True)
    first = card["first_audio"]
    assert first["utterances"] >= 1
    assert 0 < first["p50_ms"] <= first["p95_ms"] < 10_000
    assert first["measured_at"] / 1000 == pytest.approx(time.time(), abs=60)


def test_a_request_in_openais_form_gives_mp3(api: httpx.Client) -> None:
    assert speak(api, model="tts-1", voice="alloy").headers["content-type"] == "audio/mpeg"
    assert speak(api, model="pyai-voice").headers["content-type"] == "audio/wav"
    assert speak(api, model="tts-1", voice={"id": "tone-low"}).status_code == 200


def test_the_sample_rate_is_what_was_asked_for(api: httpx.Client) -> None:
    answer = speak(api, response_format="wav", sample_rate=16_000)
    with wave.open(io.BytesIO(answer.content)) as file:
        assert file.getframerate() == 16_000


def test_same_request_same_bytes(api: httpx.Client) -> None:
    assert speak(api, seed=7).content == speak(api, seed=7).content


def test_speed_changes_the_length(api: httpx.Client) -> None:
    slow, fast = (len(speak(api, response_format="pcm", speed=speed).content) for speed in (0.5, 2.0))
    assert slow == pytest.approx(4 * fast, rel=0.2)


def test_sse_carries_the_same_audio_and_ends_with_the_usage(api: httpx.Client) -> None:
    answer = speak(api, response_format="pcm", stream_format="sse")
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [json.loads(line[6:]) for line in answer.text.splitlines() if line]
    audio = b"".join(base64.b64decode(event["audio"]) for event in events[:-1])
    assert {event["type"] for event in events[:-1]} == {"speech.audio.delta"}
    assert audio == speak(api, response_format="pcm").content
    assert events[-1]["type"] == "speech.audio.done"
    usage = events[-1]["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


def test_long_speech_arrives_while_it_is_made(api: httpx.Client) -> None:
    body = {"input": "This goes on and on. " * 400, "response_format": "pcm"}
    pieces = 0
    with api.stream("POST", "/v1/audio/speech", json=body) as answer:
        assert "content-length" not in answer.headers
        for piece in answer.iter_raw():
            pieces += 1
            if pieces == 1:
                assert len(piece) < 48_000 * 60, "the first bytes came with everything else"
    assert pieces > 5


def test_hanging_up_stops_the_engine_and_leaves_the_server_quick(
    server: LiveServer, api: httpx.Client
) -> None:
    body = {"input": "This goes on and on. " * 300, "response_format": "pcm"}
    for _ in range(3):
        with api.stream("POST", "/v1/audio/speech", json=body) as answer:
            next(answer.iter_raw())
    started = time.monotonic()
    assert speak(api).status_code == 200
    assert time.monotonic() - started < 5.0
    assert "Traceback" not in server.log


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"input": ""}, "invalid_request", "input"),
        ({"input": "  \n\t "}, "invalid_request", "input"),
        ({"input": "x" * 1_000_000}, "text_too_long", "input"),
        ({"input": None}, "invalid_request", "input"),
        ({"input": 5}, "invalid_request", "input"),
        ({"response_format": "midi"}, "unsupported_format", "response_format"),
        ({"response_format": "g711_ulaw", "sample_rate": 16_000}, None, "sample_rate"),
        ({"sample_rate": 0}, "invalid_request", "sample_rate"),
        ({"sample_rate": 10**9}, "invalid_request", "sample_rate"),
        ({"speed": 0}, "invalid_request", "speed"),
        ({"speed": 1e9}, "invalid_request", "speed"),
        ({"seed": -1}, "invalid_request", "seed"),
        ({"stream_format": "smoke"}, "invalid_request", "stream_format"),
    ],
)
def test_a_request_that_cannot_be_is_400_and_names_the_field(
    api: httpx.Client, fields: dict[str, object], code: str | None, param: str
) -> None:
    answer = speak(api, **fields)
    assert answer.status_code == 400, answer.text
    error = problem(answer, 400, answer.json()["error"]["code"])
    assert error["param"] == param
    if code is not None:
        assert error["code"] == code


def test_text_that_is_no_utf8_is_400(api: httpx.Client) -> None:
    answer = api.post(
        "/v1/audio/speech", content=b'{"input": "\xff"}', headers={"content-type": "application/json"}
    )
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "text",
    [
        "Fine 👍🏽 thanks 🇨🇭!",
        "<b>bold</b> & <speak>markup</speak>",
        "bell \x07 and null \x00 and escape \x1b[31m",
        "Grüße aus Zürich, naïve façade",
        "Привет, как дела?",
        "你好,世界",
        "مرحبا بالعالم",
        "zero\u200bwidth \u202eoverride",
        "a" * 5_000,
        "\ud83d lone surrogate",
    ],
)
def test_odd_text_is_spoken_or_refused_but_never_breaks(api: httpx.Client, text: str) -> None:
    body = json.dumps({"input": text})
    answer = api.post("/v1/audio/speech", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (200, 400)
    if answer.status_code == 400:
        assert answer.json()["error"]["code"] in {"nothing_to_speak", "invalid_request"}


@pytest.mark.parametrize("text", ["...", "\x07\x07", "\u200b"])
def test_text_with_nothing_to_say_is_400(api: httpx.Client, text: str) -> None:
    problem(speak(api, input=text), 400, "nothing_to_speak")


@pytest.mark.parametrize("voice", ["voice_doesnotexist", "../../etc/passwd", "x" * 255, "é"])
def test_an_unknown_voice_is_404(api: httpx.Client, voice: str) -> None:
    problem(speak(api, voice=voice), 404, "voice_not_found")


def test_speech_needs_its_scope(server: LiveServer) -> None:
    with server.client(server.sandbox_key("voice:clone")) as client:
        answer = speak(client)
        assert answer.status_code == 403
        assert answer.json()["error"]["required_scope"] == "voice:synthesize"


def test_the_catalogue_lists_stock_voices_with_a_preview_that_plays(api: httpx.Client) -> None:
    voices = api.get("/v1/voices").json()["data"]
    assert {voice["voice_id"] for voice in voices} == {"tone-high", "tone-low"}
    preview = api.get(voices[0]["preview_url"])
    assert preview.headers["content-type"] == "audio/mpeg"
    assert api.get("/v1/voices/alloy").json()["voice_id"] in {"tone-high", "tone-low"}
    problem(api.get("/v1/voices/voice_x"), 404, "voice_not_found")


async def test_the_openai_sdk_speaks_and_streams(server: LiveServer) -> None:
    from openai import AsyncOpenAI, NotFoundError

    async with AsyncOpenAI(base_url=f"{server.url}/v1", api_key=server.sandbox_key()) as client:
        whole = await client.audio.speech.create(model="tts-1", voice="alloy", input="Hello")
        assert whole.content.startswith(b"ID3")
        async with client.audio.speech.with_streaming_response.create(
            model="gpt-4o-mini-tts", voice="nova", input="Hello again", response_format="pcm"
        ) as answer:
            assert sum([len(piece) async for piece in answer.iter_bytes()]) > 10_000
        assert [model.id async for model in client.models.list()][0] == "vivavoce"
        with pytest.raises(NotFoundError) as caught:
            await client.audio.speech.create(model="tts-1", voice="voice_x", input="Hello")
        assert caught.value.code == "voice_not_found"


def test_twenty_speak_at_once(server: LiveServer) -> None:
    async def all_of_them() -> set[bytes]:
        headers = {"authorization": f"Bearer {server.sandbox_key()}"}
        async with httpx.AsyncClient(base_url=server.url, headers=headers, timeout=30) as client:
            body = {"input": "Hello there everybody", "response_format": "pcm"}
            answers = await asyncio.gather(*(client.post("/v1/audio/speech", json=body) for _ in range(20)))
        return {answer.content for answer in answers}

    assert len(asyncio.run(all_of_them())) == 1
