"""Two tenants attack each other through every address that takes an id: see :mod:`tests.attacks`."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from runtime.server.dialects.catalogue import DIALECTS
from runtime.server.dialects.route import Access
from tests import attacks
from tests.attacks import Attack, like, seen
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
"""Addresses that ask for no key, on purpose: they give out only what is public, or what they have signed."""

HARMLESS = {
    "/v1/agents/{agent_id}/voice/design/generate-script",
    "/v1/agents/{agent_id}/voice/design/generate-description",
    "/v1/provenance/verify",
}
"""Addresses that change and cost nothing, whatever their method: any key will do."""

ELSEWHERE = {
    "/docs/{dialect}": "public",
    "/openapi/{dialect}.json": "public",
    "/telephony/{carrier}/{agent_id}": "a carrier's own proof lets it in: tests/server/test_telephony.py",
    "/telephony/{carrier}/{agent_id}/voice": "the same",
    "/telephony/{carrier}/{agent_id}/transfer": "the same",
    "/v1/realtime/calls/{call_id}": "tests/server/test_webrtc.py, and below",
    "/v1/realtime/calls/{call_id}/hangup": "the same",
    "/v1/text-to-speech/{voice_id}/stream-input": "below",
    "/v1/text-to-speech/{voice_id}/multi-stream-input": "below",
}
"""Addresses with ids that no OpenAPI document has, and where they are attacked."""

SOCKETS = (
    "/v1/text-to-speech/{id}/stream-input",
    "/v1/text-to-speech/{id}/multi-stream-input",
    "/v1/realtime?model={id}",
    "/v1/realtime?call_id={id}",
    "/v1/realtime?resume={id}",
    "/v1/omni?session_label={id}",
)

NAMED: dict[str, dict[str, Any]] = {
    "POST /v1/audio/speech": {"input": "x", "voice": "{id}"},
    "POST /v1/agents": {"name": "x", "voice_id": "{id}"},
    "POST /v1/agents ": {"name": "x", "voice_fallback": "{id}"},
    "GET /v1/voice/clones?cursor={id}": {},
    "GET /v1/agents?cursor={id}": {},
    "GET /v1/omni/calls?cursor={id}": {},
    "GET /v1/omni/calls?session_label={id}": {},
    "GET /v1/audio/voice_consents?after={id}": {},
    "GET /api/public/v1/voices?cursor={id}": {},
}
"""Ids that are not in the path."""


@pytest.fixture(scope="session")
def victim_key(server: LiveServer) -> str:
    return server.sandbox_key()


@pytest.fixture(scope="session")
def theirs(server: LiveServer, victim_key: str, good: bytes) -> dict[str, str]:
    return attacks.victim(server, victim_key, good)


@pytest.fixture(scope="session")
def attacker(server: LiveServer) -> tuple[str, dict[str, str]]:
    """A key, and what is its own."""
    key = server.sandbox_key()
    with server.client(key) as client:
        return key, {"agent": client.post("/v1/agents", json={"name": "Mine"}).json()["agent_id"]}


@pytest.mark.parametrize("case", ROUTES, ids=lambda case: f"{case[0]} {case[1].path}")
def test_every_route_says_who_may_call_it(case: tuple[str, APIRoute]) -> None:
    demanded = case[1].endpoint.__access__
    assert isinstance(demanded, Access)
    assert demanded.anyone == (case[1].path in OPEN)
    if case[0] != "GET" and not demanded.anyone and case[1].path not in HARMLESS:
        assert demanded.scope is not None


def test_every_address_with_an_id_is_attacked_somewhere() -> None:
    assert set(attacks.undocumented()) == set(ELSEWHERE)


@pytest.mark.parametrize("attack", attacks.attacks(), ids=str)
def test_a_foreign_id_is_answered_like_one_that_never_was(
    server: LiveServer, theirs: dict[str, str], attacker: tuple[str, dict[str, str]], attack: Attack
) -> None:
    key, mine = attacker
    with server.client() as client:
        for values in attack.targets(mine, theirs):
            foreign = set(values.values()) - set(mine.values())
            wrong = {name: like(value) if value in foreign else value for name, value in values.items()}
            answer = attack.send(client, values, key)
            assert answer.status_code == 404, answer.text
            assert seen(answer, values) == seen(attack.send(client, wrong, key), wrong)
        assert attack.send(client, values, "vv_test_wrong").status_code == 401
        assert attack.send(client, values, None).status_code in (401, 405)  # 405: not in PyAI's


@pytest.mark.parametrize("named", NAMED)
def test_a_foreign_id_in_a_body_or_query_is_one_that_never_was(
    server: LiveServer, theirs: dict[str, str], attacker: tuple[str, dict[str, str]], named: str
) -> None:
    method, path = named.split(" ", 1)

    def ask(client: httpx.Client, id: str) -> tuple[int, dict[str, str], str]:
        body = {name: value.format(id=id) for name, value in NAMED[named].items()}
        return seen(client.request(method, path.strip().format(id=id), json=body or None), {"id": id})

    with server.client(attacker[0]) as client:
        for id in theirs.values():
            assert ask(client, id) == ask(client, like(id))


@pytest.mark.parametrize("path", SOCKETS)
def test_a_socket_tells_a_foreign_id_from_a_wrong_one_in_nothing(
    server: LiveServer, theirs: dict[str, str], attacker: tuple[str, dict[str, str]], path: str
) -> None:
    for id in (theirs["agent"], theirs["voice"], theirs["call"]):
        assert dial(server, path, id, attacker[0]) == dial(server, path, like(id), attacker[0])
    assert dial(server, path, theirs["agent"], "vv_test_wrong")[0] in (401, 1008)


def dial(server: LiveServer, path: str, id: str, key: str) -> tuple[int, str]:
    """How a socket is refused, or what it says first and how it ends."""
    url = server.url.replace("http", "ws") + path.format(id=id)
    try:
        with connect(url, additional_headers={"authorization": f"Bearer {key}"}) as socket:
            if "stream-input" in path:
                socket.send('{"text": " "}')
                socket.send('{"text": "Hello. "}')
                socket.send('{"text": ""}')
            first = socket.recv(timeout=10)
            if "error" not in str(first):  # a name that is no id of ours opens a plain agent
                return 101, ""
            socket.recv(timeout=10)
    except InvalidStatus as refused:
        return refused.response.status_code, refused.response.body.decode().replace(id, "ID")
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else 1006, str(first).replace(id, "ID")
    raise AssertionError(f"{path} talks to a stranger")


@pytest.mark.parametrize("method", ["PATCH", "DELETE", "POST"])
def test_calls_on_webrtc_are_nobody_elses(
    server: LiveServer, attacker: tuple[str, dict[str, str]], method: str
) -> None:
    path = "/v1/realtime/calls/rtc_u0_doesnotexist" + ("/hangup" if method == "POST" else "")
    with server.client(attacker[0]) as client:
        assert client.request(method, path, content=b"").status_code in (400, 404)


def test_the_victim_still_has_everything(server: LiveServer, theirs: dict[str, str], victim_key: str) -> None:
    with server.client(victim_key) as client:
        assert client.get(f"/v1/voice/clones/{theirs['voice']}").json()["status"] == "ready"
        assert client.get(f"/v1/agents/{theirs['agent']}").json()["name"] == "Desk"
        assert client.get(f"/v1/audio/voice_consents/{theirs['consent']}").json()["name"] == "x"
        assert client.get(f"/v1/webhooks/{theirs['webhook']}").status_code == 200
        assert client.get("/v1/me").status_code == 200
