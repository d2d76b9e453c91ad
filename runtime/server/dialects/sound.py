"""Speech on its way out of an HTTP answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from runtime.server.speech import Speech

NO_BUFFERING = {"cache-control": "no-store", "x-accel-buffering": "no"}
"""Proxies shall pass on what they get: a voice agent waits for the first bytes."""


BINARY = {"schema": {"type": "string", "contentMediaType": "application/octet-stream"}}
"""A body of bytes, in OpenAPI 3.1."""


def answers(*media_types: str) -> dict[int | str, dict[str, Any]]:
    """For OpenAPI: a successful answer is bytes of one of these types."""
    return {200: {"content": {media_type: BINARY for media_type in media_types}}}


MP3 = answers("audio/mpeg")


async def in_pieces(speech: Speech) -> AsyncIterator[bytes]:
    """The file's bytes as they are made; a client that goes away stops the engine."""
    pieces = aiter(speech)
    try:
        async for piece in pieces:
            yield piece
    finally:
        speech.cancel()


async def whole(speech: Speech) -> bytes:
    """The file's bytes, when all of it was said."""
    return b"".join([piece async for piece in in_pieces(speech)])
