from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import httpx
import pytest

from runtime.media.prompt import PROMPT_FORMATS


def unpacked(answer: httpx.Response) -> tuple[dict[str, bytes], list[dict[str, Any]]]:
    """Files by name, and the manifest's entries."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    return files, json.loads(files.pop("manifest.json"))["prompts"]


def order(**fields: Any) -> dict[str, Any]:
    return {"prompts": [{"name": "welcome", "text": "Thank you for calling."}], "voice": "tone-low", **fields}


@pytest.mark.parametrize("format", PROMPT_FORMATS)
def test_prompts_come_as_a_zip_in_every_format(api: httpx.Client, format: str) -> None:
    files, (entry,) = unpacked(api.post("/v1/prompts", json=order(format=format)))
    name = f"welcome.{PROMPT_FORMATS[format].extension}"
    assert list(files) == [name] == [entry["file"]]
    assert entry["seconds"] > 1.0
    assert entry["level_dbov"] == pytest.approx(-26.0, abs=0.3)


def test_the_same_order_makes_the_same_bytes(api: httpx.Client) -> None:
    first, second = (api.post("/v1/prompts", json=order(format="wav16k")) for _ in range(2))
    assert first.content == second.content


def test_a_bad_prompt_is_told_and_the_others_are_there(api: httpx.Client) -> None:
    prompts = [
        {"name": "good", "text": "Hello."},
        {"name": "silent", "text": "..."},
        {"name": "nobody", "text": "Hello.", "voice": "voice_nobody"},
        {"name": "folder/also-good", "text": "Goodbye."},
    ]
    files, entries = unpacked(api.post("/v1/prompts", json=order(prompts=prompts)))
    assert sorted(files) == ["folder/also-good.ulaw", "good.ulaw"]
    assert [entry.get("error", {}).get("code") for entry in entries] == [
        None,
        "nothing_to_speak",
        "voice_not_found",
        None,
    ]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"prompts": []}, "prompts"),
        ({"format": "8track"}, "ulaw8k, alaw8k"),
        ({"prompts": [{"name": "../up", "text": "Hello."}]}, "prompts.0.name"),
        ({"prompts": [{"name": "a", "text": "Hello."}] * 2}, "two prompts are called 'a'"),
        ({"prompts": [{"name": f"a{n}", "text": "a " * 9_000} for n in range(3)]}, "several requests"),
        ({"level_dbov": 0}, "level_dbov"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_cannot_be_is_refused(api: httpx.Client, fields: dict[str, Any], told: str) -> None:
    answer = api.post("/v1/prompts", json=order(**fields))
    assert answer.status_code == 400
    assert told in answer.text


def test_a_key_must_be_allowed_to_speak(api: httpx.Client) -> None:
    assert httpx.post(f"{str(api.base_url).rstrip(chr(47))}/v1/prompts", json=order()).status_code == 401
