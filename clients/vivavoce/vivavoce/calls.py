"""Calls that are over: what was said, and how it sounded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vivavoce.client import Vivavoce


class Calls:
    def __init__(self, client: Vivavoce) -> None:
        self._client = client

    def get(self, id: str) -> dict[str, Any]:
        return self._client.json("GET", f"/v1/omni/calls/{id}")

    def transcript(self, id: str) -> list[dict[str, Any]]:
        """Its turns, in order: ``role``, ``text``, ``start_ms``, ``end_ms``."""
        turns: list[dict[str, Any]] = self._client.json("GET", f"/v1/omni/calls/{id}/transcript")["turns"]
        return turns

    def recording(self, id: str) -> bytes:
        """A stereo WAV, the caller left and the agent right."""
        return self._client.request("GET", f"/v1/omni/calls/{id}/recording", follow_redirects=True).content

    def delete(self, id: str) -> None:
        """With its transcript and its recording."""
        self._client.request("DELETE", f"/v1/omni/calls/{id}")

    def list(self, *, agent: str | None = None) -> Iterator[dict[str, Any]]:
        """All of them, newest first; or those of one agent."""
        return self._client.pages("/v1/omni/calls", session_label=agent)
