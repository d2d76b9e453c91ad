"""Recordings that become words."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from vivavoce.client import Vivavoce


class Transcriptions:
    """Jobs: sent, polled or told by a webhook, and fetched."""

    def __init__(self, client: Vivavoce) -> None:
        self._client = client

    def create(
        self,
        *,
        file: BinaryIO | None = None,
        audio_url: str | None = None,
        output_formats: Sequence[str] = ("json",),
        **fields: Any,
    ) -> dict[str, Any]:
        """
        Args:
            file: A recording of any usual container; or
            audio_url: where the server finds it.
            output_formats: ``json``, ``srt``, ``vtt``.
            fields: ``language``, ``channel``, ``webhook_url``.
        """
        if file is None:
            body = {"audio_url": audio_url, "output_formats": list(output_formats), **fields}
            return self._client.json("POST", "/v1/transcribe/jobs", json=body)
        form = {
            name: str(value).lower() if isinstance(value, bool) else value for name, value in fields.items()
        }
        form["output_formats"] = ",".join(output_formats)
        upload = {"file": ("recording", file)}
        return self._client.json("POST", "/v1/transcribe/jobs", data=form, files=upload)

    def get(self, id: str) -> dict[str, Any]:
        return self._client.json("GET", f"/v1/transcribe/jobs/{id}")

    def result(self, id: str, *, format: str = "json") -> bytes:
        """The words of a job that is completed."""
        query = {"format": format}
        return self._client.request("GET", f"/v1/transcribe/jobs/{id}/result", params=query).content

    def wait(self, id: str, *, timeout: float = 600.0, interval: float = 1.0) -> dict[str, Any]:
        """Poll until it is ``completed`` or ``failed``. Raises TimeoutError."""
        give_up = time.monotonic() + timeout
        while (job := self.get(id))["status"] in ("queued", "processing"):
            if time.monotonic() > give_up:
                raise TimeoutError(f"{id} is still {job['status']} after {timeout:g} s")
            time.sleep(interval)
        return job

    def delete(self, id: str) -> None:
        """With its recording and its words."""
        self._client.request("DELETE", f"/v1/transcribe/jobs/{id}")


def _text(value: object) -> str:
    """As a form has it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
