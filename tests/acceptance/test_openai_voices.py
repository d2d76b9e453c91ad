"""OpenAI's custom voices: a consent, then a voice of the same speaker."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.recordings import decoded, wav


@pytest.fixture(scope="session")
def consent_clip(clips: Path) -> bytes:
    """The woman of the good clip, on another day."""
    return wav(*decoded((clips / "A_good" / "fscorsica-a_f_44100_11.1s.wav").read_bytes()))


@pytest.fixture(scope="session")
def stranger_clip(clips: Path) -> bytes:
    return wav(*decoded((clips / "A_good" / "fsacclivity-b_m_44100_12.9s.flac").read_bytes()))


def consent(api: httpx.Client, recording: bytes, **fields: str) -> httpx.Response:
    data = {"name": "Ava agrees", "language": "en-US"} | fields
    return api.post(
        "/v1/audio/voice_consents", data=data, files={"recording": ("c.wav", recording, "audio/wav")}
    )


def voice(api: httpx.Client, sample: bytes, consent_id: str) -> httpx.Response:
    return api.post(
        "/v1/audio/voices",
        data={"name": "Ava", "consent": consent_id},
        files={"audio_sample": ("a.wav", sample, "audio/wav")},
    )


def test_a_consent_and_the_voice_it_allows(api: httpx.Client, good: bytes, consent_clip: bytes) -> None:
    answer = consent(api, consent_clip)
    assert answer.status_code == 200, answer.text
    made = answer.json()
    assert made["id"].startswith("cons_")
    assert made["object"] == "audio.voice_consent"
    created = voice(api, good, made["id"])
    assert created.status_code == 200, created.text
    assert created.json()["object"] == "audio.voice"
    speech = api.post("/v1/audio/speech", json={"input": "Hi", "voice": {"id": created.json()["id"]}})
    assert speech.status_code == 200
    gone = api.delete(f"/v1/audio/voices/{created.json()['id']}").json()
    assert gone == {"id": created.json()["id"], "object": "audio.voice.deleted", "deleted": True}


def test_somebody_elses_consent_does_not_count(api: httpx.Client, good: bytes, stranger_clip: bytes) -> None:
    made = consent(api, stranger_clip).json()
    refused = voice(api, good, made["id"])
    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == "consent_speaker_mismatch"
    assert api.get("/v1/voice/clones").json()["data"] == []


def test_consents_are_listed_renamed_and_deleted(api: httpx.Client, consent_clip: bytes) -> None:
    ids = [consent(api, consent_clip).json()["id"] for _ in range(3)]
    page = api.get("/v1/audio/voice_consents", params={"limit": 2}).json()
    assert [row["id"] for row in page["data"]] == ids[:0:-1]
    assert page["has_more"] is True
    assert (page["first_id"], page["last_id"]) == (ids[2], ids[1])
    rest = api.get("/v1/audio/voice_consents", params={"after": ids[1]}).json()
    assert [row["id"] for row in rest["data"]] == [ids[0]]
    renamed = api.post(f"/v1/audio/voice_consents/{ids[0]}", json={"name": "Other"}).json()
    assert renamed["name"] == "Other"
    assert api.delete(f"/v1/audio/voice_consents/{ids[0]}").json()["deleted"] is True
    for method in ("GET", "DELETE"):
        assert api.request(method, f"/v1/audio/voice_consents/{ids[0]}").status_code == 404


@pytest.mark.parametrize("recording", [b"", b"no audio"])
def test_what_is_no_recording_is_no_consent(api: httpx.Client, recording: bytes) -> None:
    answer = consent(api, recording)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "recording"


def test_a_voice_without_a_consent_is_refused(api: httpx.Client, good: bytes) -> None:
    assert voice(api, good, "cons_x").status_code == 404
    files = {"audio_sample": ("a.wav", good, "audio/wav")}
    missing = api.post("/v1/audio/voices", data={"name": "Ava"}, files=files)
    assert (missing.status_code, missing.json()["error"]["param"]) == (400, "consent")
