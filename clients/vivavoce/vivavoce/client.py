"""The connection, and the resources of the API; nothing that HTTP does not say."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, ClassVar, Self

import httpx

from vivavoce.agents import Agents
from vivavoce.calls import Calls
from vivavoce.transcriptions import Transcriptions
from vivavoce.voices import Audio, VoiceResource
from vivavoce.webhooks import Webhooks

DEFAULT_BASE_URL = "http://127.0.0.1:8080"

PAGE = 100


class ApiError(Exception):
    """The server refused; branch on ``code``, never on the message."""

    def __init__(self, message: str, *, status: int, code: str | None, fix: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.fix = fix
        """What to change so that it works, where the server says."""


class Vivavoce:
    """
    Args:
        api_key: ``VIVAVOCE_API_KEY`` where None.
        base_url: ``VIVAVOCE_URL`` where None, else a server on this machine.

    Raises:
        ValueError: No key anywhere.
    """

    key_variable: ClassVar[str] = "VIVAVOCE_API_KEY"
    url_variable: ClassVar[str] = "VIVAVOCE_URL"

    def __init__(self, api_key: str | None = None, base_url: str | None = None) -> None:
        key = api_key or os.environ.get(self.key_variable)
        if not key:
            raise ValueError(f"no API key: pass api_key=… or set {self.key_variable}")
        self._http = httpx.Client(
            base_url=(base_url or os.environ.get(self.url_variable) or DEFAULT_BASE_URL).rstrip("/"),
            headers={"authorization": f"Bearer {key}"},
            timeout=httpx.Timeout(60.0, connect=10.0),
        )
        self.voice = VoiceResource(self)
        self.audio = Audio(self)
        self.agents = Agents(self)
        self.calls = Calls(self)
        self.transcriptions = Transcriptions(self)
        self.webhooks = Webhooks(self)

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One request. Raises ApiError."""
        answer = self._http.request(method, path, **options)
        if answer.is_error:
            raise _error(answer)
        return answer

    def json(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """One request whose answer is a JSON object. Raises ApiError."""
        body: dict[str, Any] = self.request(method, path, **options).json()
        return body

    def pages(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """Every object of a list, newest first, whatever its length. Raises ApiError."""
        query = {name: value for name, value in query.items() if value is not None} | {"limit": PAGE}
        while True:
            page = self.json("GET", path, params=query)
            yield from page["data"]
            if not page["has_more"]:
                return
            query["cursor"] = page["next_cursor"]


def _error(answer: httpx.Response) -> ApiError:
    answer.read()
    try:
        error = answer.json()["error"]
        return ApiError(
            error["message"], status=answer.status_code, code=error.get("code"), fix=error.get("fix")
        )
    except (ValueError, KeyError, TypeError):
        return ApiError(answer.text[:200] or answer.reason_phrase, status=answer.status_code, code=None)
