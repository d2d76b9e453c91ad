"""A-50: the OpenAPI documents, and what is really answered."""

from __future__ import annotations

import httpx
import pytest

from runtime.server.dialects.catalogue import DIALECTS
from tests.live_server import LiveServer

NAMES = [dialect.name for dialect in DIALECTS]


@pytest.mark.parametrize("name", NAMES)
def test_every_dialect_has_a_document_and_a_page_that_loads_nothing(server: LiveServer, name: str) -> None:
    document = httpx.get(f"{server.url}/openapi/{name}.json").json()
    assert document["openapi"].startswith("3.")
    operations = [o for methods in document["paths"].values() for o in methods.values()]
    assert operations
    identifiers = [operation["operationId"] for operation in operations]
    assert len(set(identifiers)) == len(identifiers)
    page = httpx.get(f"{server.url}/docs/{name}").text
    assert all(path in page for path in document["paths"])
    assert "http://" not in page
    assert "https://" not in page


def test_what_is_in_no_dialect_is_404(server: LiveServer) -> None:
    assert httpx.get(f"{server.url}/openapi/nobody.json").status_code == 404
    assert httpx.get(f"{server.url}/docs/nobody").status_code == 404


@pytest.mark.parametrize("name", NAMES)
def test_no_operation_breaks_on_an_empty_request(server: LiveServer, key: str, name: str) -> None:
    document = httpx.get(f"{server.url}/openapi/{name}.json").json()
    headers = {"authorization": f"Bearer {key}"}
    if name in ("elevenlabs", "agentcore"):
        headers = {"xi-api-key" if name == "elevenlabs" else "x-api-key": key}
    for path, methods in document["paths"].items():
        for method in methods:
            address = f"{server.url}{path}".replace("{", "").replace("}", "")
            for body in (b"", b"{}", b"[]", b"\xff"):
                answer = httpx.request(
                    method, address, headers=headers | {"content-type": "application/json"}, content=body
                )
                assert answer.status_code < 500, f"{method} {path} {body!r}: {answer.text[:300]}"
                assert answer.status_code != 401


def test_a_dialect_can_be_named_in_the_address(server: LiveServer, key: str) -> None:
    bearer = {"authorization": f"Bearer {key}"}
    assert httpx.get(f"{server.url}/d/pyai/v1/me", headers=bearer).status_code == 200
    truedy = httpx.get(f"{server.url}/d/truedy/api/public/v1/voices", headers=bearer)
    assert truedy.json()["data"] == []
    assert "error_code" in httpx.get(f"{server.url}/d/agentcore/nothing").json()
