"""
Several server processes behind one address: ``vivavoce serve --workers N``.

The parent binds the socket, prepares the store, starts the processes, and replaces those that die. It serves
nothing itself. Each process accepts from the shared socket when its loop comes round, so a busy one takes
fewer calls; each has its own scheduler, synthesis workers and recogniser. What must not be done twice is done
by one of them (:mod:`runtime.server.leadership`).

A call lives in the process that took it; what a client does to it over another connection (a sideband socket,
a resumed call) is brought there (:mod:`runtime.server.detour`).
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import multiprocessing
import os
import signal
import socket
import time
from multiprocessing.context import SpawnProcess
from pathlib import Path

from runtime.logs import configure
from runtime.server.listen import listen
from runtime.server.place import Place
from runtime.settings import Settings
from runtime.store.database import Database
from runtime.workers.child import PR_SET_PDEATHSIG

log = logging.getLogger(__name__)

BACKLOG = 2048
WATCH_SECONDS = 0.2
CALM_SECONDS = 10.0
"""A process that lived this long is replaced at once; one that dies sooner, after a pause as long."""


class Fleet:
    """
    The parent.

    Args:
        settings: Every process gets the same; ``settings.workers`` is how many there are.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._context = multiprocessing.get_context("spawn")
        self._processes: dict[int, SpawnProcess] = {}
        self._started: dict[int, float] = {}
        self._stopping = False

    def run(self) -> None:
        """Serve until SIGINT or SIGTERM, and until every process has drained its calls."""
        folder = self._settings.data_dir / "run"
        folder.mkdir(parents=True, exist_ok=True)
        asyncio.run(_prepare(self._settings))
        for told in (signal.SIGINT, signal.SIGTERM):
            signal.signal(told, self._stop)
        with _bound(self._settings) as door:
            log.info("%d processes on %s", self._settings.workers, door.getsockname())
            for number in range(self._settings.workers):
                self._start(number, folder, door)
            while any(process.is_alive() for process in self._processes.values()) or not self._stopping:
                time.sleep(WATCH_SECONDS)
                self._replace_dead(folder, door)

    def _start(self, number: int, folder: Path, door: socket.socket) -> None:
        place = Place(number, self._settings.workers, folder)
        process = self._context.Process(
            target=_serve, args=(self._settings, place, door, os.getpid()), name=f"vivavoce-{number}"
        )
        process.start()
        self._processes[number] = process
        self._started[number] = time.monotonic()

    def _replace_dead(self, folder: Path, door: socket.socket) -> None:
        if self._stopping:
            return
        for number, process in self._processes.items():
            age = time.monotonic() - self._started[number]
            if not process.is_alive() and age > CALM_SECONDS:
                log.error("process %d ended with status %s and is replaced", number, process.exitcode)
                self._start(number, folder, door)

    def _stop(self, _signal: int, _frame: object) -> None:
        self._stopping = True
        for process in self._processes.values():
            if process.is_alive() and process.pid is not None:
                os.kill(process.pid, signal.SIGTERM)


def _serve(settings: Settings, place: Place, door: socket.socket, parent: int) -> None:
    # A group of its own: Ctrl-C in the terminal reaches it through the parent, once.
    os.setpgid(0, 0)
    _end_with(parent)
    configure(settings.log_level, settings.log_format)
    listen(settings, place=place, door=door)


def _end_with(parent: int) -> None:
    """Be told to drain when the parent is gone, however it went."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        raise SystemExit("the parent is gone")


async def _prepare(settings: Settings) -> None:
    """Bring the store up to date once, before several processes open it."""
    database = Database(settings.store_url)
    try:
        await database.migrate()
    finally:
        await database.close()


def _bound(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    door = socket.socket(family, socket.SOCK_STREAM)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        door.bind((settings.host, settings.port))
    except OSError as error:
        door.close()
        raise SystemExit(f"cannot listen on {settings.host}:{settings.port}: {error.strerror}") from None
    door.listen(BACKLOG)
    door.setblocking(False)
    return door
