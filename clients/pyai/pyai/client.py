"""One class a resource of the API; nothing that HTTP does not say."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import httpx

DEFAULT_BASE_URL = "http://127.0.0.1:8080"
PATIENCE_SECONDS = 120.0
"""How long a clone is waited for: the documented bound."""


class PyAIError(Exception):
    """The server refused; branch on ``code``, never on the message."""

    def __init__(self, message: str, *, status: int, code: str | None, fix: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.fix = fix
        """What to change so that it works, where the server says."""


@dataclass(frozen=True, slots=True)
class Voice:
    """A cloned voice."""

    id: str
    name: str
    status: str
    """``pending``, ``ready`` or ``failed``."""
    failure: Mapping[str, Any] | None = None
    """Why it failed, and the fix."""
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Everything the server said."""

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Voice:
        return cls(body["id"], body["name"], body["status"], body.get("failure"), body)


class PyAI:
    """
    Args:
        api_key: ``PYAI_API_KEY`` where None.
        base_url: ``PYAI_BASE_URL`` where None, else a server on this machine.

    Raises:
        ValueError: No key anywhere.
    """

    def __init__(self, api_key: str | None = None, base_url: str | None = None) -> None:
        key = api_key or os.environ.get("PYAI_API_KEY")
        if not key:
            raise ValueError("no API key: pass api_key=… or set PYAI_API_KEY")
        self._http = httpx.Client(
            base_url=(base_url or os.environ.get("PYAI_BASE_URL") or DEFAULT_BASE_URL).rstrip("/"),
            headers={"authorization": f"Bearer {key}"},
            timeout=httpx.Timeout(60.0, connect=10.0),
        )
        self.voice = VoiceResource(self)
        self.audio = AudioResource(self)

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> PyAI:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One request. Raises PyAIError."""
        answer = self._http.request(method, path, **options)
        if answer.is_error:
            raise _error(answer)
        return answer


class VoiceResource:
    def __init__(self, client: PyAI) -> None:
        self.clones = Clones(client)


class Clones:
    """Your cloned voices."""

    def __init__(self, client: PyAI) -> None:
        self._client = client

    def create(self, *, name: str, file: BinaryIO, consent: bool = False) -> Voice:
        """
        Upload a recording of 6 to 15 s.

        Args:
            consent: You attest that the speaker gave explicit permission.
        """
        filename = os.path.basename(str(getattr(file, "name", "reference.wav")))
        form = {"name": name, **({"consent": "true"} if consent else {})}
        answer = self._client.request("POST", "/v1/voice/clones", data=form, files={"file": (filename, file)})
        return Voice.from_json(answer.json())

    def get(self, id: str) -> Voice:
        return Voice.from_json(self._client.request("GET", f"/v1/voice/clones/{id}").json())

    def list(self) -> Iterator[Voice]:
        """All of them, newest first."""
        query: dict[str, Any] = {"limit": 100}
        while True:
            page = self._client.request("GET", "/v1/voice/clones", params=query).json()
            yield from (Voice.from_json(body) for body in page["data"])
            if not page["has_more"]:
                return
            query["cursor"] = page["next_cursor"]

    def delete(self, id: str) -> None:
        self._client.request("DELETE", f"/v1/voice/clones/{id}")

    def report(self, id: str) -> dict[str, Any]:
        """What the quality gate measured."""
        body: dict[str, Any] = self._client.request("GET", f"/v1/voice/clones/{id}/report").json()
        return body

    def wait(self, id: str, *, timeout: float = PATIENCE_SECONDS, interval: float = 0.5) -> Voice:
        """Poll until it is ``ready`` or ``failed``. Raises TimeoutError."""
        give_up = time.monotonic() + timeout
        while (voice := self.get(id)).status == "pending":
            if time.monotonic() > give_up:
                raise TimeoutError(f"{id} is still pending after {timeout:g} s")
            time.sleep(interval)
        return voice


class AudioResource:
    def __init__(self, client: PyAI) -> None:
        self._client = client

    def speech(
        self, *, input: str, voice: str | None = None, response_format: str | None = None, **options: Any
    ) -> bytes:
        """
        Say something; the whole file.

        Args:
            options: Further fields: ``sample_rate``, ``speed``, ``seed``.
        """
        body = {"input": input, "voice": voice, "response_format": response_format, **options}
        sent = {name: value for name, value in body.items() if value is not None}
        return self._client.request("POST", "/v1/audio/speech", json=sent).content


def _error(answer: httpx.Response) -> PyAIError:
    try:
        error = answer.json()["error"]
        return PyAIError(
            error["message"], status=answer.status_code, code=error.get("code"), fix=error.get("fix")
        )
    except (ValueError, KeyError, TypeError):
        return PyAIError(answer.text[:200] or answer.reason_phrase, status=answer.status_code, code=None)
