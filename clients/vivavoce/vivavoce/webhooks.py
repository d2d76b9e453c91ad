"""Webhooks, and whether what came to one is from the server."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vivavoce.client import Vivavoce


class Webhooks:
    def __init__(self, client: Vivavoce) -> None:
        self._client = client

    def create(self, *, url: str, events: Sequence[str] = ()) -> dict[str, Any]:
        """The answer's ``secret`` is shown once. No events are all of them."""
        return self._client.json("POST", "/v1/webhooks", json={"url": url, "events": list(events)})

    def list(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._client.json("GET", "/v1/webhooks")["data"]
        return found

    def test(self, id: str) -> str:
        """Have an event sent; returns its id."""
        return str(self._client.json("POST", f"/v1/webhooks/{id}/test")["event_id"])

    def delete(self, id: str) -> None:
        self._client.request("DELETE", f"/v1/webhooks/{id}")


def is_genuine(body: bytes, header: str, secret: str, *, tolerance_seconds: float = 300.0) -> bool:
    """
    Whether a request to your webhook came from the server, and lately.

    Args:
        body: As it came.
        header: ``X-PyAI-Signature``.
        secret: Of the webhook.
    """
    parts = dict(part.split("=", 1) for part in header.split(",") if "=" in part)
    moment, claimed = parts.get("t", ""), parts.get("v1", "")
    if not moment.isdigit() or abs(time.time() - int(moment)) > tolerance_seconds:
        return False
    expected = hmac.new(secret.encode(), moment.encode() + b"." + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, claimed)
