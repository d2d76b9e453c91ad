"""Which of a server's processes does what must not be done twice."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class Leadership:
    """
    Held by one process at a time; when it ends, however it ends, the next one that asks gets it.

    Args:
        path: A file that all processes can lock; its folder must exist. None: this process is alone, and
            leads.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._file: int | None = None

    @property
    def alone(self) -> bool:
        """Whether there is nobody to lead."""
        return self._path is None

    @property
    def held(self) -> bool:
        return self.alone or self._file is not None

    def take(self) -> bool:
        """Lead, if nobody else does. Never waits."""
        if self._path is None or self._file is not None:
            return True
        # The kernel drops the lock with the process, so a crash leaves nothing to clean up.
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return False
        self._file = file
        return True

    def leave(self) -> None:
        """Let the next one lead."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
