"""Recordings, conditioning and other bytes, in a local folder or an S3-compatible store."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, cast

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from runtime.errors import StoreUnavailable

_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,200}")


if TYPE_CHECKING:
    from obstore import GetOptions, GetResult
    from obstore.store import ClientConfig, RetryConfig, S3Config


RETRIES: RetryConfig = {"max_retries": 4, "retry_timeout": timedelta(seconds=20)}
"""Of a store that answers 5xx or not at all; a caller waits no longer than that."""


class BlobNotFound(Exception):
    """No such blob of this tenant."""


class Blobs:
    """
    Named bytes, each under its tenant.

    The tenant is part of every path and every method asks for it, so that no name a caller could make up
    reaches another tenant's bytes. A blob is written whole: a reader sees the old bytes or the new ones.

    Every method raises StoreUnavailable when the store refuses or does not answer.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    @classmethod
    def open(
        cls,
        url: str,
        *,
        endpoint_url: str | None = None,
        region: str | None = None,
        access_key_id: str | None = None,
        secret_access_key: str | None = None,
    ) -> Blobs:
        """
        Args:
            url: ``file:///folder`` or a plain path, ``memory:///``, or what :func:`obstore.store.from_url`
                reads, e.g. ``s3://bucket/prefix``.
            endpoint_url: Where an S3-compatible store listens, the bucket being part of its paths; None is
                Amazon's. This and the rest go with ``s3://`` only; what is None comes from ``AWS_*``.
        """
        if "://" not in url or url.startswith("file://"):
            folder = Path(url.removeprefix("file://"))
            folder.mkdir(parents=True, exist_ok=True)
            return cls(LocalStore(folder.resolve()))
        if not url.startswith("s3://"):
            return cls(from_url(url))
        told = {
            "endpoint": endpoint_url,
            "region": region,
            "access_key_id": access_key_id,
            "secret_access_key": secret_access_key,
        }
        config = cast("S3Config", {name: value for name, value in told.items() if value is not None})
        plain = endpoint_url is not None and endpoint_url.startswith("http://")
        client: ClientConfig = {"allow_http": plain, "connect_timeout": "5s", "timeout": "30s"}
        return cls(from_url(url, config=config, client_options=client, retry_config=RETRIES))

    async def put(self, tenant_id: str, name: str, data: bytes) -> None:
        """
        Args:
            name: Parts joined by ``/``, each of letters, digits, ``_``, ``-`` and ``.``.

        Raises:
            ValueError: A part of the name has something else in it.
        """
        path = _path(tenant_id, name)
        with _answering():
            await obstore.put_async(self._store, path, data)

    async def get(self, tenant_id: str, name: str) -> bytes:
        """Raises BlobNotFound."""
        path = _path(tenant_id, name)
        with _answering():
            found = await obstore.get_async(self._store, path)
            return bytes(await found.bytes_async())

    async def put_file(self, tenant_id: str, name: str, path: Path) -> None:
        """As :meth:`put`, read from a file piece by piece; nobody sees it before it is whole."""
        target = _path(tenant_id, name)
        with _answering():
            await obstore.put_async(self._store, target, path)

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
        with _answering():
            size = int((await obstore.head_async(self._store, path))["size"])
            if start >= size and size > 0:
                raise ValueError(f"the blob has {size} bytes")
            end = size if end is None else min(end, size)
            wanted: GetOptions = {} if (start, end) == (0, size) else {"range": (start, end)}
            found = await obstore.get_async(self._store, path, options=wanted)
        return size, _pieces(found)

    async def delete(self, tenant_id: str, name: str) -> None:
        """Remove it; nothing happens if it is not there."""
        path = _path(tenant_id, name)
        with suppress(BlobNotFound), _answering():
            await obstore.delete_async(self._store, path)

    async def delete_under(self, tenant_id: str, folder: str) -> int:
        """Remove everything whose name begins with ``folder/``, and say how many there were."""
        prefix = _path(tenant_id, folder) + "/"
        with _answering():
            listed = obstore.list(self._store, prefix=prefix)
            paths = [entry["path"] async for batch in listed for entry in batch]
            if paths:
                await obstore.delete_async(self._store, paths)
        return len(paths)


async def _pieces(found: GetResult) -> AsyncIterator[bytes]:
    with _answering():
        async for piece in found.stream():
            yield bytes(piece)


@contextmanager
def _answering() -> Iterator[None]:
    """What the store says no to, in our words."""
    try:
        yield
    except FileNotFoundError as error:
        raise BlobNotFound(str(error)) from error
    except (BaseError, OSError) as error:
        raise StoreUnavailable("Recordings cannot be stored or read now: try again in a moment.") from error


def _path(tenant_id: str, name: str) -> str:
    parts = (tenant_id, *name.split("/"))
    for part in parts:
        if not _PART.fullmatch(part):
            raise ValueError(f"a blob name cannot have the part {part!r}")
    return "/".join(("tenants", *parts))
