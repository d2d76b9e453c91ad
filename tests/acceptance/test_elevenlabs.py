"""ElevenLabs' HTTP addresses, and one voice through all dialects (B-09)."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.acceptance.test_pyai import enrol
from tests.live_server import LiveServer
from tests.recordings import Samples, telephone

TEXT = "Hello there, my friend!"


@pytest.fixture
def eleven(server: LiveServer, key: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, headers={"xi-api-key": key}, timeout=30) as client:
        yield client


@pytest.mark.parametrize(
    ("output_format", "content_type", "magic"),
    [
        ("mp3_44100_128", "audio/mpeg", b"ID3"),
        ("pcm_16000", "audio/pcm", b""),
        ("ulaw_8000", "audio/basic", b""),
        ("opus_48000_64", "audio/ogg", b"OggS"),
    ],
)
@pytest.mark.parametrize("tail", ["", "/stream"])
def test_speech(eleven: httpx.Client, output_format: str, content_type: str, magic: bytes, tail: str) -> None:
    answer = eleven.post(
        f"/v1/text-to-speech/tone-low{tail}",
        params={"output_format": output_format},
        json={"text": TEXT, "model_id": "eleven_turbo_v2_5", "voice_settings": {"stability": 0.5}},
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == content_type
    assert answer.content.startswith(magic)
    assert len(answer.content) > 2_000


def test_the_default_is_mp3(eleven: httpx.Client) -> None:
    answer = eleven.post("/v1/text-to-speech/tone-low", json={"text": TEXT})
    assert answer.headers["content-type"] == "audio/mpeg"


def test_every_character_has_its_time_once_and_in_order(eleven: httpx.Client) -> None:
    body = {"text": TEXT}
    params = {"output_format": "pcm_24000"}
    whole = eleven.post("/v1/text-to-speech/tone-low/with-timestamps", params=params, json=body).json()
    alignment = whole["alignment"]
    assert "".join(alignment["characters"]) == TEXT
    starts = alignment["character_start_times_seconds"]
    ends = alignment["character_end_times_seconds"]
    assert starts == sorted(starts)
    assert all(start <= end for start, end in zip(starts, ends, strict=True))
    audio = base64.b64decode(whole["audio_base64"])
    assert ends[-1] == pytest.approx(len(audio) / 2 / 24_000, abs=0.01)

    streamed = eleven.post("/v1/text-to-speech/tone-low/stream/with-timestamps", params=params, json=body)
    lines = [json.loads(line) for line in streamed.text.splitlines()]
    assert b"".join(base64.b64decode(line["audio_base64"]) for line in lines) == audio
    characters = [c for line in lines if line["alignment"] for c in line["alignment"]["characters"]]
    assert "".join(characters) == TEXT


def test_the_address_that_two_products_share(eleven: httpx.Client, api: httpx.Client) -> None:
    voices = eleven.get("/v1/voices").json()["voices"]
    assert {voice["voice_id"] for voice in voices} == {"tone-high", "tone-low"}
    assert {voice["category"] for voice in voices} == {"premade"}
    assert api.get("/v1/voices").json()["object"] == "list"
    assert eleven.get("/v1/models").json()[0]["model_id"]
    assert api.get("/v1/models").json()["object"] == "list"
    assert eleven.get("/v1/user").json()["subscription"]["tier"]


def test_a_voice_is_added_spoken_and_deleted(
    eleven: httpx.Client, good: bytes, speech: tuple[Samples, int]
) -> None:
    files = [("files", ("a.wav", good, "audio/wav")), ("files", ("b.wav", good, "audio/wav"))]
    answer = eleven.post("/v1/voices/add", data={"name": "Ava", "labels": '{"accent": "x"}'}, files=files)
    assert answer.status_code == 200, answer.text
    voice_id = answer.json()["voice_id"]
    assert answer.json()["requires_verification"] is False
    assert eleven.get(f"/v1/voices/{voice_id}").json()["category"] == "cloned"
    assert eleven.post(f"/v1/text-to-speech/{voice_id}", json={"text": "Hi"}).status_code == 200
    assert eleven.delete(f"/v1/voices/{voice_id}").json() == {"status": "ok"}
    assert eleven.get(f"/v1/voices/{voice_id}").status_code == 404
    refused = eleven.post(
        "/v1/voices/add", data={"name": "x"}, files={"files": ("a.wav", telephone(*speech), "audio/wav")}
    )
    assert refused.status_code == 400
    assert refused.json()["detail"]["reasons"][0]["code"] == "insufficient_bandwidth"


def test_errors_in_its_own_shape(server: LiveServer, eleven: httpx.Client, key: str) -> None:
    nobody = httpx.post(f"{server.url}/v1/text-to-speech/tone-low", json={"text": TEXT})
    assert nobody.status_code == 401
    assert nobody.json()["detail"]["status"] == "invalid_api_key"
    missing = eleven.post("/v1/text-to-speech/voice_x", json={"text": TEXT})
    assert (missing.status_code, missing.json()["detail"]["status"]) == (404, "voice_not_found")
    invalid = eleven.post("/v1/text-to-speech/tone-low", json={})
    assert (invalid.status_code, invalid.json()["detail"][0]["loc"]) == (422, ["body", "text"])
    odd = eleven.post("/v1/text-to-speech/tone-low?output_format=midi_1", json={"text": TEXT})
    assert (odd.status_code, odd.json()["detail"]["status"]) == (400, "output_format_not_allowed")


def test_b09_one_clip_through_every_dialect_is_judged_alike_and_speaks_everywhere(
    api: httpx.Client, core: httpx.Client, eleven: httpx.Client, good: bytes
) -> None:
    audio = base64.b64encode(good).decode()
    form = {"workspaceId": "1", "voiceProvider": "x", "voiceName": "Ava"}
    truedy = api.post(
        "/api/public/v1/voices/clone", json={"name": "Ava", "files": [{"filename": "a", "data": audio}]}
    )
    voices = [
        enrol(api, good)["id"],
        truedy.json()["data"]["id"],
        api.post("/api/voices/clone", data=form, files={"files": good}).json()["voiceId"],
        core.post("/voice/clone", json={"name": "Ava", "audio_base64": audio}).json()["voice_id"],
        eleven.post("/v1/voices/add", data={"name": "Ava"}, files={"files": good}).json()["voice_id"],
    ]
    while api.get(f"/api/public/v1/voices/{voices[1]}").json()["data"]["status"] == "training":
        pass
    reports: list[dict[str, Any]] = [api.get(f"/v1/voice/clones/{v}/report").json() for v in voices]
    assert len({report["clip_sha256"] for report in reports}) == 1
    assert {report["verdict"] for report in reports} == {"accepted"}
    bandwidths = {report["metrics"]["effective_bandwidth_hz"]["value"] for report in reports}
    assert len(bandwidths) == 1
    for voice in voices:
        assert api.post("/v1/audio/speech", json={"input": "Hi", "voice": voice}).status_code == 200
        assert eleven.post(f"/v1/text-to-speech/{voice}", json={"text": "Hi"}).status_code == 200
        assert api.get(f"/api/public/v1/voices/{voice}").status_code == 200
    listed = {row["voice_id"] for row in core.get("/voice/library").json()["voices"]}
    assert set(voices) <= listed
