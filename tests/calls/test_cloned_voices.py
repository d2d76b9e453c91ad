from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.calls.client import RATE, realtime
from tests.calls.test_bad_clients import refused
from tests.live_server import LiveServer, live_server
from tests.server.test_voices import enrol

CLIP = Path("A_good") / "fscorsica-b_f_44100_10.0s.flac"


@pytest.fixture(scope="module")
def speaking_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """The real thing: the cloning engine and the recogniser."""
    folder = tmp_path_factory.mktemp("speaking")
    with live_server(folder, engine="clone", recognizer_workers=1) as server:
        yield server


@pytest.mark.clips
async def test_a_spoken_question_is_understood_and_answered_in_the_cloned_voice(
    speaking_server: LiveServer, clips: Path
) -> None:
    server = speaking_server
    key = server.sandbox_key()
    with server.client(key) as api:
        voice_id = enrol(api, (clips / CLIP).read_bytes())["id"]
        agent = api.post("/v1/agents", json={"name": "Ada", "voice_id": voice_id}).json()["id"]
        question = speech(api, "What is the weather like today?")
    async with realtime(server.url, key, model=agent) as client:
        wanted = {"type": "realtime", "audio": {"input": {"transcription": {"model": "whisper-1"}}}}
        await client.send("session.update", session=wanted)
        await client.until("session.updated")
        assert client.events[0]["session"]["audio"]["output"]["voice"] == voice_id
        quiet = np.zeros(RATE // 2, np.int16)
        await client.speak(np.concatenate((quiet, question, quiet, quiet)))
        done = await client.until("response.done")
        heard = client.all("conversation.item.input_audio_transcription.completed")[0]["transcript"]
        assert "weather" in heard
        assert done["response"]["output"][0]["content"][0]["transcript"] == f"You said: {heard}."
        assert len(client.audio()) / RATE > 1.0


@pytest.mark.clips
async def test_deleting_a_voice_spares_running_calls_and_refuses_new_ones(
    server: LiveServer, key: str, clips: Path
) -> None:
    with server.client(key) as api:
        voice_id = enrol(api, (clips / CLIP).read_bytes())["id"]
        agent = api.post("/v1/agents", json={"name": "Ada", "voice_id": voice_id}).json()["id"]
        async with realtime(server.url, key, model=agent) as client:
            assert api.delete(f"/v1/voice/clones/{voice_id}").status_code == 204
            await client.ask("hello")
            assert (await client.until("response.done"))["response"]["status"] == "completed"
        headers = {"authorization": f"Bearer {key}"}
        status, error = await refused(server.url, f"/v1/realtime?model={agent}", additional_headers=headers)
        assert (status, error["code"]) == (409, "voice_unavailable")
        changed = api.patch(f"/v1/agents/{agent}", json={"voice_fallback": "tone-low"})
        assert changed.status_code == 200, changed.text
    async with realtime(server.url, key, model=agent) as client:
        told = client.events[0]["session"]
        assert told["audio"]["output"]["voice"] == "tone-low"
        assert told["voice_fallback"]["requested"] == voice_id
        assert told["voice_fallback"]["used"] == "tone-low"


def speech(api: httpx.Client, text: str) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    """Said by a stock voice, at 24 kHz."""
    body = {"model": "tts-1", "voice": "alloy", "input": text, "response_format": "pcm"}
    answer = api.post("/v1/audio/speech", json=body)
    assert answer.status_code == 200, answer.text
    return np.frombuffer(answer.content, "<i2")
