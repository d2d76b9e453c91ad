"""
A foreign id costs the server the same work as one that never was, so that time tells nothing either.

The server runs in this process, where every statement it sends to its database can be counted.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import uvicorn
from sqlalchemy import event
from sqlalchemy.engine import Engine

from runtime.server.app import create_app
from runtime.settings import Settings
from tests import attacks
from tests.attacks import like
from tests.live_server import START_SECONDS, LiveServer
from tests.recordings import decoded, wav


class ServerHere(LiveServer):
    """The same server on a thread of the tests' own process."""

    def start(self) -> None:
        settings = Settings(
            engine="tone",
            synthesis_workers=1,
            recognizer_workers=0,
            data_dir=self.folder,
            database_url=self.store_url,
            sandbox_keys=True,
        )
        config = uvicorn.Config(create_app(settings), port=0, log_config=None)
        self._here = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._here.run, daemon=True)
        self._thread.start()
        give_up = time.monotonic() + START_SECONDS
        while not self._here.started:
            assert time.monotonic() < give_up
            time.sleep(0.05)
        port = self._here.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"

    def stop(self, *, timeout: float = 15.0) -> int:
        self._here.should_exit = True
        self._thread.join(timeout)
        return 0


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerHere]:
    folder = tmp_path_factory.mktemp("here")
    (folder / "data").mkdir()
    server = ServerHere(folder)
    server.start()
    yield server
    server.stop()


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """The statements that requests send meanwhile: what the server does on its own, named tasks do."""
    statements: Counter[str] = Counter()

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        task = asyncio.current_task()
        if task is not None and task.get_name().startswith("Task-"):
            statements[statement] += 1

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", note)


@pytest.mark.timeout(120)
def test_a_foreign_id_costs_what_a_wrong_one_costs(here: ServerHere, clips: Path) -> None:
    good = wav(*decoded((clips / "A_good" / "fscorsica-b_f_44100_10.0s.flac").read_bytes()))
    theirs = attacks.victim(here, here.sandbox_key(), good)
    key = here.sandbox_key()
    with here.client(key) as client:
        mine = {"agent": client.post("/v1/agents", json={"name": "Mine"}).json()["agent_id"]}
    different = []
    asked: set[str] = set()
    with here.client() as client:
        for attack in attacks.attacks():
            for number, values in enumerate(attack.targets(mine, theirs)):
                wrong = {
                    name: value if value in mine.values() else like(value) for name, value in values.items()
                }
                if number == 0:
                    attack.send(client, wrong, key)  # whatever is only done the first time
                with counted() as foreign:
                    attack.send(client, values, key)
                with counted() as never:
                    attack.send(client, wrong, key)
                asked |= set(foreign) | set(never)
                if foreign != never:
                    different.append((str(attack), values, foreign - never, never - foreign))
            assert foreign, "nothing was counted"
    assert different == []
    if here.store_url.startswith("sqlite"):
        assert walks(Path(here.store_url.removeprefix("sqlite:///")), asked) == []


def walks(path: Path, statements: Iterable[str]) -> list[tuple[str, str]]:
    """Statements that read a whole table, as SQLite plans them, and the step that does."""
    found = []
    with closing(sqlite3.connect(path)) as database:
        for statement in statements:
            if not statement.startswith(("SELECT", "UPDATE", "DELETE")):
                continue
            values = [None] * statement.count("?")
            plan = database.execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall()
            found += [(statement, step[3]) for step in plan if re.match(r"SCAN (?!CONSTANT)", step[3])]
    return found
