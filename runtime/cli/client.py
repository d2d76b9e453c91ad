"""The server as the command line sees it: HTTP, and nothing that a stranger's client could not do."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import httpx

DEFAULT_URL = "http://127.0.0.1:8080"
PATIENCE_SECONDS = 120.0
"""How long a clone is waited for: the documented bound of the enrolment API."""


class ApiError(Exception):
    """The server refused; the message is its own."""

    def __init__(self, status: int, message: str, *, code: str | None = None, fix: str | None = None) -> None:
        super().__init__(f"{message} ({status}{f', {code}' if code else ''})")
        self.status = status
        self.code = code
        self.fix = fix


class Unreachable(Exception):
    """No server answered at the address."""


class Client:
    """
    A connection to one server with one key.

    Args:
        url: Where the server is; ``VIVAVOCE_URL`` or the default address where None.
        api_key: ``VIVAVOCE_API_KEY`` where None.
    """

    def __init__(self, url: str | None = None, api_key: str | None = None) -> None:
        self.url = (url or os.environ.get("VIVAVOCE_URL") or DEFAULT_URL).rstrip("/")
        self.api_key = api_key or os.environ.get("VIVAVOCE_API_KEY")
        headers = {"authorization": f"Bearer {self.api_key}"} if self.api_key else {}
        self._http = httpx.Client(
            base_url=self.url, headers=headers, timeout=httpx.Timeout(60.0, connect=5.0)
        )

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """
        One request.

        Raises:
            ApiError: The server answered with an error.
            Unreachable: It did not answer.
        """
        try:
            response = self._http.request(method, path, **options)
        except httpx.TransportError as error:
            raise Unreachable(f"no server at {self.url}: {error}") from error
        raise_for_api_error(response)
        return response

    def json(self, method: str, path: str, **options: Any) -> Any:
        """One request whose answer is JSON."""
        return self.request(method, path, **options).json()

    def stream(self, path: str, body: dict[str, Any]) -> Iterator[bytes]:
        """POST and yield the answer's bytes as they arrive."""
        try:
            with self._http.stream("POST", path, json=body) as response:
                if response.is_error:
                    response.read()
                raise_for_api_error(response)
                yield from response.iter_bytes()
        except httpx.TransportError as error:
            raise Unreachable(f"no server at {self.url}: {error}") from error

    def enrol(self, name: str, clip: BinaryIO, *, filename: str) -> dict[str, Any]:
        """Upload a recording; the answer is the new voice, normally ``pending``."""
        voice: dict[str, Any] = self.json(
            "POST", "/v1/voice/clones", data={"name": name}, files={"file": (filename, clip)}
        )
        return voice

    def wait_for_voice(
        self,
        voice_id: str,
        *,
        each: Callable[[dict[str, Any]], None] = lambda _voice: None,
        interval: float = 0.25,
    ) -> dict[str, Any]:
        """Poll until the voice is ``ready`` or ``failed``; ``each`` sees every answer."""
        give_up = time.monotonic() + PATIENCE_SECONDS
        while True:
            voice: dict[str, Any] = self.json("GET", f"/v1/voice/clones/{voice_id}")
            each(voice)
            if voice["status"] != "pending":
                return voice
            if time.monotonic() > give_up:
                raise ApiError(504, f"{voice_id} is still pending after {PATIENCE_SECONDS:.0f} s")
            time.sleep(interval)


def raise_for_api_error(response: httpx.Response) -> None:
    """Turn an error answer of any of our shapes into :class:`ApiError`."""
    if not response.is_error:
        return
    try:
        body = response.json()
    except ValueError:
        raise ApiError(response.status_code, response.text[:200] or response.reason_phrase) from None
    error = body.get("error", body) if isinstance(body, dict) else {}
    if isinstance(error, str):
        error = {"message": error, "code": body.get("error_code")}
    message = error.get("message") or (body.get("detail") if isinstance(body, dict) else None)
    raise ApiError(
        response.status_code, str(message or body)[:500], code=error.get("code"), fix=error.get("fix")
    )
