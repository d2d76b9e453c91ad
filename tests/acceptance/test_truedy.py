"""A-11 … A-13, A-15."""

from __future__ import annotations

import base64
import re
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.far_end import elevenlabs
from tests.live_server import LiveServer, live_server
from tests.recordings import Samples, mp3, telephone

PREFIX = "/api/public/v1"
CLONE = f"{PREFIX}/voices/clone"
REQUIRED = {"id", "name", "provider", "type", "language", "status", "created_at", "updated_at"}
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(500)).decode()


@pytest.fixture(scope="session")
def m(speech: tuple[Samples, int]) -> str:
    return base64.b64encode(mp3(*speech)).decode()


def clone(api: httpx.Client, *data: str, **fields: object) -> httpx.Response:
    files = [{"filename": f"{number}.mp3", "data": one} for number, one in enumerate(data)]
    return api.post(CLONE, json={"name": "My Custom Voice", "files": files} | fields)


def settled(api: httpx.Client, voice_id: str) -> dict[str, Any]:
    for _ in range(600):
        voice: dict[str, Any] = api.get(f"/api/public/v1/voices/{voice_id}").json()["data"]
        assert voice["status"] in {"training", "active", "failed"}
        if voice["status"] != "training":
            return voice
        time.sleep(0.05)
    raise AssertionError("training for ever")


def test_a11_a_clone_in_its_envelope(api: httpx.Client, m: str) -> None:
    answer = clone(api, m)
    assert answer.status_code == 201, answer.text
    data, meta = answer.json()["data"], answer.json()["meta"]
    assert data.keys() >= REQUIRED
    assert data["status"] == "training"
    assert data["type"] == "custom"
    for moment in (meta["ts"], data["created_at"], data["updated_at"]):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", moment)
    assert meta["request_id"].startswith("req_")
    assert settled(api, data["id"])["status"] == "active"
    listed = api.get("/api/public/v1/voices").json()
    assert [voice["id"] for voice in listed["data"]] == [data["id"]]
    assert listed["pagination"]["has_more"] is False
    assert api.get(data["preview_url"]).headers["content-type"] == "audio/mpeg"


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({"files": [{"filename": "a", "data": PNG}]}, ["body", "name"]),
        ({"name": "x" * 101, "files": [{"filename": "a", "data": PNG}]}, ["body", "name"]),
        ({"name": "", "files": [{"filename": "a", "data": PNG}]}, ["body", "name"]),
        ({"name": "x", "files": []}, ["body", "files"]),
        ({"name": "x"}, ["body", "files"]),
        ({"name": "x", "files": [{"filename": "a"}]}, ["body", "files", 0, "data"]),
        ({"name": "x", "files": "a"}, ["body", "files"]),
    ],
)
def test_a11_fields_that_cannot_be_are_422_in_the_other_shape(
    api: httpx.Client, body: dict[str, object], loc: list[object]
) -> None:
    answer = api.post(CLONE, json=body)
    assert answer.status_code == 422
    [problem] = answer.json()["detail"]
    assert problem["loc"] == loc
    assert problem["msg"]
    assert problem["type"]


@pytest.mark.parametrize("data", ["//NExAAqQIf... (base64-encoded audio)", PNG, "", "A"])
def test_a11_what_is_no_audio_is_400(api: httpx.Client, data: str) -> None:
    answer = clone(api, data)
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["code"] == "invalid_audio"
    assert error["message"]
    assert error["details"]["file"] == "0.mp3"
    assert api.get("/v1/credits").json()["balance"] == 100_000


def test_every_spelling_of_base64_is_read(api: httpx.Client, m: str) -> None:
    url_safe = m.replace("+", "-").replace("/", "_").rstrip("=")
    spaced = "\n".join(m[at : at + 76] for at in range(0, len(m), 76))
    for spelling in (url_safe, spaced, f"data:audio/mpeg;base64,{m}"):
        assert clone(api, spelling).status_code == 201


def test_a12_one_good_file_of_three_is_enough(api: httpx.Client, m: str, speech: tuple[Samples, int]) -> None:
    phone = base64.b64encode(telephone(*speech)).decode()
    answer = clone(api, PNG, phone, m)
    assert answer.status_code == 201, answer.text
    voice = settled(api, answer.json()["data"]["id"])
    assert voice["status"] == "active"
    report = api.get(f"/v1/voice/clones/{voice['id']}/report").json()
    assert report["window"]["file"] == 2


def test_a13_too_few_credits(server: LiveServer, m: str, speech: tuple[Samples, int]) -> None:
    poor = httpx.post(f"{server.url}/v1/sandbox/keys", json={"credits": 50}).json()["api_key"]
    with server.client(poor) as client:
        answer = clone(client, m)
        assert answer.status_code == 402
        error = answer.json()["error"]
        assert error["code"] == "insufficient_credits"
        assert error["message"] == "Insufficient credits for voice cloning"
        assert error["details"] == {"required_credits": 100, "current_balance": 50}
        assert client.get("/v1/credits").json()["balance"] == 50
    enough = httpx.post(f"{server.url}/v1/sandbox/keys", json={"credits": 100}).json()["api_key"]
    with server.client(enough) as client:
        phone = clone(client, base64.b64encode(telephone(*speech)).decode())
        voice = settled(client, phone.json()["data"]["id"])
        assert voice["status"] == "failed"
        assert voice["failure"]["code"] == "insufficient_bandwidth"
        assert client.get("/v1/credits").json()["balance"] == 100


def test_a15_idempotency(api: httpx.Client, m: str) -> None:
    body = {"name": "Once", "files": [{"filename": "m.mp3", "data": m}]}
    headers = {"idempotency-key": "k1"}
    one, two = (api.post(CLONE, json=body, headers=headers) for _ in range(2))
    assert one.json()["data"]["id"] == two.json()["data"]["id"]
    assert api.get("/v1/credits").json()["balance"] == 100_000 - 100
    other = api.post(CLONE, json=body | {"name": "Twice"}, headers=headers)
    assert (other.status_code, other.json()["error"]["code"]) == (409, "idempotency_conflict")


def test_errors_in_its_own_shape(server: LiveServer, api: httpx.Client, key: str) -> None:
    assert httpx.get(f"{server.url}/api/public/v1/voices", headers={"x-api-key": key}).json()["error"] == {
        "code": "unauthorized",
        "message": "Missing or invalid API key.",
        "details": None,
    }
    missing = api.get("/api/public/v1/voices/voice_x")
    assert missing.status_code == 404
    assert missing.json()["error"]["details"] == {"resource": "voice", "id": "voice_x"}
    assert api.get("/api/public/v1/nothing").json()["error"]["code"] == "not_found"
    broken = api.post(CLONE, content=b"{nope", headers={"content-type": "application/json"})
    assert broken.status_code == 422
    assert broken.json()["detail"][0]["type"] == "json_invalid"


def test_a_voice_of_a_connected_account_is_referred_to_and_heard(tmp_path: Path) -> None:
    with elevenlabs() as far_end, live_server(tmp_path, elevenlabs_base_url=far_end.url) as server:
        key = server.sandbox_key()
        wanted = {"name": "Far", "provider": "elevenlabs", "provider_voice_id": "abc"}
        with server.client(key) as api:
            unconnected = api.post(f"{PREFIX}/voices", json=wanted)
            assert unconnected.status_code == 422
            assert unconnected.json()["detail"][0]["loc"] == ["body", "provider_voice_id"]
            agent = api.post("/v1/agents", json={"name": "Desk"}).json()["agent_id"]
            httpx.post(
                f"{server.url}/v1/agents/{agent}/voice/integrations/elevenlabs",
                headers={"x-api-key": key},
                json={"api_key": "sk_good_1"},
            ).raise_for_status()
            made = api.post(f"{PREFIX}/voices", json=wanted)
            assert made.status_code == 201, made.text
            voice = made.json()["data"]
            assert (voice["type"], voice["status"], voice["provider"]) == (
                "reference",
                "active",
                "elevenlabs",
            )
            assert api.get(f"{PREFIX}/voices/{voice['id']}/preview").content == b"ID3 far away"
            added = api.post(
                "/api/voices/add", json={"workspaceId": 1, "voiceId": "def", "voiceProvider": "elevenlabs"}
            )
            assert (added.status_code, added.json()["provider"]) == (201, "elevenlabs")
            live = api.post("/v1/audio/speech", json={"input": "Hello", "voice": voice["id"]})
            assert (live.status_code, live.json()["error"]["code"]) == (409, "voice_not_supported")
            for refused in (wanted | {"provider_voice_id": "nobody"}, wanted | {"provider": "cartesia"}):
                assert api.post(f"{PREFIX}/voices", json=refused).status_code == 422
            assert api.get("/v1/voices").json()["data"] == [
                row for row in api.get("/v1/voices").json()["data"] if row["source"] == "stock"
            ]
