from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from starlette.requests import Request
from starlette.types import Message

from runtime.errors import RequestError, UploadTooLarge
from runtime.server.dialects.route import body_limit, bounded


def request(*chunks: bytes, headers: dict[str, str] | None = None, hangs: bool = False) -> Request:
    pieces: Iterator[bytes] = iter(chunks)

    async def receive() -> Message:
        try:
            return {"type": "http.request", "body": next(pieces), "more_body": True}
        except StopIteration:
            if hangs:
                await asyncio.Event().wait()
            return {"type": "http.request", "body": b"", "more_body": False}

    raw = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    return Request({"type": "http", "method": "POST", "path": "/", "headers": raw}, receive)


async def body(sent: Request, limit: int) -> bytes:
    return await Request(sent.scope, bounded(sent, limit, idle=0.05)).body()


async def test_a_body_up_to_the_limit_is_read() -> None:
    assert await body(request(b"abc", b"de"), 5) == b"abcde"


async def test_a_body_is_refused_at_the_first_byte_too_many() -> None:
    with pytest.raises(UploadTooLarge):
        await body(request(b"abc", b"def", hangs=True), 5)


async def test_a_declared_length_too_many_is_refused_before_anything_is_read() -> None:
    with pytest.raises(UploadTooLarge):
        await body(request(headers={"content-length": "6"}, hangs=True), 5)


async def test_a_client_that_pauses_is_408() -> None:
    with pytest.raises(RequestError) as caught:
        await body(request(b"abc", hangs=True), 5)
    assert caught.value.status == 408


def test_base64_may_be_a_third_larger_than_what_it_carries() -> None:
    assert body_limit("base64", 3_000_000) > 4_000_000
    assert body_limit("upload", 3_000_000) > 3_000_000
    assert body_limit("json", 3_000_000) < 3_000_000
