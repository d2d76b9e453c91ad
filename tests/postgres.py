"""A PostgreSQL server for as long as the tests run, where the machine has one to start."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from glob import glob
from pathlib import Path

ACCOUNT = "postgres"
"""Whom the server runs as when the tests run as root, which it refuses."""


def programs() -> Path | None:
    """Where ``initdb`` and ``postgres`` are: the newest of Debian's folders, or the one on the path."""
    folders = sorted(glob("/usr/lib/postgresql/*/bin"), key=lambda path: float(path.split("/")[4]))
    if folders:
        return Path(folders[-1])
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


def _account() -> dict[str, str]:
    if os.geteuid() != 0:
        return {}
    pwd.getpwnam(ACCOUNT)
    return {"user": ACCOUNT, "group": ACCOUNT}


class Postgres:
    """A running server."""

    def __init__(self, programs: Path, port: int) -> None:
        self._programs = programs
        self._port = port
        self._made = 0

    def new_database(self) -> str:
        """The URL of an empty database."""
        self._made += 1
        name = f"test_{self._made}"
        subprocess.run(
            [
                *(self._programs / "psql", "-h", "127.0.0.1", "-p", str(self._port), "-U", "tester"),
                *("-q", "-d", "postgres", "-c", f"CREATE DATABASE {name}"),
            ],
            check=True,
            capture_output=True,
        )
        return f"postgresql://tester@127.0.0.1:{self._port}/{name}"


@contextmanager
def postgres_server() -> Iterator[Postgres | None]:
    """A server on a free port with nothing in it; None where there is none to start."""
    folder = programs()
    try:
        account = _account()
    except KeyError:
        folder = None
    if folder is None:
        yield None
        return
    data = Path(tempfile.mkdtemp(prefix="vivavoce-postgres-"))
    try:
        if account:
            shutil.chown(data, **account)
        subprocess.run(
            [folder / "initdb", "-D", data, "-U", "tester", "-A", "trust", "--no-sync", "-E", "UTF8"],
            check=True,
            capture_output=True,
            cwd=data,
            **account,  # type: ignore[call-overload]
        )
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
        control = [folder / "pg_ctl", "-D", data, "-w", "-l", data / "log"]
        subprocess.run([*control, "-o", options, "start"], check=True, stdout=-3, cwd=data, **account)  # type: ignore[call-overload]
        try:
            yield Postgres(folder, port)
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], stdout=-3, cwd=data, **account)  # type: ignore[call-overload]
    finally:
        shutil.rmtree(data, ignore_errors=True)
