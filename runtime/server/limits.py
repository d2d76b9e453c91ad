"""How often a key may call."""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
import struct
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from runtime.errors import RateLimited

MAX_KEYS = 10_000
"""Keys remembered; the one that has been quiet for longest is forgotten first, which can only be kind."""


@dataclass(slots=True)
class Bucket:
    """What a key has left."""

    level: float
    """Requests."""
    since: float
    """When that was so: monotonic seconds."""


class Buckets(Protocol):
    """Where buckets are kept."""

    def bucket(self, key: str, full: Bucket) -> AbstractContextManager[Bucket]:
        """The key's bucket, to be changed; ``full`` where it has none yet."""
        ...


class RateLimiter:
    """
    A bucket for each key, filled steadily; a request takes one out. Pure: callers pass ``now``.

    Args:
        per_minute: Requests, and the size of the bucket; 0 lets everything pass.
        buckets: Where they are kept.
    """

    def __init__(self, per_minute: int, buckets: Buckets | None = None) -> None:
        self.per_minute = per_minute
        self._buckets = buckets or OwnBuckets()

    def take(self, key: str, *, now: float) -> None:
        """Raises RateLimited, with the seconds until there is one again."""
        if not self.per_minute:
            return
        rate = self.per_minute / 60.0
        with self._buckets.bucket(key, Bucket(float(self.per_minute), now)) as bucket:
            # A clock that went backwards is one of a machine that was started again.
            filled = max(0.0, now - bucket.since) * rate
            level = min(float(self.per_minute), bucket.level + filled)
            allowed = level >= 1.0
            bucket.level, bucket.since = (level - 1.0 if allowed else level), now
        if not allowed:
            raise RateLimited(
                f"More than {self.per_minute} requests in a minute.", retry_after=(1.0 - level) / rate
            )


class OwnBuckets:
    """Of one process, in its memory."""

    def __init__(self) -> None:
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    @contextmanager
    def bucket(self, key: str, full: Bucket) -> Iterator[Bucket]:
        bucket = self._buckets.pop(key, full)
        self._buckets[key] = bucket
        if len(self._buckets) > MAX_KEYS:
            self._buckets.popitem(last=False)
        yield bucket


class SharedBuckets:
    """
    Of all processes of a machine, in a file that each has mapped: a take costs no system call but two locks.

    A hash table of :data:`ROWS` rows of :data:`PLACES` places. A key belongs to one row, by its SHA-256, and
    takes an empty place there or that of the key that has been quiet for longest. The kernel drops a row's
    lock with the process that holds it.

    Args:
        path: The file; made when it is not there. Buckets outlive the processes.
    """

    ROWS = 2_048
    PLACES = 8
    _PLACE = struct.Struct("=16sdd")
    """Digest, level, since."""

    def __init__(self, path: Path) -> None:
        size = self.ROWS * self.PLACES * self._PLACE.size
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.ftruncate(self._file, size)
        self._table = mmap.mmap(self._file, size)

    @contextmanager
    def bucket(self, key: str, full: Bucket) -> Iterator[Bucket]:
        digest = hashlib.sha256(key.encode()).digest()[:16]
        row = int.from_bytes(digest[:4], "big") % self.ROWS
        fcntl.lockf(self._file, fcntl.LOCK_EX, 1, row)
        try:
            place, bucket = self._find(row, digest, full)
            yield bucket
            self._PLACE.pack_into(self._table, place, digest, bucket.level, bucket.since)
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, row)

    def _find(self, row: int, digest: bytes, full: Bucket) -> tuple[int, Bucket]:
        """Where in the table the key's place is, and what is in it."""
        size = self._PLACE.size
        first = row * self.PLACES * size
        quietest, least = first, float("inf")
        for place in range(first, first + self.PLACES * size, size):
            owner, level, since = self._PLACE.unpack_from(self._table, place)
            if owner == digest:
                return place, Bucket(level, since)
            if since < least:  # an empty place has been quiet since zero
                quietest, least = place, since
        return quietest, full

    def close(self) -> None:
        self._table.close()
        os.close(self._file)
