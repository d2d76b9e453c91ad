"""A-43: a call that was recorded, listened to afterwards. The server recognises speech and is killed once."""

from __future__ import annotations

import asyncio
import io
import json
import time
import wave
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
import soxr
from numpy.typing import NDArray
from websockets.sync.client import connect

from tests.acceptance.test_omni import OmniCall, address, agent, call
from tests.live_server import LiveServer, live_server
from tests.recordings import Samples
from tests.webrtc_caller import webrtc_call

PACKET = 480
"""Samples: 20 ms at 24 kHz."""


@pytest.fixture(scope="module")
def listening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with live_server(tmp_path_factory.mktemp("listening"), recognizer_workers=1) as server:
        yield server


@pytest.fixture
def key(listening: LiveServer) -> str:
    return listening.sandbox_key()


@pytest.fixture
def api(listening: LiveServer, key: str) -> Iterator[httpx.Client]:
    with listening.client(key) as client:
        yield client


def speak(omni: OmniCall, pcm: NDArray[np.int16]) -> None:
    """Send audio as fast as it is spoken, and read what comes meanwhile."""
    began = time.monotonic()
    for number, at in enumerate(range(0, len(pcm), PACKET)):
        omni.socket.send(b"\x01" + pcm[at : at + PACKET].astype("<i2").tobytes())
        time.sleep(max(0.0, began + number * PACKET / 24_000 - time.monotonic()))


def kept_call(api: httpx.Client, *, patience: float = 15.0) -> dict[str, Any]:
    give_up = time.monotonic() + patience
    while time.monotonic() < give_up:
        if listed := api.get("/v1/omni/calls").json()["data"]:
            found: dict[str, Any] = listed[0]
            return found
        time.sleep(0.05)
    raise AssertionError("the call was never written down")


def recording(api: httpx.Client, call_id: str) -> tuple[int, NDArray[np.int16]]:
    """Its rate and its samples, shape ``(n, 2)``, by the redirect that needs no key."""
    leads = api.get(f"/v1/omni/calls/{call_id}/recording")
    assert leads.status_code == 302
    answer = httpx.get(leads.headers["location"])
    assert (answer.status_code, answer.headers["content-type"]) == (200, "audio/wav")
    with wave.open(io.BytesIO(answer.content)) as wav:
        assert wav.getnchannels() == 2
        sound = np.frombuffer(wav.readframes(wav.getnframes()), "<i2").reshape(-1, 2)
        return wav.getframerate(), sound


def loud(track: NDArray[np.int16], rate: int, begin_ms: float, end_ms: float) -> float:
    """RMS of a stretch."""
    piece = track[int(begin_ms * rate / 1000) : int(end_ms * rate / 1000)].astype(float)
    return float(np.sqrt(np.mean(piece**2)))


def test_a43_turns_have_times_and_both_sides_are_on_the_recording(
    listening: LiveServer, api: httpx.Client, key: str, speech: tuple[Samples, int]
) -> None:
    samples, rate = speech
    pcm = (soxr.resample(samples[: 4 * rate], rate, 24_000) * 32_767).astype(np.int16)
    spoken = np.concatenate([pcm, np.zeros(2 * 24_000, np.int16)])
    label = agent(api, recordings_enabled=True, consent_line="This call is taped.", greeting="Speak.")
    with call(listening, key, session_label=label) as omni:
        omni.until("assistant")
        time.sleep(1.0)
        speak(omni, spoken)
        omni.until("assistant")
        time.sleep(1.0)
        omni.send(type="session_ending")
        omni.until("session_end")
    kept = kept_call(api)
    turns = api.get(f"/v1/omni/calls/{kept['id']}/transcript").json()["turns"]
    assert turns[0]["text"] == "This call is taped. Speak."
    assert [turn["role"] for turn in turns][:2] == ["assistant", "user"]
    assert all(turn["start_ms"] < turn["end_ms"] for turn in turns)
    starts = [turn["start_ms"] for turn in turns]
    assert starts == sorted(starts)
    assert turns[0]["text_heard"] == turns[0]["text_generated"] == turns[0]["text"]
    words = turns[0]["words"]
    assert [one["word"] for one in words] == turns[0]["text"].split()
    assert turns[0]["start_ms"] <= words[0]["start_ms"] < words[-1]["end_ms"] <= turns[0]["end_ms"] + 20

    assert kept["recording"]["duration_seconds"] == pytest.approx(kept["duration_seconds"], abs=0.2)
    hertz, sound = recording(api, kept["id"])
    assert len(sound) / hertz == pytest.approx(kept["duration_seconds"], abs=0.2)
    caller, voice = sound[:, 0], sound[:, 1]
    greeting, said = turns[0], turns[1]
    assert loud(voice, hertz, greeting["start_ms"], greeting["end_ms"]) > 500
    assert loud(caller, hertz, greeting["start_ms"], greeting["end_ms"]) < 5
    assert loud(caller, hertz, said["start_ms"], said["end_ms"]) > 500
    assert loud(voice, hertz, said["start_ms"], said["end_ms"] - 300) < 5

    told = api.get(f"/v1/omni/calls/{kept['id']}/recording", params={"response": "url"}).json()
    part = httpx.get(told["url"], headers={"range": "bytes=0-3"})
    assert (part.status_code, part.content) == (206, b"RIFF")
    assert httpx.get(told["url"][:-2] + "xx").status_code == 404

    assert api.delete(f"/v1/omni/calls/{kept['id']}/recording").status_code == 204
    assert api.get(f"/v1/omni/calls/{kept['id']}/recording").status_code == 404
    assert httpx.get(told["url"]).status_code == 404
    assert api.get(f"/v1/omni/calls/{kept['id']}").json()["recording"] is None
    assert not list((listening.folder / "data" / "recordings").iterdir())


def test_nothing_is_recorded_unless_the_agent_says_so(
    listening: LiveServer, api: httpx.Client, key: str
) -> None:
    with call(listening, key, session_label=agent(api)) as omni:
        omni.until("assistant")
        omni.send(type="session_ending")
        omni.until("session_end")
    kept = kept_call(api)
    assert kept["recording"] is None
    assert api.get(f"/v1/omni/calls/{kept['id']}/recording").status_code == 404


def test_callers_are_told_even_if_no_line_was_written(
    listening: LiveServer, api: httpx.Client, key: str
) -> None:
    with call(listening, key, session_label=agent(api, recordings_enabled=True, greeting=None)) as omni:
        assert omni.until("assistant")["text"] == "This call is recorded."


def test_a_recording_survives_a_server_that_is_killed(
    listening: LiveServer, api: httpx.Client, key: str
) -> None:
    label = agent(api, recordings_enabled=True, greeting="Hold the line, please, for a good while.")
    headers = {"authorization": f"Bearer {key}"}
    socket = connect(address(listening, session_label=label), additional_headers=headers)
    OmniCall(socket).until("assistant")
    time.sleep(5.0)
    listening.kill()
    socket.close()
    listening.start()
    with listening.client(key) as again:
        kept = kept_call(again)
        hertz, sound = recording(again, kept["id"])
        assert kept["session_label"] == label
        assert len(sound) / hertz == pytest.approx(kept["duration_seconds"], abs=0.05)
        assert len(sound) / hertz > 2.0
        assert loud(sound[:, 1], hertz, 0, 2_000) > 500
    assert not list((listening.folder / "data" / "recordings").iterdir())


def test_the_recording_of_somebody_else_is_none(listening: LiveServer, api: httpx.Client) -> None:
    with listening.client(listening.sandbox_key()) as stranger:
        for call_id in ("sess_nobody", *(row["id"] for row in api.get("/v1/omni/calls").json()["data"])):
            answer = stranger.get(f"/v1/omni/calls/{call_id}/recording")
            assert answer.status_code == 404
            assert json.loads(answer.text)["error"]["code"] == "not_found"


async def hummed(server: LiveServer, key: str, label: str) -> None:
    """A call over WebRTC in which the caller, once spoken to, hums a second of 440 Hz."""
    headers = {"authorization": f"Bearer {key}"}
    tone = (np.sin(np.arange(48_000) * (2 * np.pi * 440 / 48_000)) * 8_000).astype(np.int16)
    async with (
        httpx.AsyncClient(base_url=server.url, headers=headers, timeout=30) as calling,
        webrtc_call(calling, model=label) as caller,
    ):
        await caller.hear("output_audio_buffer.stopped")
        caller.microphone.say(tone)
        await asyncio.sleep(1.5)
        await calling.post(f"{caller.location}/hangup")


def test_a_call_over_webrtc_is_recorded_with_both_sides(
    listening: LiveServer, api: httpx.Client, key: str
) -> None:
    label = agent(api, recordings_enabled=True, consent_line="This call is taped.", greeting="Hello there.")
    asyncio.run(hummed(listening, key, label))
    kept = kept_call(api)
    hertz, sound = recording(api, kept["id"])
    assert len(sound) / hertz == pytest.approx(kept["duration_seconds"], abs=0.2)
    turns = api.get(f"/v1/omni/calls/{kept['id']}/transcript").json()["turns"]
    assert turns[0]["text"] == "This call is taped. Hello there."
    assert loud(sound[:, 1], hertz, turns[0]["start_ms"] + 100, turns[0]["end_ms"] - 100) > 500
    left = sound[:, 0].astype(float)
    heard = left[np.flatnonzero(np.abs(left) > 3_000)[0] :][: hertz // 2]
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
    assert np.argmax(spectrum) * hertz / len(heard) == pytest.approx(440, abs=4)
