"""A-20 … A-23."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from runtime.clock import SystemClock
from runtime.server.accounts import AccountService
from runtime.store.database import Database
from tests.live_server import LiveServer
from tests.recordings import Samples, telephone

CLONE = "/api/voices/clone"
FIELDS = {"workspaceId": "123", "voiceProvider": "elevenlabs", "voiceName": "Sarah"}


def clone(
    api: httpx.Client,
    *clips: bytes,
    part: str = "files",
    headers: dict[str, str] | None = None,
    **fields: str | None,
) -> httpx.Response:
    data = {name: value for name, value in (FIELDS | fields).items() if value is not None}
    files = [(part, (f"{number}.wav", clip, "audio/wav")) for number, clip in enumerate(clips)]
    return api.post(CLONE, data=data, files=files or None, headers=headers)


def operator_key(server: LiveServer, **options: Any) -> str:
    """What only somebody with the database at hand can make: a key with roles."""

    async def make() -> str:
        database = Database(server.store_url)
        accounts = AccountService(database, SystemClock(), sandbox_open=False)
        made = await accounts.create_tenant(name="operator", **options)
        await database.close()
        return made.key

    return asyncio.run(make())


@pytest.fixture(scope="session")
def admin(server: LiveServer) -> Iterator[httpx.Client]:
    with server.client(operator_key(server, roles=["platform_admin"])) as client:
        yield client


@pytest.mark.parametrize("missing", ["workspaceId", "voiceProvider", "voiceName"])
def test_a20_a_missing_part_is_named(api: httpx.Client, missing: str) -> None:
    answer = clone(api, b"RIFF", **{missing: None})
    assert answer.status_code == 400
    assert answer.json()["error"]["details"]["field"] == missing
    assert missing in answer.json()["error"]["message"]


def test_a20_no_files_and_a_workspace_that_is_no_integer(api: httpx.Client) -> None:
    assert clone(api).json()["error"]["details"]["field"] == "files"
    for bad in ("abc", "-1", "1.5", "9" * 30, ""):
        answer = clone(api, b"RIFF", workspaceId=bad)
        assert (answer.status_code, answer.json()["error"]["details"]["field"]) == (400, "workspaceId")


def test_a21_a_bare_voice_that_speaks(api: httpx.Client, good: bytes) -> None:
    answer = clone(api, good, good)
    assert answer.status_code == 201, answer.text
    voice = answer.json()
    assert "data" not in voice
    assert voice["voiceId"]
    assert voice["name"] == "Sarah"
    assert voice["provider"] == "elevenlabs"
    assert voice["playbackOverrideUrl"] is None
    assert all(value is not None for name, value in voice.items() if name != "playbackOverrideUrl")
    sample = api.get(voice["previewUrl"])
    assert sample.headers["content-type"] == "audio/mpeg"
    query = {"workspaceId": 123}
    assert api.get(f"/api/voices/{voice['voiceId']}", params=query).json()["voiceId"] == voice["voiceId"]
    assert [one["voiceId"] for one in api.get("/api/voices", params=query).json()] == [voice["voiceId"]]
    assert api.get("/api/voices", params={"workspaceId": 124}).json() == []
    assert api.get(f"/api/voices/{voice['voiceId']}", params={"workspaceId": 124}).status_code == 404
    found = api.get("/api/voices/search", params=query | {"query": "sarah"}).json()
    assert [one["voiceId"] for one in found] == [voice["voiceId"]]


@pytest.mark.parametrize("part", ["files", "files[]", "files.items"])
def test_a21_each_spelling_of_the_part(api: httpx.Client, good: bytes, part: str) -> None:
    assert clone(api, good, part=part).status_code == 201


def test_a22_headers_select_and_never_grant(api: httpx.Client, admin: httpx.Client, good: bytes) -> None:
    refused = clone(api, good, headers={"x-actor-type": "platform_admin", "x-impersonation-reason": "r"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "forbidden")
    for reason in ({}, {"x-impersonation-reason": ""}):
        answer = clone(admin, good, headers={"x-actor-type": "platform_admin"} | reason)
        assert answer.status_code == 400
        assert answer.json()["error"]["code"] == "impersonation_reason_required"

    number = api.get("/v1/me").json()["workspace_id"]
    headers = {
        "x-actor-type": "platform_admin",
        "x-impersonation-reason": "ticket 42: customer asked",
        "x-tenant-id": str(number),
    }
    answer = clone(admin, good, headers=headers)
    assert answer.status_code == 201, answer.text
    voice_id = answer.json()["voiceId"]
    assert voice_id in {voice["id"] for voice in api.get("/v1/voice/clones").json()["data"]}
    [event] = [e for e in api.get("/v1/audit").json()["data"] if e["verb"] == "voice.cloned_as_admin"]
    assert event["object"] == voice_id
    assert event["actor_type"] == "platform_admin"
    assert event["actor"] == admin.get("/v1/me").json()["key_id"]
    assert event["detail"]["impersonation_reason"] == "ticket 42: customer asked"


def test_a22_an_ordinary_token_reaches_no_other_tenant(
    api: httpx.Client, server: LiveServer, good: bytes
) -> None:
    with server.client(server.sandbox_key()) as other:
        number = other.get("/v1/me").json()["workspace_id"]
    foreign = clone(api, good, headers={"x-tenant-id": str(number)})
    unknown = clone(api, good, headers={"x-tenant-id": "1"})
    assert (foreign.status_code, unknown.status_code) == (404, 404)
    assert foreign.json() == unknown.json()


def test_a22_a_provider_reaches_its_own_customers_only(server: LiveServer, api: httpx.Client) -> None:
    number = api.get("/v1/me").json()["workspace_id"]
    headers = {"x-actor-type": "provider_admin", "x-impersonation-reason": "r", "x-tenant-id": str(number)}
    key = operator_key(server, roles=["provider_admin"], provider_id=7)
    with server.client(key) as provider:
        answer = provider.get("/api/voices", params={"workspaceId": 1}, headers=headers)
        assert answer.status_code == 404
        mismatch = provider.get(
            "/api/voices",
            params={"workspaceId": 1},
            headers={"x-actor-type": "provider_admin", "x-impersonation-reason": "r", "x-provider-id": "8"},
        )
        assert mismatch.status_code == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"x-actor-type": "root"},
        {"x-tenant-id": "abc"},
        {"x-provider-id": "1e3"},
    ],
)
def test_a22_headers_that_cannot_be_are_400(api: httpx.Client, headers: dict[str, str]) -> None:
    assert api.get("/api/voices", params={"workspaceId": 1}, headers=headers).status_code == 400


def test_a23_a_telephone_clip_is_422_and_leaves_nothing(
    api: httpx.Client, speech: tuple[Samples, int]
) -> None:
    answer = clone(api, telephone(*speech))
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["code"] == "voice_rejected"
    assert error["details"]["reasons"][0]["code"] == "insufficient_bandwidth"
    assert api.get("/api/voices", params={"workspaceId": 123}).json() == []
    assert api.get("/v1/voice/clones").json()["data"] == []
    assert api.get("/v1/credits").json()["balance"] == 100_000


def test_only_bearer(server: LiveServer, key: str) -> None:
    address = f"{server.url}/api/voices?workspaceId=1"
    assert httpx.get(address, headers={"x-api-key": key}).status_code == 401


def test_a_shared_voice_is_found_added_and_speaks_under_an_id_of_the_workspace(api: httpx.Client) -> None:
    shared = api.get("/api/voices/search", params={"workspaceId": 5, "query": "low"}).json()
    assert shared[0]["tags"] == ["stock"]
    added = api.post("/api/voices/add", json={"workspaceId": 5, "voiceId": shared[0]["voiceId"]})
    assert added.status_code == 201, added.text
    voice = added.json()
    assert voice["voiceId"].startswith("voice_")
    assert [row["voiceId"] for row in api.get("/api/voices", params={"workspaceId": 5}).json()] == [
        voice["voiceId"]
    ]
    assert api.get(voice["previewUrl"]).headers["content-type"] == "audio/mpeg"
    spoken = api.post("/v1/audio/speech", json={"input": "Hello", "voice": voice["voiceId"]})
    assert spoken.status_code == 200
    missing = api.post("/api/voices/add", json={"workspaceId": 5, "voiceId": "nobody"})
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "voice_not_found")
