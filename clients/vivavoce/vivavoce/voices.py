"""Voices, and what they say."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from vivavoce.client import Vivavoce

PATIENCE_SECONDS = 120.0
"""How long a clone is waited for: the documented bound."""


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


class VoiceResource:
    def __init__(self, client: Vivavoce) -> None:
        self.clones = Clones(client)


class Clones:
    """Your cloned voices."""

    def __init__(self, client: Vivavoce) -> None:
        self._client = client

    def create(self, *, name: str, file: BinaryIO, consent: bool = False) -> Voice:
        """
        Upload a recording of 6 to 15 s.

        Args:
            consent: You attest that the speaker gave explicit permission.
        """
        form = {"name": name, **({"consent": "true"} if consent else {})}
        upload = {"file": (filename_of(file), file)}
        return Voice.from_json(self._client.json("POST", "/v1/voice/clones", data=form, files=upload))

    def check(self, file: BinaryIO) -> dict[str, Any]:
        """What the quality gate says of a recording; nothing is stored."""
        upload = {"file": (filename_of(file), file)}
        return self._client.json("POST", "/v1/voice/clones/check", files=upload)

    def get(self, id: str) -> Voice:
        return Voice.from_json(self._client.json("GET", f"/v1/voice/clones/{id}"))

    def list(self) -> Iterator[Voice]:
        """All of them, newest first."""
        return map(Voice.from_json, self._client.pages("/v1/voice/clones"))

    def delete(self, id: str) -> None:
        self._client.request("DELETE", f"/v1/voice/clones/{id}")

    def report(self, id: str) -> dict[str, Any]:
        """What the quality gate measured."""
        return self._client.json("GET", f"/v1/voice/clones/{id}/report")

    def wait(
        self,
        id: str,
        *,
        timeout: float = PATIENCE_SECONDS,
        interval: float = 0.5,
        each: Callable[[Voice], None] = lambda _voice: None,
    ) -> Voice:
        """Poll until it is ``ready`` or ``failed``; ``each`` sees every answer. Raises TimeoutError."""
        give_up = time.monotonic() + timeout
        while True:
            voice = self.get(id)
            each(voice)
            if voice.status != "pending":
                return voice
            if time.monotonic() > give_up:
                raise TimeoutError(f"{id} is still pending after {timeout:g} s")
            time.sleep(interval)


class Audio:
    def __init__(self, client: Vivavoce) -> None:
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

    def voices(self) -> list[dict[str, Any]]:
        """Every voice you can speak in now."""
        found: list[dict[str, Any]] = self._client.json("GET", "/v1/voices")["data"]
        return found


def filename_of(file: BinaryIO) -> str:
    return os.path.basename(str(getattr(file, "name", "reference.wav")))
