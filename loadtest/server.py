"""The server under test: one that runs already, or one that is started on a processor of its own."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx

from loadtest.figures import Usage

START_SECONDS = 60.0

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Server:
    """Where calls go, and how to learn what they cost."""

    name: str
    address: str
    """``host:port``."""
    audiosocket: str = ""
    """``host:port`` of its AudioSocket; empty where it has none."""
    agent: str = ""
    """Who answers there; empty where the server knows no agents."""
    key: str = ""
    """API key."""
    pid: int | None = None
    """Of a server started here; None for one that runs elsewhere, whose ``/metrics`` is read instead."""

    def expect(self, calls: int) -> tuple[str, ...]:
        """Announce so many calls by AudioSocket; returns their UUIDs."""
        headers = {"Authorization": f"Bearer {self.key}"}
        with httpx.Client(base_url=f"http://{self.address}", timeout=10.0, headers=headers) as api:
            told = (api.post("/v1/telephony/calls", json={"agent_id": self.agent}) for _ in range(calls))
            return tuple(str(answer.raise_for_status().json()["uuid"]) for answer in told)

    def usage(self) -> Usage:
        """CPU seconds since its start, and memory, children included where it was started here."""
        return _of_process(self.pid) if self.pid is not None else _of_metrics(self.address)


def _of_process(pid: int) -> Usage:
    cpu, rss = 0.0, 0
    for member in (pid, *_descendants(pid)):
        try:
            fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
            cpu += (int(fields[11]) + int(fields[12])) / TICKS
            rss += int(fields[21]) * PAGE if member == pid else 0
        except OSError:
            continue  # it ended while we looked
    return Usage(cpu, rss)


def _descendants(pid: int) -> Iterator[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return
    for child in map(int, children):
        yield child
        yield from _descendants(child)


def _of_metrics(address: str) -> Usage:
    page = httpx.get(f"http://{address}/metrics", timeout=5.0).text

    def value(name: str) -> float:
        found = re.search(rf"^{name} (\S+)$", page, re.MULTILINE)
        return float(found[1]) if found else 0.0

    return Usage(value("process_cpu_seconds_total"), int(value("process_resident_memory_bytes")))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextmanager
def started(
    name: str,
    command: Sequence[str],
    *,
    address: str,
    ready: str,
    core: int | None,
    environment: Mapping[str, str],
) -> Iterator[Server]:
    """
    Run ``command`` until the block ends.

    Args:
        ready: Path that answers 200 when calls may come.
        core: Processor it and its children stay on.

    Raises:
        RuntimeError: It ended, or was not ready in time; with the end of what it printed.
    """
    pinned = [
        *(("taskset", "-c", str(core)) if core is not None and shutil.which("taskset") else ()),
        *command,
    ]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            pinned, env={**os.environ, **environment}, stdout=log, stderr=log, start_new_session=True
        )
        try:
            _await_ready(process, f"http://{address}{ready}")
            yield Server(name, address, agent="agent_tone", pid=process.pid)
        except BaseException:
            log.seek(0)
            sys.stderr.write(log.read()[-4_000:].decode(errors="replace"))
            raise
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _await_ready(process: subprocess.Popen[bytes], url: str) -> None:
    give_up = time.monotonic() + START_SECONDS
    while time.monotonic() < give_up:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended at once, status {process.returncode}")
        try:
            if httpx.get(url, timeout=2.0).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"the server was not ready in {START_SECONDS:g} s")


@contextmanager
def vivavoce(*, engine: str, agent: str, core: int | None) -> Iterator[Server]:
    """
    Ours, fresh.

    Args:
        agent: ``agent_tone`` and ``agent_tone_listening`` exist with the tone engine, and never stop talking;
            the name of a brain makes an agent with that brain.
    """
    port, audiosocket = free_port(), free_port()
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            "VIVAVOCE_ENGINE": engine,
            "VIVAVOCE_PORT": str(port),
            "VIVAVOCE_AUDIOSOCKET_PORT": str(audiosocket),
            "VIVAVOCE_DATA_DIR": folder,
            "VIVAVOCE_SYNTHESIS_WORKERS": "1",
            "VIVAVOCE_RECOGNIZER_WORKERS": "0" if engine == "tone" else "1",
            "VIVAVOCE_LOG_LEVEL": "warning",
            "OMP_NUM_THREADS": "1",
        }
        with started(
            "vivavoce",
            (sys.executable, "-m", "runtime", "serve"),
            address=f"127.0.0.1:{port}",
            ready="/ready",
            core=core,
            environment=environment,
        ) as server:
            yield _with_agent(replace(server, audiosocket=f"127.0.0.1:{audiosocket}"), agent)


def _with_agent(server: Server, agent: str) -> Server:
    """The server and the agent that is called there, made with a sandbox key where it does not exist."""
    with httpx.Client(base_url=f"http://{server.address}", timeout=30.0) as api:
        key = api.post("/v1/sandbox/keys", json={"label": "load test"}).raise_for_status().json()["api_key"]
        if not agent.startswith("agent_"):
            made = api.post(
                "/v1/agents",
                json={"name": "Load test", "brain": agent},
                headers={"Authorization": f"Bearer {key}"},
            )
            agent = made.raise_for_status().json()["id"]
    return replace(server, agent=agent, key=key)


@contextmanager
def peer(name: str, *, python: str, core: int | None) -> Iterator[Server]:
    """Another server, of ``loadtest/peers``, with the Python that has what it needs installed."""
    port = free_port()
    with started(
        name,
        (python, "-m", f"loadtest.peers.{name}", str(port)),
        address=f"127.0.0.1:{port}",
        ready="/",
        core=core,
        environment={"OMP_NUM_THREADS": "1"},
    ) as server:
        yield server
