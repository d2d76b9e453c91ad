"""A-30 … A-35."""

from __future__ import annotations

import base64
import hashlib
import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import httpx
import pytest

from tests.acceptance.far_end import FarEnd, elevenlabs, recordings
from tests.live_server import LiveServer, live_server
from tests.recordings import Samples, telephone


@pytest.fixture(scope="session")
def far_elevenlabs() -> Iterator[FarEnd]:
    with elevenlabs() as far_end:
        yield far_end


@pytest.fixture(scope="session")
def speaking(tmp_path_factory: pytest.TempPathFactory, far_elevenlabs: FarEnd) -> Iterator[LiveServer]:
    """A server with the cloning engine: voices are really different here."""
    folder = tmp_path_factory.mktemp("speaking")
    with live_server(folder, engine="clone", elevenlabs_base_url=far_elevenlabs.url) as server:
        yield server


@pytest.fixture
def designer(speaking: LiveServer) -> Iterator[httpx.Client]:
    key = speaking.sandbox_key()
    with speaking.client(key) as client:
        agent = client.post("/v1/agents", json={"name": "Desk"}).json()["agent_id"]
    base_url = f"{speaking.url}/v1/agents/{agent}"
    with httpx.Client(base_url=base_url, headers={"x-api-key": key}, timeout=60) as client:
        yield client


def error(answer: httpx.Response, status: int, code: str) -> None:
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert body["error_code"] == code
    assert isinstance(body["error"], str)


def seconds_of(audio: bytes) -> float:
    with av.open(io.BytesIO(audio)) as container:
        rate = container.streams.audio[0].rate
        return float(sum(frame.samples for frame in container.decode(audio=0)) / rate)


def test_a30_the_library_and_its_filter(
    server: LiveServer, core: httpx.Client, key: str, good: bytes
) -> None:
    core.post("/voice/clone", json={"name": "Mine", "audio_base64": base64.b64encode(good).decode()})
    whole = core.get("/voice/library").json()
    assert whole["total"] == len(whole["voices"])
    assert all(row.keys() >= {"voice_id", "name", "source", "preview_url"} for row in whole["voices"])
    counts = {}
    for source in ("public", "user_designed", "user_trained", "user_elevenlabs"):
        part = core.get("/voice/library", params={"source": source}).json()
        assert part["total"] == len(part["voices"])
        assert {row["source"] for row in part["voices"]} <= {source}
        counts[source] = part["total"]
    assert counts == {"public": 2, "user_designed": 0, "user_trained": 1, "user_elevenlabs": 0}
    error(core.get("/voice/library", params={"source": "x"}), 400, "invalid_request")
    bearer = httpx.get(f"{core.base_url}voice/library", headers={"authorization": f"Bearer {key}"})
    error(bearer, 401, "unauthorized")
    sample = next(row for row in whole["voices"] if row["source"] == "public")["preview_url"]
    assert httpx.get(sample).headers["content-type"] == "audio/mpeg"


def test_a31_exactly_one_recording_and_a_name(core: httpx.Client, good: bytes) -> None:
    audio = base64.b64encode(good).decode()
    both = core.post("/voice/clone", json={"name": "x", "audio_url": "http://a/", "audio_base64": audio})
    error(both, 400, "invalid_request")
    error(core.post("/voice/clone", json={"name": "x"}), 400, "invalid_request")
    error(core.post("/voice/clone", json={"audio_base64": audio}), 400, "invalid_request")
    answer = core.post(
        "/voice/clone", json={"name": "Santiago Clone", "audio_base64": audio, "gender": "female"}
    )
    assert answer.status_code == 201, answer.text
    assert answer.json()["source"] == "user_trained"
    trained = core.get("/voice/library", params={"source": "user_trained"}).json()["voices"]
    assert [row["voice_id"] for row in trained] == [answer.json()["voice_id"]]
    assert trained[0]["gender"] == "female"


@pytest.mark.parametrize(
    ("audio", "code"),
    [
        ("!!!", "invalid_audio"),
        (base64.b64encode(b"no audio").decode(), "invalid_audio"),
        ("", "invalid_audio"),
    ],
)
def test_a31_what_is_no_audio_is_400(core: httpx.Client, audio: str, code: str) -> None:
    error(core.post("/voice/clone", json={"name": "x", "audio_base64": audio}), 400, code)


def test_a31_what_the_gate_refuses_is_400_with_reasons(
    core: httpx.Client, speech: tuple[Samples, int]
) -> None:
    audio = base64.b64encode(telephone(*speech)).decode()
    answer = core.post("/voice/clone", json={"name": "x", "audio_base64": audio})
    error(answer, 400, "voice_rejected")
    assert answer.json()["reasons"][0]["code"] == "insufficient_bandwidth"
    assert core.get("/voice/library", params={"source": "user_trained"}).json()["total"] == 0


def test_a32_the_server_fetches_a_recording_itself(core: httpx.Client, good: bytes) -> None:
    with recordings({"/good.wav": good}) as far_end:
        answer = core.post("/voice/clone", json={"name": "x", "audio_url": f"{far_end.url}/good.wav"})
        assert answer.status_code == 201, answer.text
        [(path, headers)] = far_end.requests
        assert path == "/good.wav"
        assert "x-api-key" not in headers
        assert "authorization" not in headers


def test_a32_redirects_are_followed_a_little_way(core: httpx.Client, good: bytes) -> None:
    with recordings({"/good.wav": good}) as far_end:
        once = core.post("/voice/clone", json={"name": "x", "audio_url": f"{far_end.url}/to?/good.wav"})
        assert once.status_code == 201, once.text
        loop = f"{far_end.url}/to?" * 6 + f"{far_end.url}/good.wav"
        error(core.post("/voice/clone", json={"name": "x", "audio_url": loop}), 400, "audio_url_unreachable")
        assert core.get("/voice/library", params={"source": "user_trained"}).json()["total"] == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://[::1]:PORT/good.wav",
        "http://localhost:PORT/good.wav",
        "http://0.0.0.0:PORT/good.wav",
        "http://2130706433:PORT/good.wav",
        "http://127.1:PORT/good.wav",
        "http://[::ffff:127.0.0.1]:PORT/good.wav",
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.1/",
        "http://user:secret@127.0.0.1:PORT/good.wav",
        "file:///etc/passwd",
        "ftp://127.0.0.1/x",
        "gopher://127.0.0.1/x",
        "http://",
        "not an address",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:PORT/to?http://[::1]:PORT/good.wav",
        "http://127.0.0.1:PORT/to?file:///etc/passwd",
        "http://127.0.0.1:PORT/to?http://169.254.169.254/",
        "http://127.0.0.1:PORT/missing",
    ],
)
def test_a32_addresses_that_are_no_business_of_ours(core: httpx.Client, good: bytes, url: str) -> None:
    with recordings({"/good.wav": good}) as far_end:
        url = url.replace("PORT", str(far_end.port))
        answer = core.post("/voice/clone", json={"name": "x", "audio_url": url})
        error(answer, 400, "audio_url_unreachable")
        assert "secret" not in answer.text.replace(url, "")
        assert "/good.wav" not in [path for path, _ in far_end.requests]


def test_a32_an_endless_body_is_cut(core: httpx.Client) -> None:
    with recordings({}) as far_end:
        started = time.monotonic()
        answer = core.post("/voice/clone", json={"name": "x", "audio_url": f"{far_end.url}/endless"})
        assert answer.status_code == 413, answer.text
        assert time.monotonic() - started < 25


def test_a33_design_in_four_steps(speaking: LiveServer, designer: httpx.Client) -> None:
    text = designer.post("/voice/design/generate-script").json()["voice_sample"]
    assert text
    assert (
        designer.post("/voice/design/generate-script", json={"language": "de"}).json()["voice_sample"] != text
    )
    error(designer.post("/voice/design/generate-description", json={}), 400, "invalid_request")
    described = designer.post(
        "/voice/design/generate-description", json={"gender": "male", "voice_description": "deep and warm"}
    ).json()["voice_description"]
    error(designer.post("/voice/design/generate-samples", json={}), 400, "invalid_request")
    before = designer.get("/voice/library").json()["total"]
    samples = designer.post(
        "/voice/design/generate-samples", json={"text": "Hello, how are you?", "description": described}
    ).json()["samples"]
    assert len(samples) == 3
    audio = [base64.b64decode(sample["audio"]) for sample in samples]
    assert len({hashlib.sha256(one).digest() for one in audio}) == 3
    assert all(0.5 < seconds_of(one) < 6 for one in audio)
    assert len({sample["generation_id"] for sample in samples}) == 3
    assert designer.get("/voice/library").json()["total"] == before

    error(designer.post("/voice/design", json={"name": "x"}), 400, "invalid_request")
    error(designer.post("/voice/design", json={"generation_id": "gen_x"}), 400, "invalid_request")
    unknown = designer.post("/voice/design", json={"generation_id": "gen_x", "name": "x"})
    error(unknown, 400, "invalid_generation_id")
    body = {"generation_id": samples[1]["generation_id"], "name": "Bruno", "gender": "male", "language": "en"}
    answer = designer.post("/voice/design", json=body)
    assert answer.status_code == 201, answer.text
    assert answer.json()["source"] == "user_designed"
    designed = designer.get("/voice/library", params={"source": "user_designed"}).json()["voices"]
    assert [row["name"] for row in designed] == ["Bruno"]
    assert designer.post("/voice/design", json=body).json()["voice_id"] == answer.json()["voice_id"]
    assert designer.post("/voice/design", json=body | {"name": "Otto"}).status_code == 409

    key = designer.headers["x-api-key"]
    with speaking.client(key) as client:
        other = client.post("/v1/agents", json={"name": "Other"}).json()["agent_id"]
        spoken = client.post("/v1/audio/speech", json={"input": "Hello", "voice": answer.json()["voice_id"]})
        assert spoken.status_code == 200
    reused = httpx.post(
        f"{speaking.url}/v1/agents/{other}/voice/design",
        json=body | {"generation_id": samples[0]["generation_id"]},
        headers={"x-api-key": key},
    )
    error(reused, 400, "invalid_generation_id")
    assert designer.delete(f"/voice/{answer.json()['voice_id']}").status_code == 204
    assert designer.get("/voice/library").json()["total"] == before


def test_pyai_designs_and_keeps_a_voice(speaking: LiveServer) -> None:
    with speaking.client(speaking.sandbox_key()) as client, speaking.client(speaking.sandbox_key()) as other:
        body = {
            "prompt": "a deep, calm man",
            "candidates": 4,
            "sample_text": "Hello.",
            "attributes": {"age": "old"},
        }
        design = client.post("/v1/voice/design", json=body).json()
        audio = [base64.b64decode(sample["audio"]) for sample in design["samples"]]
        assert len(set(audio)) == 4
        save = f"/v1/voice/design/{design['design_id']}/save"
        kept = client.post(save, json={"candidate_id": "c2", "name": "Bruno"})
        assert kept.status_code == 201, kept.text
        spoken = client.post("/v1/audio/speech", json={"input": "Hi", "voice": kept.json()["voice_id"]})
        assert spoken.status_code == 200
        assert client.post(save, json={"candidate_id": "c9", "name": "x"}).status_code == 404
        assert other.post(save, json={"candidate_id": "c1", "name": "x"}).status_code == 404
        assert client.post("/v1/voice/design", json={"prompt": "x", "candidates": 5}).status_code == 400


def test_a34_an_elevenlabs_key_is_tried_before_it_is_kept(
    speaking: LiveServer, designer: httpx.Client, far_elevenlabs: FarEnd
) -> None:
    address = "/voice/integrations/elevenlabs"
    good, bad = {"api_key": "sk_good_and_secret_xyz1"}, {"api_key": "sk_bad_and_secret"}
    assert designer.get(address).json() == {"connected": False, "masked_key": None}
    assert designer.post(f"{address}/test", json=good).json() == {"valid": True}
    rejected = designer.post(f"{address}/test", json=bad)
    assert (rejected.status_code, rejected.json()) == (200, {"valid": False})
    error(designer.post(address, json=bad), 400, "invalid_key")
    error(designer.post(address, json={}), 400, "invalid_request")
    assert designer.get(address).json()["connected"] is False
    connected = designer.post(address, json=good)
    assert connected.json() == {"connected": True, "user": {"subscription": {"tier": "creator"}}}
    error(designer.post(address, json=bad), 400, "invalid_key")
    assert designer.get(address).json() == {"connected": True, "masked_key": "***xyz1"}

    rows = designer.get("/voice/library", params={"source": "user_elevenlabs"}).json()["voices"]
    assert [row["voice_id"] for row in rows] == ["el-abc", "el-def"]
    job = designer.post("/voice/el-abc/preview", json={"text": "Hello"}).json()["user_job_id"]
    record = finished(designer, job)
    assert httpx.get(record["output_resources"][0]["file_url"]).content == b"ID3 far away"
    refused = designer.patch("/core", json={"voice_id": "el-abc"})
    error(refused, 400, "voice_not_supported")
    assert designer.delete("/voice/el-abc").status_code == 204
    error(designer.delete("/voice/el-abc"), 404, "not_found")
    assert [path for path, _ in far_elevenlabs.requests if "abc" in path] == ["/v1/text-to-speech/abc"]

    assert designer.delete(address).status_code == 204
    assert designer.delete(address).status_code == 204
    assert designer.get("/voice/library", params={"source": "user_elevenlabs"}).json()["total"] == 0
    stored = b"".join(path.read_bytes() for path in Path(speaking.folder).rglob("*") if path.is_file())
    assert b"and_secret" not in stored
    assert "and_secret" not in speaking.log


def test_a34_an_elevenlabs_that_does_not_answer_is_502(core: httpx.Client) -> None:
    body = {"api_key": "sk_x"}
    for address in ("/voice/integrations/elevenlabs", "/voice/integrations/elevenlabs/test"):
        error(core.post(address, json=body), 502, "upstream_unreachable")
    assert core.get("/voice/integrations/elevenlabs").json()["connected"] is False


def finished(core: httpx.Client, job_id: int) -> dict[str, Any]:
    for _ in range(600):
        record: dict[str, Any] = core.get(f"/voice/preview/{job_id}").json()
        assert record["status"] in {"pending", "processing", "completed", "failed"}
        if record["status"] in {"completed", "failed"}:
            return record
        time.sleep(0.05)
    raise AssertionError("pending for ever")


def test_a35_a_preview_is_a_job(server: LiveServer, core: httpx.Client, api: httpx.Client) -> None:
    error(core.post("/voice/tone-low/preview", json={}), 400, "invalid_request")
    error(core.post("/voice/tone-low/preview", json={"text": "  "}), 400, "invalid_request")
    error(core.post("/voice/voice_x/preview", json={"text": "Hello"}), 404, "not_found")
    error(core.post("/voice/library/preview", json={"text": "Hello"}), 404, "not_found")
    before = api.get("/v1/credits").json()["balance"]
    answer = core.post("/voice/tone-low/preview", json={"text": "Hello world"})
    assert answer.status_code == 202
    job_id = answer.json()["user_job_id"]
    assert isinstance(job_id, int)
    record = finished(core, job_id)
    assert record["id"] == job_id
    [resource] = record["output_resources"]
    assert isinstance(resource["id"], int)
    assert resource["type"] == "audio"
    assert seconds_of(httpx.get(resource["file_url"]).content) > 0.3
    assert api.get("/v1/credits").json()["balance"] == before - 1

    forged = resource["file_url"][:-3] + "abc"
    assert httpx.get(forged).status_code == 404
    for wrong in ("abc", "1", "-1", "9" * 40):
        error(core.get(f"/voice/preview/{wrong}"), 404, "not_found")
    other_key = server.sandbox_key()
    with server.client(other_key) as client:
        other = client.post("/v1/agents", json={"name": "Desk"}).json()["agent_id"]
    foreign = httpx.get(
        f"{server.url}/v1/agents/{other}/voice/preview/{job_id}", headers={"x-api-key": other_key}
    )
    error(foreign, 404, "not_found")


def test_a35_a_preview_nobody_can_pay_for(server: LiveServer) -> None:
    key = httpx.post(f"{server.url}/v1/sandbox/keys", json={"credits": 0}).json()["api_key"]
    with server.client(key) as client:
        agent = client.post("/v1/agents", json={"name": "Desk"}).json()["agent_id"]
    answer = httpx.post(
        f"{server.url}/v1/agents/{agent}/voice/tone-low/preview",
        json={"text": "Hello"},
        headers={"x-api-key": key},
    )
    error(answer, 422, "insufficient_credits_for_job")


def test_public_voices_cannot_be_deleted(core: httpx.Client) -> None:
    answer = core.delete("/voice/tone-low")
    error(answer, 404, "not_found")
    assert "Public voices" in answer.json()["error"]


def test_the_core_names_the_voice(core: httpx.Client) -> None:
    agent = core.get("/core").json()
    assert agent["voice_id"] is None
    for member in ("voice_id", "voice", "default_user_voice"):
        changed = core.patch("/core", json={member: "tone-low"})
        assert changed.status_code == 200, changed.text
        assert changed.json()["voice_id"] == "tone-low"
        core.patch("/core", json={"voice_id": None})
    error(core.patch("/core", json={"voice_id": "voice_x"}), 400, "voice_not_found")
    error(core.patch("/core", json={"description": "x" * 501}), 422, "validation_error")
    error(core.patch("/core", json={"personality": "x" * 20_001}), 422, "validation_error")
    assert core.patch("/core", json={"personality": "x" * 20_000}).status_code == 200


def test_an_agent_of_somebody_else_is_404_everywhere(server: LiveServer, core: httpx.Client) -> None:
    stranger = {"x-api-key": server.sandbox_key()}
    for method, path in (
        ("GET", "/voice/library"),
        ("GET", "/core"),
        ("PATCH", "/core"),
        ("GET", "/voice/integrations/elevenlabs"),
        ("POST", "/voice/design/generate-script"),
        ("DELETE", "/voice/tone-low"),
    ):
        foreign = httpx.request(method, f"{core.base_url}{path[1:]}", headers=stranger, json={})
        error(foreign, 404, "not_found")


def test_c25_the_credential_header_says_whose_agents_these_are(server: LiveServer, key: str) -> None:
    with httpx.Client(base_url=server.url, headers={"x-api-key": key}, timeout=30) as core_client:
        made = core_client.post("/v1/agents", json={"name": "Desk", "personality": "Kind."})
        assert made.status_code == 201, made.text
        agent_id = made.json()["agent_id"]
        listed = core_client.get("/v1/agents").json()
        assert [row["agent_id"] for row in listed["agents"]] == [agent_id]
        assert "default_user_voice" in listed["agents"][0]
        assert (
            core_client.get(f"/v1/agents/{agent_id}").json()
            == core_client.get(f"/v1/agents/{agent_id}/core").json()
        )
        error(core_client.get("/v1/agents/agent_nobody"), 404, "not_found")
        error(core_client.post("/v1/agents", json={}), 400, "invalid_request")
        both = core_client.get("/v1/agents", headers={"authorization": f"Bearer {key}"}).json()
        assert both["object"] == "list"
        with server.client(key) as bearer:
            seen = bearer.get(f"/v1/agents/{agent_id}").json()
            assert (seen["object"], seen["persona_system_prompt"]) == ("agent", "Kind.")
            assert bearer.get("/d/agentcore/v1/agents").status_code == 401
        assert core_client.get("/d/pyai/v1/agents").json()["object"] == "list"
        assert "agents" in core_client.get("/d/agentcore/v1/agents").json()
        assert core_client.delete(f"/v1/agents/{agent_id}").status_code == 204
