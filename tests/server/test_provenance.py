"""What is said here can be told from what is not, over HTTP."""

from __future__ import annotations

from io import BytesIO

import av
import httpx
import numpy as np
import pytest
import soundfile

from tests.tts.provenance.babble import babble
from tts.provenance.marks import SOURCE_TYPE
from tts.provenance.watermark import Watermarker

RATE = 24_000


def wav(samples: np.ndarray) -> bytes:
    data = BytesIO()
    soundfile.write(data, samples, RATE, format="WAV")
    return data.getvalue()


def verified(api: httpx.Client, data: bytes) -> dict[str, object]:
    answer = api.post("/v1/provenance/verify", files={"file": ("a.wav", data, "audio/wav")})
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


def test_a_marked_recording_is_known_and_an_unmarked_is_not(api: httpx.Client) -> None:
    speech = babble(6.0, RATE, seed=9)
    known = verified(api, wav(Watermarker(RATE).push(speech)))
    assert known["verdict"] == "watermarked"
    assert known["spans"]
    other = verified(api, wav(speech))
    assert other["verdict"] == "not_detected"
    assert other["tagged_as_synthetic"] is False


def test_the_voice_that_spoke_is_named(api: httpx.Client) -> None:
    stock = api.get("/v1/voices").json()["data"][0]["voice_id"]
    speech = babble(6.0, RATE, seed=9)
    known = verified(api, wav(Watermarker(RATE, voice_id=stock).push(speech)))
    assert known["voice_id"] == stock
    other = verified(api, wav(Watermarker(RATE, voice_id="voice_of_somebody_else").push(speech)))
    assert (other["verdict"], other["voice_id"], other["voices"]) == ("watermarked", None, [])


def test_too_little_sound_is_inconclusive(api: httpx.Client) -> None:
    assert verified(api, wav(np.zeros(RATE, np.int16)))["verdict"] == "inconclusive"


def test_what_is_no_recording_is_refused(api: httpx.Client) -> None:
    answer = api.post("/v1/provenance/verify", files={"file": ("a.wav", b"no audio here", "audio/wav")})
    assert answer.status_code == 422
    assert answer.json()["error"]["code"]


def test_a_key_is_needed(server: object, api: httpx.Client) -> None:
    with httpx.Client(base_url=api.base_url) as nobody:
        answer = nobody.post("/v1/provenance/verify", files={"file": ("a.wav", b"x", "audio/wav")})
    assert answer.status_code == 401


@pytest.mark.parametrize("format", ["wav", "mp3", "opus", "flac"])
def test_speech_says_that_it_is_synthetic(api: httpx.Client, format: str) -> None:
    answer = api.post(
        "/v1/audio/speech", json={"input": "Hello there.", "voice": "alloy", "response_format": format}
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-ai-generated"] == "true"
    assert answer.headers["x-voice-id"].startswith("tone-")
    with av.open(BytesIO(answer.content)) as container:
        tags = {**container.metadata, **container.streams.audio[0].metadata}
    assert SOURCE_TYPE in " ".join(tags.values())
    assert verified(api, answer.content)["tagged_as_synthetic"] is True
