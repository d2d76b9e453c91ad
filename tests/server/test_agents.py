from __future__ import annotations

import httpx
import pytest

from tests.server.test_errors import problem


def make_agent(api: httpx.Client, **fields: object) -> dict[str, object]:
    answer = api.post("/v1/agents", json={"name": "Desk", **fields})
    assert answer.status_code == 201, answer.text
    agent: dict[str, object] = answer.json()
    return agent


def test_an_agent_comes_back_as_it_was_made(api: httpx.Client) -> None:
    fields = {
        "voice_id": "tone-low",
        "persona_system_prompt": "You are brief.",
        "greeting": "Hello — how can I help?",
        "metadata": {"team": "a"},
        "barge_sensitivity": "high",
    }
    made = make_agent(api, **fields)
    assert str(made["agent_id"]).startswith("agent_")
    assert made.items() >= fields.items()
    assert api.get(f"/v1/agents/{made['agent_id']}").json() == made
    assert api.get("/v1/agents").json()["data"] == [made]


def test_a_change_sets_what_is_sent_clears_what_is_null_and_leaves_the_rest(api: httpx.Client) -> None:
    agent_id = make_agent(api, greeting="Hi", voice_id="tone-low", metadata={"a": "b"})["agent_id"]
    changed = api.patch(f"/v1/agents/{agent_id}", json={"greeting": None, "keyterms": ["vivavoce"]}).json()
    assert changed["greeting"] is None
    assert changed["voice_id"] == "tone-low"
    assert changed["keyterms"] == ["vivavoce"]
    assert changed["metadata"] == {"a": "b"}


@pytest.mark.parametrize(
    "body",
    [
        {"name": ""},
        {"name": "x" * 201},
        {"name": None},
        {"voice_id": "voice_doesnotexist"},
        {"brain": "magic"},
        {"voice_fallback": "voice_x"},
        {"metadata": {"k": 1}},
        {"metadata": {"k" * 65: "v"}},
        {"greting": "a typing error"},
        {"greeting": "x" * 1001},
        {"speed": 9},
    ],
)
def test_a_field_that_cannot_be_is_400_and_named(api: httpx.Client, body: dict[str, object]) -> None:
    agent_id = make_agent(api)["agent_id"]
    answer = api.patch(f"/v1/agents/{agent_id}", json=body)
    assert answer.status_code == 400, answer.text
    assert next(iter(body)) in answer.json()["error"]["message"]


def test_a_deleted_agent_is_gone(api: httpx.Client) -> None:
    agent_id = make_agent(api)["agent_id"]
    assert api.delete(f"/v1/agents/{agent_id}").status_code == 204
    for method in ("GET", "PATCH", "DELETE"):
        problem(api.request(method, f"/v1/agents/{agent_id}", json={}), 404, "not_found")


def test_another_tenants_agent_is_answered_like_one_that_never_was(
    api: httpx.Client, stranger: httpx.Client
) -> None:
    foreign = make_agent(api)["agent_id"]
    for method in ("GET", "PATCH", "DELETE"):
        answers = [
            stranger.request(method, f"/v1/agents/{agent_id}", json={"name": "mine"})
            for agent_id in (foreign, "agent_doesnotexist")
        ]
        bodies = [answer.json() for answer in answers]
        assert [answer.status_code for answer in answers] == [404, 404]
        for body in bodies:
            del body["request_id"]
        assert bodies[0] == bodies[1]
    assert stranger.get("/v1/agents").json()["data"] == []
    assert api.get(f"/v1/agents/{foreign}").json()["name"] == "Desk"


def test_pages_of_agents_follow_the_cursor(api: httpx.Client) -> None:
    made = [make_agent(api, greeting=str(number))["agent_id"] for number in range(5)]
    seen: list[str] = []
    cursor = None
    while True:
        page = api.get("/v1/agents", params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        seen += [agent["agent_id"] for agent in page["data"]]
        cursor = page["next_cursor"]
        if not page["has_more"]:
            break
    assert seen == made[::-1]


@pytest.mark.parametrize("limit", ["0", "101", "x"])
def test_a_limit_that_cannot_be_is_400(api: httpx.Client, limit: str) -> None:
    assert api.get("/v1/agents", params={"limit": limit}).status_code == 400
