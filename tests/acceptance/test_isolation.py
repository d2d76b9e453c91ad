"""
Two tenants attack each other through every address that takes an id.

The addresses come from the application's own route table, so a new one is attacked by default: whoever adds
a parameter that is not known here is told so.
"""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute

from runtime.server.dialects import elevenlabs
from runtime.server.dialects.catalogue import DIALECTS
from runtime.server.dialects.route import Access
from tests.acceptance.test_omni import call, kept_call
from tests.acceptance.test_pyai import enrol
from tests.live_server import LiveServer

ROUTES = [
    (method, route)
    for dialect in DIALECTS
    for router in dialect.routers
    for route in router.routes
    if isinstance(route, APIRoute)
    for method in sorted(route.methods)
]

OPEN = {"/v1/sandbox/keys", "/v1/voices/{id}/sample", "/v1/files/{token}"}
"""Addresses that ask for no key, on purpose."""

HARMLESS = {
    "/v1/agents/{agent_id}/voice/design/generate-script",
    "/v1/agents/{agent_id}/voice/design/generate-description",
    "/v1/provenance/verify",
}
"""Addresses that change and cost nothing, whatever their method: any key will do."""

BODIES: dict[str, dict[str, Any]] = {
    "/v1/agents/{agent_id}/voice/clone": {"name": "x", "audio_base64": "UklGRg=="},
    "/v1/agents/{agent_id}/voice/design": {"generation_id": "gen_x", "name": "x"},
    "/v1/agents/{agent_id}/voice/design/generate-description": {"gender": "male"},
    "/v1/agents/{agent_id}/voice/design/generate-samples": {"text": "x"},
    "/v1/agents/{agent_id}/voice/integrations/elevenlabs": {"api_key": "x"},
    "/v1/agents/{agent_id}/voice/integrations/elevenlabs/test": {"api_key": "x"},
    "/v1/agents/{agent_id}/voice/{voice_id}/preview": {"text": "x"},
    "/v1/audio/voice_consents/{id}": {"name": "x"},
    "/v1/voice/design/{id}/save": {"candidate_id": "c1", "name": "x"},
}
SPOKEN: dict[str, Any] = {"text": "x"}


def describe(case: tuple[str, APIRoute]) -> str:
    return f"{case[0]} {case[1].path}"


def headers(route: APIRoute, key: str) -> dict[str, str]:
    if route.path.startswith("/v1/agents/{agent_id}/"):
        return {"x-api-key": key}
    if isinstance(route, elevenlabs.ElevenLabsRoute):
        return {"xi-api-key": key}
    return {"authorization": f"Bearer {key}"}


@pytest.fixture(scope="session")
def victim(server: LiveServer, good: bytes) -> dict[str, str]:
    """Somebody with one of everything, and the ids of it."""
    key = server.sandbox_key()
    with server.client(key) as client:
        agent = client.post("/v1/agents", json={"name": "Desk"}).json()["agent_id"]
        job = httpx.post(
            f"{server.url}/v1/agents/{agent}/voice/tone-low/preview",
            json={"text": "Hi"},
            headers={"x-api-key": key},
        )
        consent = client.post(
            "/v1/audio/voice_consents",
            data={"name": "x", "language": "en"},
            files={"recording": ("a.wav", good, "audio/wav")},
        )
        with call(server, key, session_label=agent) as omni:
            omni.send(type="session_ending")
            omni.until("session_end")
        return {
            "key": key,
            "call": kept_call(client)["id"],
            "voice": enrol(client, good)["id"],
            "agent": agent,
            "job": str(job.json()["user_job_id"]),
            "consent": consent.json()["id"],
            "apikey": client.get("/v1/keys").json()["data"][0]["id"],
        }


def ids(path: str, victim: dict[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """What to put for each parameter: the victim's id, and one that never was."""
    real, fake = {}, {}
    for name in re.findall(r"{(\w+)}", path):
        if name == "agent_id" or path.startswith("/v1/agents/{id}"):
            real[name], fake[name] = victim["agent"], "agent_doesnotexist"
        elif path.startswith("/v1/omni/calls"):
            real[name], fake[name] = victim["call"], "sess_doesnotexist"
        elif path.startswith("/v1/voice/design"):
            real[name], fake[name] = "dsn_doesnotexist", "dsn_doesnoteither"
        elif name == "job_id":
            real[name], fake[name] = victim["job"], "123456789"
        elif path.startswith("/v1/keys"):
            real[name], fake[name] = victim["apikey"], "key_doesnotexist"
        elif "voice_consents" in path:
            real[name], fake[name] = victim["consent"], "cons_doesnotexist"
        elif path.startswith("/v1/models"):
            real[name], fake[name] = "no-such-model", "no-such-model"
        elif name in ("voice_id", "voiceId", "id"):
            real[name], fake[name] = victim["voice"], "voice_doesnotexist"
        else:
            raise AssertionError(f"say what {{{name}}} in {path} is, so that it can be attacked")
    return real, fake


@pytest.mark.parametrize("case", ROUTES, ids=describe)
def test_every_route_says_who_may_call_it(case: tuple[str, APIRoute]) -> None:
    demanded = case[1].endpoint.__access__
    assert isinstance(demanded, Access)
    assert demanded.anyone == (case[1].path in OPEN)
    if case[0] != "GET" and not demanded.anyone and case[1].path not in HARMLESS:
        assert demanded.scope is not None


@pytest.mark.parametrize(
    "case", [case for case in ROUTES if "{" in case[1].path and case[1].path not in OPEN], ids=describe
)
def test_a_foreign_id_is_answered_like_one_that_never_was(
    server: LiveServer, victim: dict[str, str], key: str, case: tuple[str, APIRoute]
) -> None:
    method, route = case
    real, fake = ids(route.path, victim)
    body = BODIES.get(route.path, SPOKEN if "text-to-speech" in route.path else {})
    query = {"workspaceId": "1"} if route.path.startswith("/api/voices") else {}

    def ask(values: dict[str, str], with_key: str) -> tuple[int, str]:
        path = route.path.format(**values)
        answer = httpx.request(
            method, f"{server.url}{path}", headers=headers(route, with_key), json=body, params=query
        )
        text = re.sub(r"req_\w+|\d{4}-\d\d-\d\dT[\d:.]+Z", "", answer.text)
        for value in values.values():
            text = text.replace(value, "ID")
        return answer.status_code, text

    status, text = ask(real, key)
    assert status == 404
    assert (status, text) == ask(fake, key)
    assert ask(real, "vv_test_wrong")[0] == 401


def test_the_victim_still_has_everything(server: LiveServer, victim: dict[str, str]) -> None:
    with server.client(victim["key"]) as client:
        assert client.get(f"/v1/voice/clones/{victim['voice']}").json()["status"] == "ready"
        assert client.get(f"/v1/agents/{victim['agent']}").json()["name"] == "Desk"
        assert client.get(f"/v1/audio/voice_consents/{victim['consent']}").json()["name"] == "x"
        assert client.get("/v1/me").status_code == 200
