"""Recordings, conditioning and other bytes, in a local folder or an S3-compatible store."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
from obstore.store import LocalStore, ObjectStore, from_url

_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,200}")


if TYPE_CHECKING:
    from obstore import GetOptions, GetResult


class BlobNotFound(Exception):
    """No such blob of this tenant."""


class Blobs:
    """
    Named bytes, each under its tenant.

    The tenant is part of every path and every method asks for it, so that no name a caller could make up
    reaches another tenant's bytes. A blob is written whole: a reader sees the old bytes or the new ones.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    @classmethod
    def open(cls, url: str) -> Blobs:
        """
        Args:
            url: ``file:///folder`` or a plain path, ``memory:///``, or what :func:`obstore.store.from_url`
                reads, e.g. ``s3://bucket/prefix`` (credentials and endpoint from ``AWS_*``).
        """
        if "://" not in url or url.startswith("file://"):
            folder = Path(url.removeprefix("file://"))
            folder.mkdir(parents=True, exist_ok=True)
            return cls(LocalStore(folder.resolve()))
        return cls(from_url(url))

    async def put(self, tenant_id: str, name: str, data: bytes) -> None:
        """
        Args:
            name: Parts joined by ``/``, each of letters, digits, ``_``, ``-`` and ``.``.

        Raises:
            ValueError: A part of the name has something else in it.
        """
        await obstore.put_async(self._store, _path(tenant_id, name), data)

    async def get(self, tenant_id: str, name: str) -> bytes:
        """Raises BlobNotFound."""
        try:
            found = await obstore.get_async(self._store, _path(tenant_id, name))
            return bytes(await found.bytes_async())
        except FileNotFoundError as error:
            raise BlobNotFound(name) from error

    async def put_file(self, tenant_id: str, name: str, path: Path) -> None:
        """As :meth:`put`, read from a file piece by piece; nobody sees it before it is whole."""
        await obstore.put_async(self._store, _path(tenant_id, name), path)

    async def stream(
        self, tenant_id: str, name: str, *, start: int = 0, end: int | None = None
    ) -> tuple[int, AsyncIterator[bytes]]:
        """
        The size of the whole blob in bytes, and its bytes ``[start, end)`` piece by piece.

        Raises:
            BlobNotFound: There is none.
            ValueError: ``start`` lies beyond its end.
        """
        path = _path(tenant_id, name)
        try:
            size = int((await obstore.head_async(self._store, path))["size"])
            if start >= size and size > 0:
                raise ValueError(f"the blob has {size} bytes")
            end = size if end is None else min(end, size)
            wanted: GetOptions = {} if (start, end) == (0, size) else {"range": (start, end)}
            found = await obstore.get_async(self._store, path, options=wanted)
        except FileNotFoundError as error:
            raise BlobNotFound(name) from error
        return size, _pieces(found)

    async def delete(self, tenant_id: str, name: str) -> None:
        """Remove it; nothing happens if it is not there."""
        try:
            await obstore.delete_async(self._store, _path(tenant_id, name))
        except FileNotFoundError:
            return

    async def delete_under(self, tenant_id: str, folder: str) -> int:
        """Remove everything whose name begins with ``folder/``, and say how many there were."""
        paths = [
            entry["path"]
            async for batch in obstore.list(self._store, prefix=_path(tenant_id, folder) + "/")
            for entry in batch
        ]
        for path in paths:
            await obstore.delete_async(self._store, path)
        return len(paths)


async def _pieces(found: GetResult) -> AsyncIterator[bytes]:
    async for piece in found.stream():
        yield bytes(piece)


def _path(tenant_id: str, name: str) -> str:
    parts = (tenant_id, *name.split("/"))
    for part in parts:
        if not _PART.fullmatch(part):
            raise ValueError(f"a blob name cannot have the part {part!r}")
    return "/".join(("tenants", *parts))
