"""Every refusal has the dialect's shape, and none is a 500."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import httpx
import pytest

from tests.live_server import LiveServer


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, object]:
    """The ``error`` member of an RFC 9457 answer."""
    assert answer.headers["content-type"] == "application/problem+json", answer.status_code
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert body["status"] == status
    assert body["request_id"] == answer.headers["x-request-id"]
    assert body["detail"] == body["error"]["message"]
    assert body["error"]["code"] == code
    error: dict[str, object] = body["error"]
    return error


def test_no_key_is_401_in_openais_shape(server: LiveServer) -> None:
    for headers in ({}, {"authorization": "Bearer x"}, {"authorization": "Basic x"}, {"x-api-key": "é"}):
        answer = httpx.get(f"{server.url}/v1/me", headers=httpx.Headers(headers, encoding="utf-8"))
        assert answer.status_code == 401
        assert answer.json() == {
            "error": {
                "message": "Missing or invalid API key.",
                "type": "authentication_error",
                "code": "unauthorized",
                "param": None,
            }
        }


def test_a_key_works_as_bearer_and_as_x_api_key(server: LiveServer) -> None:
    key = server.sandbox_key()
    for headers in ({"authorization": f"Bearer {key}"}, {"x-api-key": key}):
        assert httpx.get(f"{server.url}/v1/me", headers=headers).status_code == 200


def test_a_key_without_the_scope_is_403_whatever_the_body(server: LiveServer) -> None:
    with server.client(server.sandbox_key("voice:synthesize")) as client:
        for body in (b"", b"garbage", b"x" * 3_000_000):
            answer = client.post("/v1/voice/clones", content=body)
            assert answer.status_code == 403
            error = answer.json()["error"]
            assert error["code"] == "forbidden"
            assert error["required_scope"] == "voice:clone"


@pytest.mark.parametrize("body", [b"", b"{nope", b"\xff\xfe", b"[" * 100_000, b'"text"', b"null", b"[]"])
def test_a_body_that_is_not_a_json_object_is_400(api: httpx.Client, body: bytes) -> None:
    answer = api.post("/v1/agents", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_json_that_is_not_json_says_where(api: httpx.Client) -> None:
    answer = api.post("/v1/agents", content=b'{"name": }', headers={"content-type": "application/json"})
    error = problem(answer, 400, "invalid_json")
    assert "character 9" in str(error["message"])


def test_an_unknown_address_and_a_wrong_method_are_told_apart(api: httpx.Client) -> None:
    problem(api.get("/v1/nothing"), 404, "not_found")
    problem(api.put("/v1/me"), 405, "method_not_allowed")


def test_a_missing_field_is_named(api: httpx.Client) -> None:
    assert problem(api.post("/v1/agents", json={}), 400, "invalid_request")["param"] == "name"


def test_a_declared_length_beyond_the_limit_is_413_before_a_byte_is_read(server: LiveServer) -> None:
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port), timeout=10.0) as line:
        line.sendall(
            b"POST /v1/voice/clones HTTP/1.1\r\nHost: x\r\nContent-Length: 2147483648\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\n"
            b"Authorization: Bearer " + server.sandbox_key().encode() + b"\r\n\r\n"
        )
        assert line.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_a_chunked_body_beyond_the_limit_is_413(api: httpx.Client) -> None:
    def pieces() -> object:
        yield b'{"name": "'
        for _ in range(40):
            yield b"x" * 65536
        yield b'"}'

    answer = api.post("/v1/agents", content=pieces(), headers={"content-type": "application/json"})  # type: ignore[arg-type]
    problem(answer, 413, "payload_too_large")
