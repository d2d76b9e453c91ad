"""Webhooks and transcription jobs, with receivers of real HTTP, and a server that is killed in between."""

from __future__ import annotations

import io
import json
import re
import time
import wave
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import numpy as np
import pytest

from tests.acceptance.far_end import recordings
from tests.acceptance.test_omni import agent, call
from tests.acceptance.test_pyai import enrol
from tests.live_server import LiveServer, live_server
from tests.recordings import Samples, wav

PAGE = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text()


def documented_check() -> Callable[[bytes, str, str], bool]:
    """The page's own sample, run as it stands there."""
    found = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    names: dict[str, Any] = {}
    exec(found[1], names)
    check: Callable[[bytes, str, str], bool] = names["is_genuine"]
    return check


class Receiver:
    """A server that takes events; it refuses the first ``refusals``."""

    def __init__(self) -> None:
        self.taken: list[tuple[bytes, dict[str, str]]] = []
        self.refusals = 0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: Any) -> None:
                pass

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                receiver.taken.append((body, {name.lower(): text for name, text in self.headers.items()}))
                receiver.refusals -= 1
                self.send_response(500 if receiver.refusals >= 0 else 200)
                self.send_header("content-length", "0")
                self.end_headers()

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def events(self, kind: str) -> list[dict[str, Any]]:
        bodies = [json.loads(body) for body, _ in self.taken]
        return [body for body in bodies if body["type"] == kind]

    def wait_for(self, kind: str, *, count: int = 1, patience: float = 20.0) -> list[dict[str, Any]]:
        give_up = time.monotonic() + patience
        while len(found := self.events(kind)) < count:
            assert time.monotonic() < give_up, f"no {kind} in {patience} s; {self.taken}"
            time.sleep(0.05)
        return found

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """Recognises speech, and is impatient."""
    options = {
        "fetch_allow_hosts": '["127.0.0.1"]',
        "recognizer_workers": 1,
        "webhook_retry_seconds": "[0.2, 0.2]",
    }
    with live_server(tmp_path_factory.mktemp("busy"), **options) as server:
        yield server


@pytest.fixture
def key(busy: LiveServer) -> str:
    return busy.sandbox_key()


@pytest.fixture
def api(busy: LiveServer, key: str) -> Iterator[httpx.Client]:
    with busy.client(key) as client:
        yield client


def hook(api: httpx.Client, receiver: Receiver, *events: str) -> dict[str, Any]:
    answer = api.post("/v1/webhooks", json={"url": receiver.url, "events": list(events)})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def test_an_event_is_signed_as_the_page_says(api: httpx.Client, receiver: Receiver) -> None:
    made = hook(api, receiver)
    sent = api.post(f"/v1/webhooks/{made['id']}/test")
    assert sent.status_code == 202
    (event,) = receiver.wait_for("webhook.test")
    assert event["id"] == sent.json()["event_id"]
    body, headers = receiver.taken[0]
    is_genuine = documented_check()
    assert is_genuine(body, headers["x-pyai-signature"], made["secret"])
    assert not is_genuine(body + b" ", headers["x-pyai-signature"], made["secret"])
    assert not is_genuine(body, headers["x-pyai-signature"], "whsec_other")
    assert not is_genuine(body, "nonsense", made["secret"])


def test_the_secret_is_shown_once_and_can_be_changed(
    busy: LiveServer, api: httpx.Client, receiver: Receiver
) -> None:
    made = hook(api, receiver)
    seen = api.get(f"/v1/webhooks/{made['id']}").json()
    assert "secret" not in seen
    assert seen["secret_hint"] == f"…{made['secret'][-4:]}"
    rotated = api.post(f"/v1/webhooks/{made['id']}/rotate").json()
    assert rotated["secret"] != made["secret"]
    api.post(f"/v1/webhooks/{made['id']}/test")
    receiver.wait_for("webhook.test")
    body, headers = receiver.taken[0]
    assert documented_check()(body, headers["x-pyai-signature"], rotated["secret"])
    assert made["secret"] not in busy.log


def test_a_receiver_that_stumbles_gets_the_same_event_again(api: httpx.Client, receiver: Receiver) -> None:
    made = hook(api, receiver)
    receiver.refusals = 2
    api.post(f"/v1/webhooks/{made['id']}/test")
    events = receiver.wait_for("webhook.test", count=3)
    assert len({event["id"] for event in events}) == 1
    assert len({body for body, _ in receiver.taken}) == 1
    (delivery,) = api.get(f"/v1/webhooks/{made['id']}/deliveries").json()["data"]
    give_up = time.monotonic() + 5
    while delivery["status"] == "pending" and time.monotonic() < give_up:
        (delivery,) = api.get(f"/v1/webhooks/{made['id']}/deliveries").json()["data"]
    assert (delivery["status"], delivery["attempts"], delivery["response_status"]) == ("delivered", 3, 200)


def test_a_receiver_that_never_answers_well_is_given_up_with_the_reason(
    api: httpx.Client, receiver: Receiver
) -> None:
    made = hook(api, receiver)
    receiver.refusals = 100
    api.post(f"/v1/webhooks/{made['id']}/test")
    receiver.wait_for("webhook.test", count=3)
    give_up = time.monotonic() + 5
    while True:
        (delivery,) = api.get(f"/v1/webhooks/{made['id']}/deliveries").json()["data"]
        if delivery["status"] == "failed":
            break
        assert time.monotonic() < give_up
    assert (delivery["response_status"], delivery["error"]) == (500, "it answered with status 500")


def test_only_the_events_that_were_asked_for_are_sent_while_it_is_enabled(
    api: httpx.Client, receiver: Receiver, good: bytes
) -> None:
    made = hook(api, receiver, "voice.ready")
    voice = enrol(api, good)
    (event,) = receiver.wait_for("voice.ready")
    assert event["data"] == {"voice_id": voice["id"], "name": voice["name"]}
    assert api.patch(f"/v1/webhooks/{made['id']}", json={"enabled": False}).json()["enabled"] is False
    enrol(api, good)
    time.sleep(1.0)
    assert len(receiver.taken) == 1
    assert api.delete(f"/v1/webhooks/{made['id']}").status_code == 204
    assert api.get("/v1/webhooks").json()["data"] == []


def test_a_call_is_told_from_its_beginning_to_its_recording(
    busy: LiveServer, api: httpx.Client, key: str, receiver: Receiver
) -> None:
    hook(api, receiver)
    label = agent(api, recordings_enabled=True)
    with call(busy, key, session_label=label) as omni:
        omni.until("assistant")
        (started,) = receiver.wait_for("call.started")
        omni.send(type="session_ending")
        omni.until("session_end")
    (ended,) = receiver.wait_for("call.ended")
    (ready,) = receiver.wait_for("recording.ready")
    assert started["data"]["call_id"] == ended["data"]["call_id"] == ready["data"]["call_id"]
    assert ended["data"]["session_label"] == label
    assert api.get(f"/v1/omni/calls/{ended['data']['call_id']}/transcript").status_code == 200


def test_an_event_survives_a_server_that_is_killed(busy: LiveServer, key: str, receiver: Receiver) -> None:
    """Refused once, then the server dies before it may try again: the next one does."""
    with busy.client(key) as api:
        made = hook(api, receiver)
        receiver.refusals = 1
        event_id = api.post(f"/v1/webhooks/{made['id']}/test").json()["event_id"]
        receiver.wait_for("webhook.test")
        busy.kill()
    assert len(receiver.taken) <= 2
    busy.start()
    assert {event["id"] for event in receiver.wait_for("webhook.test", count=2)} == {event_id}


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1/hook",
        "http://169.254.169.254/latest",
        "http://[::1]/",
        "ftp://example.com/",
        "nonsense",
        "http://user:pw@example.com/",
    ],
)
def test_addresses_that_are_no_business_of_ours_are_refused(api: httpx.Client, url: str) -> None:
    answer = api.post("/v1/webhooks", json={"url": url})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_webhook_url"), answer.text
    assert answer.json()["error"]["param"] == "url"


def test_events_that_do_not_exist_are_refused_by_name(api: httpx.Client, receiver: Receiver) -> None:
    answer = api.post("/v1/webhooks", json={"url": receiver.url, "events": ["call.exploded"]})
    assert answer.status_code == 400
    assert "call.started" in answer.json()["error"]["message"]


# --- transcription jobs -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def said(speech: tuple[Samples, int]) -> bytes:
    samples, rate = speech
    return wav(samples[: 5 * rate], rate)


def finished(api: httpx.Client, job_id: str, *, patience: float = 40.0) -> dict[str, Any]:
    give_up = time.monotonic() + patience
    while True:
        job: dict[str, Any] = api.get(f"/v1/transcribe/jobs/{job_id}").json()
        assert job["status"] in ("queued", "processing", "completed", "failed")
        if job["status"] in ("completed", "failed"):
            return job
        assert time.monotonic() < give_up, job
        time.sleep(0.1)


def test_a_recording_becomes_words_in_every_form_and_tells_so(
    api: httpx.Client, receiver: Receiver, said: bytes
) -> None:
    answer = api.post(
        "/v1/transcribe/jobs",
        data={"output_formats": "json,srt,vtt", "webhook_url": receiver.url},
        files={"file": ("call.wav", said)},
    )
    assert answer.status_code == 202, answer.text
    made = answer.json()
    assert made["status"] == "queued"
    done = finished(api, made["job_id"])
    assert done["status"] == "completed", done
    assert done["duration_seconds"] == pytest.approx(5.0, abs=0.1)
    outputs = {output["format"]: httpx.get(output["url"]) for output in done["outputs"]}
    assert outputs["srt"].text.startswith("1\n00:00:0")
    assert outputs["vtt"].text.startswith("WEBVTT")
    words = [word for segment in outputs["json"].json()["segments"] for word in segment["words"]]
    assert len(words) > 3
    assert all(0 <= word["start"] <= word["end"] <= 5.1 for word in words)
    result = api.get(f"/v1/transcribe/jobs/{made['job_id']}/result", params={"format": "json"})
    assert result.json() == outputs["json"].json()
    (event,) = receiver.wait_for("transcription.completed")
    assert event["data"]["job_id"] == made["job_id"]
    body, headers = receiver.taken[0]
    assert documented_check()(body, headers["x-pyai-signature"], made["webhook_secret"])
    assert "webhook_secret" not in done
    assert api.delete(f"/v1/transcribe/jobs/{made['job_id']}").status_code == 204
    assert httpx.get(done["outputs"][0]["url"]).status_code == 404


def test_each_channel_is_a_speaker(api: httpx.Client, speech: tuple[Samples, int]) -> None:
    samples, rate = speech
    both = io.BytesIO()
    with wave.open(both, "wb") as file:
        file.setparams((2, 2, rate, 0, "NONE", ""))
        sides = np.stack([samples[: 3 * rate], samples[3 * rate : 6 * rate]], axis=1)
        file.writeframes((sides * 32_767).astype("<i2").tobytes())
    made = api.post("/v1/transcribe/jobs", data={"channel": "true"}, files={"file": both.getvalue()}).json()
    finished(api, made["job_id"])
    segments = api.get(f"/v1/transcribe/jobs/{made['job_id']}/result").json()["segments"]
    assert {segment["channel"] for segment in segments} == {0, 1}


def test_an_address_is_fetched_by_the_server(api: httpx.Client, said: bytes) -> None:
    with recordings({"/call.wav": said}) as far_end:
        made = api.post("/v1/transcribe/jobs", json={"audio_url": f"{far_end.url}/call.wav"})
        assert made.status_code == 202, made.text
        assert finished(api, made.json()["job_id"])["status"] == "completed"
        missing = api.post("/v1/transcribe/jobs", json={"audio_url": f"{far_end.url}/none.wav"}).json()
        failed = finished(api, missing["job_id"])
    assert failed["status"] == "failed"
    assert failed["error"]["code"] == "audio_url_unreachable"
    assert "secret text" not in json.dumps(failed)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "file"),
        ({"audio_url": "http://169.254.169.254/"}, "audio_url"),
        ({"audio_url": "https://example.com/a.wav", "output_formats": ["docx"]}, "output_formats.0"),
        ({"audio_url": "https://example.com/a.wav", "diarize": True}, "diarize"),
        ({"audio_url": "https://example.com/a.wav", "colour": "red"}, "colour"),
        ({"audio_url": "https://example.com/a.wav", "webhook_url": "http://10.1.1.1/"}, "webhook_url"),
    ],
)
def test_what_cannot_be_is_refused_by_name(api: httpx.Client, body: dict[str, Any], param: str) -> None:
    answer = api.post("/v1/transcribe/jobs", json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param), answer.text


def test_what_is_no_audio_fails_with_the_reason(api: httpx.Client) -> None:
    made = api.post("/v1/transcribe/jobs", files={"file": b"no sound at all"}).json()
    failed = finished(api, made["job_id"])
    assert failed["status"] == "failed"
    assert failed["error"]["code"] == "undecodable"


def test_the_same_request_twice_is_one_job(api: httpx.Client, said: bytes) -> None:
    headers = {"idempotency-key": "once"}
    answers = [
        api.post("/v1/transcribe/jobs", files={"file": ("a.wav", said)}, headers=headers) for _ in range(2)
    ]
    assert answers[0].json()["job_id"] == answers[1].json()["job_id"]
    assert len(api.get("/v1/transcribe/jobs").json()["data"]) == 1


def test_a_job_survives_a_server_that_is_killed(busy: LiveServer, key: str, said: bytes) -> None:
    with busy.client(key) as api:
        made = [
            api.post("/v1/transcribe/jobs", files={"file": ("a.wav", said)}).json()["job_id"]
            for _ in range(3)
        ]
        time.sleep(0.3)
        busy.kill()
    busy.start()
    with busy.client(key) as api:
        for job_id in made:
            assert finished(api, job_id, patience=50.0)["status"] == "completed"


def test_a_webhook_made_twice_under_one_key_is_one_with_one_secret(
    api: httpx.Client, receiver: Receiver
) -> None:
    headers = {"idempotency-key": "hook"}
    answers = [api.post("/v1/webhooks", json={"url": receiver.url}, headers=headers).json() for _ in range(2)]
    assert answers[0] == answers[1]
    assert len(api.get("/v1/webhooks").json()["data"]) == 1
