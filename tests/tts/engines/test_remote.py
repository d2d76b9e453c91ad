"""Remote engines against servers on loopback: what they ask, what they yield, how they fail."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from websockets.asyncio.server import ServerConnection, serve

from runtime.clock import SystemClock
from runtime.errors import EngineUnavailable, SynthesisFailed
from tests.tts.inline import drained
from tts.engine import Conditioning, PcmBlock, SpeechRequest
from tts.engines.alignment import AlignedWords
from tts.engines.breaker import CircuitBreaker
from tts.engines.elevenlabs import ElevenLabsEngine
from tts.engines.openai_speech import OpenAISpeechEngine
from tts.engines.remote import Patience, PcmJoiner
from tts.engines.tone import ToneSynthesizer

PATIENCE = Patience(connect=1.0, first_audio=0.3, stall=0.3, retries=2, backoff=0.01)
PCM = np.arange(-6000, 6000, dtype="<i2")


class SpeechServer:
    """Speaks OpenAI's API; what it does with each request is a list of tricks."""

    def __init__(self) -> None:
        self.orders: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.tricks: list[str] = []
        self.url = ""

    async def speech(self, request: Request) -> Response:
        self.orders.append(await request.json())
        self.keys.append(request.headers.get("authorization", ""))
        trick = self.tricks.pop(0) if self.tricks else "speak"
        if trick.isdecimal():
            return JSONResponse(
                {"error": {"message": "no"}}, status_code=int(trick), headers={"Retry-After": "0"}
            )
        return StreamingResponse(self._audio(trick), media_type="audio/pcm")

    async def _audio(self, trick: str) -> AsyncIterator[bytes]:
        data = PCM.tobytes()
        if trick == "silent":
            await asyncio.sleep(30)
        if trick == "wav":
            data = b"RIFF" + data
        for at in range(0, len(data), 4801):
            yield data[at : at + 4801]
            if trick == "stall":
                await asyncio.sleep(30)
            if trick == "break":
                raise RuntimeError("the server broke")
            await asyncio.sleep(0)


@asynccontextmanager
async def listening(app: Starlette) -> AsyncIterator[str]:
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical", lifespan="off", ws="none")
    )
    server.install_signal_handlers = lambda: None  # type: ignore[method-assign,attr-defined]
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}/v1"
    server.force_exit = True
    server.should_exit = True
    await task


@pytest.fixture
async def server() -> AsyncIterator[SpeechServer]:
    server = SpeechServer()
    app = Starlette(routes=[Route("/v1/audio/speech", server.speech, methods=["POST"])])
    async with listening(app) as url:
        server.url = url
        yield server


@pytest.fixture
async def engine(server: SpeechServer) -> AsyncIterator[OpenAISpeechEngine]:
    engine = OpenAISpeechEngine(
        base_url=server.url,
        model="tts-9",
        api_key="secret",
        clock=SystemClock(),
        patience=PATIENCE,
        breaker=CircuitBreaker(failures=4, pause=30.0),
    )
    yield engine
    await engine.close()


def joined(blocks: list[PcmBlock]) -> np.ndarray:
    return np.concatenate([block.samples for block in blocks])


async def spoken(engine: OpenAISpeechEngine | ElevenLabsEngine, text: str = "Hello there.") -> list[PcmBlock]:
    return await drained(engine.speak(SpeechRequest(text, engine.voice("nova"), speed=1.1)))


async def test_it_asks_as_openai_clients_do_and_yields_what_comes(
    server: SpeechServer, engine: OpenAISpeechEngine
) -> None:
    blocks = await spoken(engine)
    assert np.array_equal(joined(blocks), PCM)
    assert len(blocks[0].samples) < len(blocks[1].samples)
    assert server.keys == ["Bearer secret"]
    assert server.orders == [
        {"model": "tts-9", "input": "Hello there.", "voice": "nova", "response_format": "pcm", "speed": 1.1}
    ]
    assert engine.info.version == "tts-9"


@pytest.mark.parametrize("trouble", ["500", "429", "silent"])
async def test_trouble_before_the_first_sound_is_tried_again(
    server: SpeechServer, engine: OpenAISpeechEngine, trouble: str
) -> None:
    server.tricks = [trouble, "speak"]
    assert np.array_equal(joined(await spoken(engine)), PCM)
    assert len(server.orders) == 2


@pytest.mark.parametrize("trouble", ["stall", "break"])
async def test_a_sentence_that_broke_off_is_not_begun_again(
    server: SpeechServer, engine: OpenAISpeechEngine, trouble: str
) -> None:
    server.tricks = [trouble]
    blocks = engine.speak(SpeechRequest("Hello.", engine.voice("nova")))
    await anext(blocks)
    with pytest.raises(SynthesisFailed):
        await drained(blocks)
    assert len(server.orders) == 1


@pytest.mark.parametrize(
    ("trick", "error", "tries"),
    [
        ("401", EngineUnavailable, 1),
        ("404", EngineUnavailable, 1),
        ("400", SynthesisFailed, 1),
        ("wav", SynthesisFailed, 1),
        ("503", SynthesisFailed, 3),
    ],
)
async def test_failures(
    server: SpeechServer, engine: OpenAISpeechEngine, trick: str, error: type[Exception], tries: int
) -> None:
    server.tricks = [trick] * 3
    with pytest.raises(error):
        await spoken(engine)
    assert len(server.orders) == tries


async def test_a_server_that_keeps_failing_is_left_alone(
    server: SpeechServer, engine: OpenAISpeechEngine
) -> None:
    server.tricks = ["500"] * 10
    with pytest.raises(SynthesisFailed):
        await spoken(engine)
    with pytest.raises(EngineUnavailable, match="failed repeatedly"):
        await spoken(engine)
    asked = len(server.orders)
    assert asked == 4
    with pytest.raises(EngineUnavailable, match="failed repeatedly"):
        await spoken(engine)
    assert len(server.orders) == asked


async def test_closing_the_iterator_hangs_up(server: SpeechServer, engine: OpenAISpeechEngine) -> None:
    async with aclosing(engine.speak(SpeechRequest("Hi.", engine.voice("nova")))) as blocks:
        await anext(blocks)
    assert np.array_equal(joined(await spoken(engine)), PCM)


async def test_nobody_listens() -> None:
    engine = OpenAISpeechEngine(
        base_url="http://127.0.0.1:9/v1", model="m", clock=SystemClock(), patience=PATIENCE
    )
    with pytest.raises(SynthesisFailed, match="cannot be reached"):
        await spoken(engine)
    await engine.close()


async def test_another_engines_voice_is_refused(engine: OpenAISpeechEngine) -> None:
    tone: Conditioning = ToneSynthesizer().stock()[0].conditioning
    with pytest.raises(SynthesisFailed, match="made for the engine tone"):
        await engine.warm(tone)
    with pytest.raises(SynthesisFailed, match="made for the engine tone"):
        await drained(engine.speak(SpeechRequest("Hi.", tone)))


# ElevenLabs


class StreamInput:
    """Speaks ElevenLabs' stream-input protocol: 60 ms a character, in messages of some characters."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.keys: list[str] = []
        self.messages: list[dict[str, Any]] = []
        self.trick = ""
        self.url = ""

    async def speak(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        self.paths.append(socket.request.path)
        self.keys.append(socket.request.headers["xi-api-key"])
        if self.trick == "policy":
            await socket.close(1008, "quota_exceeded")
            return
        text = ""
        async for message in socket:
            order = json.loads(message)
            self.messages.append(order)
            if order["text"] == "":
                break
            text += order["text"]
        if self.trick == "garbage":
            await socket.send("not json")
            return
        if self.trick == "error":
            await socket.send(json.dumps({"error": "invalid_voice", "message": "no such voice"}))
            return
        for at in range(0, len(text), 7):
            part = text[at : at + 7]
            await socket.send(
                json.dumps(
                    {
                        "audio": base64.b64encode(b"\x01\x02" * 1440 * len(part)).decode(),
                        "alignment": {
                            "chars": list(part),
                            "charStartTimesMs": [60 * n for n in range(len(part))],
                            "charDurationsMs": [60] * len(part),
                        },
                        "isFinal": None,
                    }
                )
            )
        await socket.send(json.dumps({"audio": None, "isFinal": True}))


@pytest.fixture
async def stream_input() -> AsyncIterator[StreamInput]:
    double = StreamInput()
    async with serve(double.speak, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        double.url = f"ws://127.0.0.1:{port}"
        yield double


def elevenlabs(double: StreamInput) -> ElevenLabsEngine:
    return ElevenLabsEngine(
        api_key="xi", clock=SystemClock(), base_url=double.url, patience=replace(PATIENCE, retries=0)
    )


async def test_elevenlabs_words_have_times_and_spans(stream_input: StreamInput) -> None:
    text = "Hello big world, and on."
    engine = elevenlabs(stream_input)
    blocks = await spoken(engine, text)
    words = [word for block in blocks for word in block.words]
    assert [word.word for word in words] == text.split()
    assert [text[slice(*word.source)] for word in words] == text.split()
    # One space comes before the text, and every character is 60 ms.
    for word in words:
        assert word.start == pytest.approx((1 + word.source[0]) * 0.06)
        assert word.end == pytest.approx((1 + word.source[1]) * 0.06)
    assert sum(len(block.samples) for block in blocks) == 1440 * (len(text) + 2)


async def test_elevenlabs_is_asked_as_documented(stream_input: StreamInput) -> None:
    await spoken(elevenlabs(stream_input), "Hi there.")
    (path,) = stream_input.paths
    assert path.startswith(
        "/v1/text-to-speech/nova/stream-input?model_id=eleven_flash_v2_5&output_format=pcm_24000"
    )
    assert stream_input.keys == ["xi"]
    assert [message["text"] for message in stream_input.messages] == [" ", "Hi there. ", ""]
    assert stream_input.messages[0]["voice_settings"] == {"speed": 1.1}


@pytest.mark.parametrize(
    ("trick", "error", "told"),
    [
        ("policy", EngineUnavailable, "quota_exceeded"),
        ("garbage", SynthesisFailed, "not JSON"),
        ("error", SynthesisFailed, "no such voice"),
    ],
)
async def test_elevenlabs_failures(
    stream_input: StreamInput, trick: str, error: type[Exception], told: str
) -> None:
    stream_input.trick = trick
    with pytest.raises(error, match=told):
        await spoken(elevenlabs(stream_input))


async def test_elevenlabs_is_not_there() -> None:
    engine = ElevenLabsEngine(
        api_key="xi", clock=SystemClock(), base_url="ws://127.0.0.1:9", patience=PATIENCE
    )
    with pytest.raises(SynthesisFailed, match="cannot be reached"):
        await spoken(engine)


# Pieces


@given(st.binary(max_size=4000), st.lists(st.integers(0, 900), max_size=12))
def test_any_cutting_of_the_bytes_gives_the_same_samples(data: bytes, cuts: list[int]) -> None:
    def cut(sizes: list[int]) -> list[list[int]]:
        joiner, rest, blocks = PcmJoiner(rate=1000), data, []
        for size in sizes:
            blocks += joiner.push(rest[:size])
            rest = rest[size:]
        return [block.tolist() for block in blocks + joiner.push(rest) + joiner.flush()]

    assert cut(cuts) == cut([])
    whole = np.frombuffer(data[: len(data) // 2 * 2], "<i2").tolist()
    assert [sample for block in cut(cuts) for sample in block] == whole


def test_words_that_come_back_changed_are_placed_in_order() -> None:
    words = AlignedWords("Pay 5 now")
    characters = "Pay five now"
    words.push(list(characters), [float(n) for n in range(len(characters))], [1.0] * len(characters))
    words.finish()
    assert [(word.word, word.source) for word in words.take(before=100.0)] == [
        ("Pay", (0, 3)),
        ("five", (4, 5)),
        ("now", (6, 9)),
    ]
