from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import httpx
import pytest
import soundfile

from runtime.cli.reference import synthesise_reference
from tests.conformance.chat_endpoint import ChatEndpoint
from tests.live_server import LiveServer, live_server


@pytest.fixture(scope="session")
def chat() -> Iterator[ChatEndpoint]:
    with ChatEndpoint().serving() as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, chat: ChatEndpoint) -> Iterator[LiveServer]:
    """The whole server as it is shipped: the cloning engine, the recogniser, and a scripted chat model."""
    folder = tmp_path_factory.mktemp("conformance")
    with live_server(folder, engine="clone", recognizer_workers=1, openai_base_url=chat.url) as server:
        yield server


@pytest.fixture(scope="session")
def key(server: LiveServer) -> str:
    return server.sandbox_key()


@pytest.fixture(scope="session")
def say(server: LiveServer, key: str) -> Callable[[str], bytes]:
    """A caller's words as speech: s16le mono at 24 kHz, in a voice that is not the agent's."""

    @cache
    def speak(text: str) -> bytes:
        with server.client(key) as api:
            order = {"model": "tts-1", "voice": "onyx", "input": text, "response_format": "pcm"}
            answer = api.post("/v1/audio/speech", json=order)
            assert answer.status_code == 200, answer.text
            return answer.content

    return speak


@pytest.fixture(scope="session")
def cloned_voice(server: LiveServer, key: str) -> str:
    """A voice cloned from the recording that the demo makes of nobody: these tests need no clips."""
    samples, rate = synthesise_reference()
    recording = io.BytesIO()
    soundfile.write(recording, samples, rate, format="WAV", subtype="PCM_16")
    with server.client(key) as api:
        answer = api.post(
            "/v1/voice/clones",
            data={"name": "conformance"},
            files={"file": ("sample.wav", recording.getvalue(), "audio/wav")},
        )
        assert answer.status_code < 300, answer.text
        return _await_ready(api, str(answer.json()["id"]))


@pytest.fixture(scope="session")
def agent(server: LiveServer, key: str, cloned_voice: str) -> str:
    """An agent that speaks in the cloned voice and thinks with the scripted chat model."""
    with server.client(key) as api:
        body = {
            "name": "Keeper",
            "voice_id": cloned_voice,
            "persona_system_prompt": "Be kind.",
            "brain": "openai",
        }
        answer = api.post("/v1/agents", json=body)
        assert answer.status_code < 300, answer.text
        agent_id: str = answer.json()["id"]
        return agent_id


def _await_ready(api: httpx.Client, voice_id: str) -> str:
    give_up = time.monotonic() + 40
    while time.monotonic() < give_up:
        voice = api.get(f"/v1/voice/clones/{voice_id}").json()
        if voice["status"] == "ready":
            return voice_id
        assert voice["status"] != "failed", voice
        time.sleep(0.1)
    raise AssertionError(f"the voice was not ready in time: {voice}")


@pytest.fixture(scope="session")
def recordings(
    tmp_path_factory: pytest.TempPathFactory, say: Callable[[str], bytes]
) -> Callable[[str], Path]:
    """A caller's words as a raw PCM file, for clients that run in processes of their own."""
    folder = tmp_path_factory.mktemp("recordings")

    def write(text: str) -> Path:
        path = folder / f"{text.lower().replace(' ', '-')[:40]}.pcm"
        path.write_bytes(say(text))
        return path

    return write
