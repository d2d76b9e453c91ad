"""Rates, and how each product tells of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.live_server import LiveServer, live_server


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with live_server(tmp_path_factory.mktemp("strict"), rate_limit_per_minute=5) as server:
        yield server


def worn_out(server: LiveServer, path: str, header: str) -> httpx.Response:
    """The first answer to a key that has asked too often."""
    key = server.sandbox_key()
    headers = {header: f"Bearer {key}" if header == "authorization" else key}
    for _ in range(20):
        answer = httpx.get(server.url + path, headers=headers)
        if answer.status_code == 429:
            return answer
    raise AssertionError("never too often")


def test_truedy_tells_in_the_body_only(strict: LiveServer) -> None:
    answer = worn_out(strict, "/api/public/v1/voices", "authorization")
    assert "retry-after" not in answer.headers
    error = answer.json()["error"]
    assert error["code"] == "rate_limit_exceeded"
    assert error["details"]["limit"] == 5
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", error["details"]["reset_at"])


@pytest.mark.parametrize(
    ("path", "header", "member"),
    [
        ("/v1/me", "authorization", ("error", "code")),
        ("/api/voices?workspaceId=1", "authorization", ("error", "code")),
        ("/v1/agents/agent_x/voice/library", "x-api-key", ("error_code",)),
    ],
)
def test_the_others_tell_when_to_come_back(
    strict: LiveServer, path: str, header: str, member: tuple[str, ...]
) -> None:
    answer = worn_out(strict, path, header)
    assert int(answer.headers["retry-after"]) >= 1
    body: Any = answer.json()
    for name in member:
        body = body[name]
    assert body == "rate_limit_exceeded"


def test_one_key_does_not_wear_out_another(strict: LiveServer, tmp_path: Path) -> None:
    worn_out(strict, "/v1/me", "authorization")
    with strict.client(strict.sandbox_key()) as other:
        assert other.get("/v1/me").status_code == 200
