"""A real server in a process of its own, for tests that speak to it over the network."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import httpx

START_SECONDS = 45.0

_LISTENING = re.compile(rb"running on (http://\S+)")


class LiveServer:
    """
    ``vivavoce serve`` on a free port of the loopback, its data in ``folder``.

    Start it again after :meth:`kill` or :meth:`stop` and it finds what it had stored.
    """

    new_database: ClassVar[Callable[[], str] | None] = None
    """Where new servers keep their rows; None is SQLite in their folder. Set by ``pytest --store``."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.folder = folder
        self._settings = {"engine": "tone", "synthesis_workers": 1, "recognizer_workers": 0} | settings
        new_database = type(self).new_database
        self.store_url = str(
            settings.get("database_url")
            or (new_database() if new_database else f"sqlite:///{folder}/data/vivavoce.db")
        )
        """SQLAlchemy's."""
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    @property
    def log(self) -> str:
        """What it has printed so far."""
        return (self.folder / "server.log").read_text(errors="replace")

    def start(self) -> None:
        """Returns when ``/ready`` says so."""
        settings = {"host": "127.0.0.1", "port": 0, "data_dir": self.folder / "data"}
        settings |= {"database_url": self.store_url} | self._settings
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("VIVAVOCE_")},
            **{f"VIVAVOCE_{name.upper()}": str(value) for name, value in settings.items()},
            "OMP_NUM_THREADS": "1",
        }
        seen = len(self.log) if (self.folder / "server.log").exists() else 0
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "runtime", "serve"], env=environment, stdout=log, stderr=log
            )
        give_up = time.monotonic() + START_SECONDS
        while time.monotonic() < give_up:
            if self._process.poll() is not None:
                raise RuntimeError(f"the server ended at once:\n{self.log[seen:]}")
            found = _LISTENING.search(self.log[seen:].encode())
            if found:
                self.url = found.group(1).decode()
                if httpx.get(f"{self.url}/ready").status_code == 200:
                    return
            time.sleep(0.05)
        raise RuntimeError(f"the server was not ready in {START_SECONDS} s:\n{self.log[seen:]}")

    def stop(self, *, timeout: float = 15.0) -> int:
        """SIGTERM; returns its exit status."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(timeout)

    def kill(self) -> None:
        """SIGKILL: no chance to say goodbye."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(5.0)

    def client(self, key: str | None = None, **options: Any) -> httpx.Client:
        headers: Mapping[str, str] = {"authorization": f"Bearer {key}"} if key else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30.0, **options)

    def sandbox_key(self, *scopes: str, label: str = "test") -> str:
        """A key for a new tenant; with no scopes named, it may do everything."""
        body = {"label": label, **({"scopes": list(scopes)} if scopes else {})}
        answer = httpx.post(f"{self.url}/v1/sandbox/keys", json=body)
        assert answer.status_code == 201, answer.text
        key: str = answer.json()["api_key"]
        return key


@contextmanager
def live_server(folder: Path, **settings: object) -> Iterator[LiveServer]:
    server = LiveServer(folder, **settings)
    server.start()
    try:
        yield server
    finally:
        if server._process is not None and server._process.poll() is None:
            server.stop()
