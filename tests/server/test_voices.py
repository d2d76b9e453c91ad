"""Clones over PyAI's addresses: from the upload to the voice, and every way it can go wrong."""

from __future__ import annotations

import io
import struct
import time
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import pytest

from tests.live_server import LiveServer
from tests.server.test_errors import problem

NAME = "Ava — brand voice"


@pytest.fixture(scope="session")
def good_clip(clips: Path) -> bytes:
    """Ten seconds of one person at 44.1 kHz."""
    return (clips / "A_good" / "fscorsica-b_f_44100_10.0s.flac").read_bytes()


def upload(api: httpx.Client, data: bytes, *, name: str = NAME, mime: str = "audio/wav") -> httpx.Response:
    return api.post("/v1/voice/clones", data={"name": name}, files={"file": ("reference.wav", data, mime)})


def enrol(api: httpx.Client, data: bytes, **options: str) -> dict[str, Any]:
    answer = upload(api, data, **options)
    assert answer.status_code == 201, answer.text
    return settle(api, answer.json()["id"])


def settle(api: httpx.Client, voice_id: str, *, patience: float = 30) -> dict[str, Any]:
    give_up = time.monotonic() + patience
    while time.monotonic() < give_up:
        voice: dict[str, Any] = api.get(f"/v1/voice/clones/{voice_id}").json()
        assert voice["status"] in {"pending", "ready", "failed"}
        if voice["status"] != "pending":
            return voice
        time.sleep(0.05)
    raise AssertionError(f"{voice_id} is pending for ever")


def wav(samples: np.ndarray[Any, Any], rate: int = 48_000) -> bytes:
    data = samples.astype("<i2").tobytes()
    header = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        *(b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16, b"data", len(data)),
    )
    return header + data


def silence_flac(seconds: int) -> bytes:
    """A file that is small and decodes to something large."""
    file = io.BytesIO()
    with av.open(file, "w", format="flac") as container:
        stream = container.add_stream("flac", rate=48_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 480_000), np.int16), format="s16", layout="mono")
        frame.rate = 48_000
        for _ in range(seconds // 10):
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def test_a_recording_becomes_a_voice_that_speaks_lists_reports_and_goes(
    api: httpx.Client, good_clip: bytes
) -> None:
    answer = upload(api, good_clip)
    assert answer.status_code == 201
    created = answer.json()
    assert created["id"].startswith("voice_")
    assert created["status"] == "pending"
    assert created["name"] == NAME
    voice = settle(api, created["id"])
    assert voice["status"] == "ready"
    assert voice["failure"] is None
    assert api.post("/v1/audio/speech", json={"input": "Hello", "voice": voice["id"]}).status_code == 200
    assert [one["id"] for one in api.get("/v1/voice/clones").json()["data"]] == [voice["id"]]
    assert voice["id"] in {one["voice_id"] for one in api.get("/v1/voices").json()["data"]}

    report = api.get(voice["report_url"]).json()
    assert report["verdict"] == "accepted"
    assert report["metrics"]["duration_s"]["value"] == 10.0
    assert voice["likeness"] == report.get("likeness")
    picture = api.get(report["plot_url"])
    assert picture.content.startswith(b"\x89PNG")
    assert len(picture.content) > 10_000

    agent = api.post("/v1/agents", json={"name": "Desk", "voice_id": voice["id"]})
    assert agent.json()["voice_id"] == voice["id"]
    assert api.delete(f"/v1/voice/clones/{voice['id']}").status_code == 204
    problem(api.get(f"/v1/voice/clones/{voice['id']}"), 404, "voice_not_found")
    problem(api.delete(f"/v1/voice/clones/{voice['id']}"), 404, "voice_not_found")
    problem(api.get(voice["report_url"]), 404, "voice_not_found")
    gone = api.post("/v1/audio/speech", json={"input": "Hello", "voice": voice["id"]})
    problem(gone, 404, "voice_not_found")


def test_a_clip_that_is_too_short_fails_with_a_reason_and_a_fix(api: httpx.Client, good_clip: bytes) -> None:
    with av.open(io.BytesIO(good_clip)) as container:
        samples = np.concatenate([f.to_ndarray().ravel() for f in container.decode(audio=0)])
    voice = enrol(api, wav(samples[: 3 * 44_100], 44_100))
    assert voice["status"] == "failed"
    assert "clip too short" in voice["failure"]["message"]
    assert voice["failure"]["fix"]
    assert voice["failure"]["value"] < voice["failure"]["limit"]
    refused = api.post("/v1/audio/speech", json={"input": "Hello", "voice": voice["id"]})
    problem(refused, 409, "voice_failed")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"this is not audio", id="text"),
        pytest.param(b"RIFF\xff\xff\xff\xffWAVEfmt ", id="truncated"),
        pytest.param(
            struct.pack(
                "<4sI4s4sIHHIIHH4sI", b"RIFF", 36, b"WAVE", b"fmt ", 16, 1, 0, 48_000, 0, 0, 16, b"data", 0
            ),
            id="no-channels",
        ),
        pytest.param(b"\x89PNG\r\n\x1a\n" + b"\x00" * 1000, id="png"),
        pytest.param(wav(np.zeros(480_000, np.int16)), id="silence"),
        pytest.param(wav(np.full(480_000, 9_000, np.int16)), id="dc"),
        pytest.param(wav(np.random.default_rng(1).normal(0, 3000, 480_000)), id="noise"),
        pytest.param(silence_flac(660), id="eleven-minutes"),
        pytest.param(b"ID3\x04" + b"\xff" * 5000, id="garbage-mp3"),
    ],
)
def test_what_is_no_recording_of_a_person_fails_and_says_why(api: httpx.Client, data: bytes) -> None:
    voice = enrol(api, data)
    assert voice["status"] == "failed"
    assert voice["failure"]["message"]
    assert voice["failure"]["fix"]
    assert api.get(voice["report_url"]).json()["verdict"] == "rejected"


def test_the_content_counts_and_not_what_the_sender_calls_it(api: httpx.Client, good_clip: bytes) -> None:
    assert enrol(api, good_clip, mime="application/x-nonsense")["status"] == "ready"


def test_a_dry_run_gives_the_same_report_twice_and_stores_nothing(
    api: httpx.Client, good_clip: bytes
) -> None:
    answers = [
        api.post("/v1/voice/clones/check", files={"file": ("a.flac", good_clip, "audio/flac")})
        for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    assert answers[0].json()["verdict"] == "accepted"
    assert api.get("/v1/voice/clones").json()["data"] == []


@pytest.mark.parametrize("name", ["", "   ", "x" * 201, "a\x00b", "line\nbreak"])
def test_a_name_that_cannot_be_is_400(api: httpx.Client, name: str) -> None:
    assert problem(upload(api, b"RIFF", name=name), 400, "invalid_request")["param"] == "name"


@pytest.mark.parametrize("name", ["Ava — brand voice", "مرحبا", "👩🏽‍🚀", "x" * 200])
def test_a_name_survives_byte_for_byte(api: httpx.Client, name: str) -> None:
    created = upload(api, b"RIFF", name=name).json()
    assert created["name"] == name
    assert settle(api, created["id"])["name"] == name


def test_missing_parts_are_named(api: httpx.Client) -> None:
    no_file = api.post("/v1/voice/clones", data={"name": NAME}, files={"other": b"x"})
    assert problem(no_file, 400, "invalid_request")["param"] == "file"
    no_name = api.post("/v1/voice/clones", files={"file": b"x"})
    assert problem(no_name, 400, "invalid_request")["param"] == "name"
    text = api.post("/v1/voice/clones", data={"name": NAME, "file": "a path"})
    assert problem(text, 400, "invalid_request")["param"] == "file"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b"no boundary"),
        ("multipart/form-data; boundary=x", b"--x\r\nnonsense"),
        ("multipart/form-data; boundary=x", b""),
        ("application/json", b"{}"),
        ("text/plain", b"hello"),
    ],
)
def test_a_form_that_is_none_is_400(api: httpx.Client, content_type: str, body: bytes) -> None:
    answer = api.post("/v1/voice/clones", content=body, headers={"content-type": content_type})
    assert answer.status_code == 400, answer.text


def test_an_upload_beyond_the_limit_is_413(api: httpx.Client) -> None:
    def form() -> Any:
        yield b'--b\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n'
        for _ in range(33):
            yield bytes(2**20)

    headers = {"content-type": "multipart/form-data; boundary=b"}
    problem(api.post("/v1/voice/clones", content=form(), headers=headers), 413, "payload_too_large")


def test_another_tenants_voice_is_answered_like_one_that_never_was(
    api: httpx.Client, stranger: httpx.Client, good_clip: bytes
) -> None:
    foreign = enrol(api, good_clip)["id"]

    def ask(voice_id: str) -> list[tuple[int, Any]]:
        answers = [
            stranger.get(f"/v1/voice/clones/{voice_id}"),
            stranger.delete(f"/v1/voice/clones/{voice_id}"),
            stranger.get(f"/v1/voice/clones/{voice_id}/report"),
            stranger.get(f"/v1/voice/clones/{voice_id}/report.png"),
            stranger.post(f"/v1/voice/clones/{voice_id}/consent/revoke"),
            stranger.get(f"/v1/voices/{voice_id}"),
            stranger.get(f"/v1/voices/{voice_id}/preview"),
            stranger.post("/v1/audio/speech", json={"input": "Hi", "voice": voice_id}),
            stranger.post("/v1/agents", json={"name": "a", "voice_id": voice_id}),
        ]
        bodies = [answer.json() | {"request_id": ""} for answer in answers]
        return [
            (answer.status_code, str(body).replace(voice_id, "ID"))
            for answer, body in zip(answers, bodies, strict=True)
        ]

    assert ask(foreign) == ask("voice_doesnotexist")
    assert stranger.get("/v1/voice/clones").json()["data"] == []
    assert api.get(f"/v1/voice/clones/{foreign}").json()["status"] == "ready"


def test_a_revoked_consent_silences_the_voice_at_once(api: httpx.Client, good_clip: bytes) -> None:
    voice = enrol(api, good_clip)
    assert api.post(f"/v1/voice/clones/{voice['id']}/consent/revoke").json()["revoked"] is True
    answer = api.post("/v1/audio/speech", json={"input": "Hello", "voice": voice["id"]})
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "consent_revoked"


def test_a_clone_is_paid_for_and_a_failed_one_is_given_back(server: LiveServer, good_clip: bytes) -> None:
    poor = httpx.post(f"{server.url}/v1/sandbox/keys", json={"credits": 150}).json()["api_key"]
    with server.client(poor) as client:
        enrol(client, b"not audio")
        assert client.get("/v1/credits").json()["balance"] == 150
        enrol(client, good_clip)
        assert client.get("/v1/credits").json()["balance"] == 50
        refused = upload(client, good_clip)
        assert refused.status_code == 402
        assert refused.json()["error"]["code"] == "credit_exhausted"
        ledger = client.get("/v1/credits").json()
        assert [entry["kind"] for entry in ledger["data"]] == ["clone", "clone_refund", "clone", "grant"]
        assert sum(entry["amount"] for entry in ledger["data"]) == ledger["balance"]


def test_the_same_idempotency_key_makes_and_charges_one_voice(api: httpx.Client, good_clip: bytes) -> None:
    headers = {"idempotency-key": "abc"}

    def send(name: str) -> httpx.Response:
        files = {"file": ("a.flac", good_clip, "audio/flac")}
        return api.post("/v1/voice/clones", data={"name": name}, files=files, headers=headers)

    before = api.get("/v1/credits").json()["balance"]
    first, second = send("One"), send("One")
    assert first.json() == second.json()
    assert second.headers["idempotency-replayed"] == "true"
    assert api.get("/v1/credits").json()["balance"] == before - 100
    assert len(api.get("/v1/voice/clones").json()["data"]) == 1
    problem(send("Another"), 409, "idempotency_conflict")


def test_the_audit_log_tells_the_story_and_verifies(api: httpx.Client, good_clip: bytes) -> None:
    voice = enrol(api, good_clip)
    api.delete(f"/v1/voice/clones/{voice['id']}")
    events = api.get("/v1/audit").json()["data"]
    assert [event["verb"] for event in events if event["object"] == voice["id"]] == [
        "voice.enrolled",
        "voice.ready",
        "voice.deleted",
    ]
    assert api.get("/v1/audit/verify").json() == {
        "object": "audit.verification",
        "valid": True,
        "events": len(events),
        "broken_at": None,
    }
