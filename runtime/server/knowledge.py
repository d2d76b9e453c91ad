"""
Asks the knowledge bases that calls are configured with (``kb_endpoint``), and reaches nothing it should not.

One POST a turn: ``{"session_label", "query"}`` with ``Authorization: Bearer <kb_token>``. The answer is
``{"context", "results": [{"content"}]}``. A base that is slow or broken costs the answer its help, and the
caller nothing but :data:`BUDGET`.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Collection
from typing import Any

import httpcore

from runtime.errors import InvalidRequest
from runtime.server.fetch import guarded_pool
from sessions.brains.knowledge import KnowledgeBase

log = logging.getLogger(__name__)

BUDGET = 0.3
"""Seconds for an answer, as documented."""

MAX_ANSWER_BYTES = 64 * 2**10
MAX_CHARACTERS = 16_000
"""Of an answer that a model is told."""


class HttpLibrarian:
    """
    Args:
        allow_hosts: Names (or ``name:port``) that may be in a private network; all others must be public.
        budget: Seconds for an answer.
    """

    def __init__(self, *, allow_hosts: Collection[str] = (), budget: float = BUDGET) -> None:
        self._allowed = frozenset(host.lower() for host in allow_hosts)
        self._budget = budget

    async def look_up(self, base: KnowledgeBase, query: str) -> str | None:
        """See :class:`sessions.brains.knowledge.Librarian`."""
        try:
            async with asyncio.timeout(self._budget):
                return knowledge(await self._post(base, query))
        except TimeoutError:
            log.info("a knowledge base took more than %g s", self._budget)
        except InvalidRequest as error:
            log.info("a knowledge base cannot be asked: %s", error.message.partition(": ")[2])
        except (OSError, httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
            log.info("a knowledge base cannot be reached: %s", type(error).__name__)
        return None

    async def _post(self, base: KnowledgeBase, query: str) -> bytes:
        headers = [(b"content-type", b"application/json"), (b"user-agent", b"vivavoce")]
        if base.token:
            headers.append((b"authorization", b"Bearer " + base.token.encode("utf-8", "replace")))
        body = json.dumps({"session_label": base.label, "query": query}).encode()
        async with (
            guarded_pool(base.url, self._allowed) as (pool, address, host),
            pool.stream("POST", address, headers=[*headers, host], content=body) as answer,
        ):
            if answer.status != 200:
                log.info("a knowledge base answered with status %d", answer.status)
                return b""
            data = bytearray()
            async for piece in answer.aiter_stream():
                data += piece
                if len(data) > MAX_ANSWER_BYTES:
                    return b""
            return bytes(data)


def knowledge(answer: bytes) -> str | None:
    """The words in a base's answer: its ``context``, or the contents of its results where that is empty."""
    try:
        body: Any = json.loads(answer)
    except (ValueError, RecursionError):
        return None
    if not isinstance(body, dict):
        return None
    context, results = body.get("context"), body.get("results")
    if isinstance(context, str) and context.strip():
        return context.strip()[:MAX_CHARACTERS]
    contents = [
        result["content"].strip()
        for result in (results if isinstance(results, list) else ())
        if isinstance(result, dict) and isinstance(result.get("content"), str)
    ]
    return "\n\n".join(filter(None, contents))[:MAX_CHARACTERS] or None
