"""Agents: who answers a call, and in which voice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vivavoce.client import Vivavoce


class Agents:
    def __init__(self, client: Vivavoce) -> None:
        self._client = client

    def create(self, *, name: str, **fields: Any) -> dict[str, Any]:
        """
        Args:
            fields: ``voice_id``, ``persona_system_prompt``, ``greeting``, ``recordings_enabled``, …
        """
        return self._client.json("POST", "/v1/agents", json={"name": name, **fields})

    def get(self, id: str) -> dict[str, Any]:
        return self._client.json("GET", f"/v1/agents/{id}")

    def list(self) -> Iterator[dict[str, Any]]:
        """All of them, newest first."""
        return self._client.pages("/v1/agents")

    def change(self, id: str, **fields: Any) -> dict[str, Any]:
        """Set these fields; the next call lives by it."""
        return self._client.json("PATCH", f"/v1/agents/{id}", json=fields)

    def delete(self, id: str) -> None:
        self._client.request("DELETE", f"/v1/agents/{id}")
