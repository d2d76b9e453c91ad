"""Which runs of a server are still going: each holds the lock of a file of its own."""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from pathlib import Path

KEEP_SECONDS = 86_400.0
"""How long the file of a run that is over stays: by then nobody asks about it any more."""


class Presence:
    """
    This run, under a name that no other has.

    Args:
        folder: Shared by all runs that may ask about each other on this machine; made when it is not there.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.name = secrets.token_hex(8)
        self._forget_old()
        self._file = os.open(self._path(self.name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def is_over(self, name: str) -> bool | None:
        """Whether that run has ended, however it did; None for one that this machine does not know."""
        if name == self.name:
            return False
        try:
            file = os.open(self._path(name), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(file)
        return True

    def leave(self) -> None:
        """This run is over. Harmless twice."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _path(self, name: str) -> Path:
        return self._folder / f"run-{name}.lock"

    def _forget_old(self) -> None:
        for path in self._folder.glob("run-*.lock"):
            name = path.name.removeprefix("run-").removesuffix(".lock")
            if path.stat().st_mtime < time.time() - KEEP_SECONDS and self.is_over(name):
                path.unlink(missing_ok=True)
