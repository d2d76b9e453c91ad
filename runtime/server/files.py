"""Addresses under which anyone may fetch one stored file for a while: signed, so that only we make them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

from runtime.clock import Clock
from runtime.errors import NotFound, RequestError
from runtime.server.secrets import Secrets
from runtime.store.blobs import BlobNotFound, Blobs

ADDRESS_SECONDS = 24 * 3600.0
"""How long an address works."""

_RANGE = re.compile(r"bytes=(\d{1,18})-(\d{0,18})")


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A file, or the part of it that was asked for."""

    size: int
    """Of all of it, in bytes."""
    start: int
    end: int
    media_type: str
    pieces: AsyncIterator[bytes]

    @property
    def whole(self) -> bool:
        return (self.start, self.end) == (0, self.size)

    def headers(self) -> dict[str, str]:
        """What HTTP says of it; RFC 9110, section 14."""
        told = {"accept-ranges": "bytes", "content-length": str(self.end - self.start)}
        if not self.whole:
            told["content-range"] = f"bytes {self.start}-{self.end - 1}/{self.size}"
        return told


class SignedFiles:
    def __init__(self, *, secrets: Secrets, blobs: Blobs, clock: Clock) -> None:
        self._secrets = secrets
        self._blobs = blobs
        self._clock = clock

    def address(self, tenant_id: str, blob: str, media_type: str) -> str:
        """The path of a blob, for :data:`ADDRESS_SECONDS`."""
        content = {"t": tenant_id, "n": blob, "m": media_type}
        return f"/v1/files/{self._secrets.sign(content, expires_at=self._clock.wall() + ADDRESS_SECONDS)}"

    async def open(self, token: str, wanted: str | None = None) -> OpenFile:
        """
        What an address stands for.

        Args:
            wanted: A ``Range`` header; one range of bytes is served, anything else is answered with all.

        Raises:
            NotFound: Forged, damaged, expired, or the file is gone.
            RequestError: 416, the range begins beyond the file's end.
        """
        content = self._secrets.opened(token, now=self._clock.wall())
        found = _RANGE.fullmatch(wanted) if wanted else None
        start = int(found[1]) if found else 0
        end = int(found[2]) + 1 if found and found[2] else None
        if end is not None and end <= start:
            start, end = 0, None
        try:
            size, pieces = await self._blobs.stream(content["t"], content["n"], start=start, end=end)
        except BlobNotFound as error:
            raise NotFound("There is nothing at this address, or no longer.") from error
        except ValueError:
            beyond = RequestError(
                "The range begins beyond the end of the file.", code="range_not_satisfiable"
            )
            beyond.status = 416
            raise beyond from None
        return OpenFile(size, start, size if end is None else min(end, size), content["m"], pieces)
