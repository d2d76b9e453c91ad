"""What a server leaves behind when it stops, and when it is not allowed to."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path

import httpx
import pytest

from tests.live_server import LiveServer, live_server
from tests.server.test_voices import good_clip, settle, upload

__all__ = ["good_clip"]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_nothing_is_lost_or_pending_after_a_kill(
    request: pytest.FixtureRequest, tmp_path: Path, good_clip: bytes, kind: str
) -> None:
    settings = {}
    if kind == "postgresql":
        settings["database_url"] = request.getfixturevalue("postgres").new_database()
    server = LiveServer(tmp_path, **settings)
    server.start()
    key = server.sandbox_key()
    with server.client(key) as client:
        agent = client.post("/v1/agents", json={"name": "Desk"}).json()["agent_id"]
        before = client.get("/v1/credits").json()["balance"]
        made = [upload(client, good_clip).json()["id"] for _ in range(3)]
        bad = upload(client, b"not audio").json()["id"]
    server.kill()

    server.start()
    with server.client(key) as client:
        assert [settle(client, voice_id)["status"] for voice_id in made] == ["ready"] * 3
        assert settle(client, bad)["status"] == "failed"
        assert client.get("/v1/credits").json()["balance"] == before - 300
        assert client.get(f"/v1/agents/{agent}").status_code == 200
        assert client.get("/v1/audit/verify").json()["valid"] is True
        speech = client.post("/v1/audio/speech", json={"input": "Hello", "voice": made[0]})
        assert speech.status_code == 200
    server.stop()


def test_a_stopping_server_finishes_what_it_is_sending(tmp_path: Path) -> None:
    with live_server(tmp_path) as server:
        body = {"input": "This goes on and on. " * 100, "response_format": "pcm"}
        with (
            server.client(server.sandbox_key()) as client,
            client.stream("POST", "/v1/audio/speech", json=body) as answer,
        ):
            pieces = answer.iter_raw()
            received = len(next(pieces))
            stopping = threading.Thread(target=server.stop)
            stopping.start()
            received += sum(len(piece) for piece in pieces)
            stopping.join()
        assert received > 48_000 * 60
        assert "Traceback" not in server.log


def test_health_answers_and_metrics_are_prometheus(server: LiveServer) -> None:
    assert httpx.get(f"{server.url}/health").json() == {"status": "ok"}
    ready = httpx.get(f"{server.url}/ready").json()
    assert ready == {"status": "ready", "checks": {"database": "ok", "engine": "ok", "calls": "ok"}}
    metrics = httpx.get(f"{server.url}/metrics").text
    told = set(re.findall(r"^# TYPE (\S+) (?:counter|gauge|histogram)$", metrics, re.MULTILINE))
    assert told >= {
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "vivavoce_clear_seconds",
        "vivavoce_first_audio_seconds",
        "vivavoce_frame_lateness_seconds",
        "vivavoce_live_calls",
        "vivavoce_loop_lag_seconds",
        "vivavoce_mark_lag_seconds",
        "vivavoce_queued_seconds",
        "vivavoce_refused_calls_total",
        "vivavoce_response_gap_seconds",
        "vivavoce_underruns_total",
    }


def test_a_setting_that_cannot_be_ends_the_start_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="VIVAVOCE_ENGINE"):
        LiveServer(tmp_path, engine="magic").start()


def test_uploads_and_speech_do_not_stall_each_other(
    server: LiveServer, api: httpx.Client, good_clip: bytes
) -> None:
    for _ in range(3):
        upload(api, good_clip)
    started = time.monotonic()
    assert api.post("/v1/audio/speech", json={"input": "Hello"}).status_code == 200
    assert time.monotonic() - started < 3.0
