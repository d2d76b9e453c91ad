"""How late the event loop runs while every worker is saturated by speech requests: a real server."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable

import httpx

SECONDS = 15.0
CLIENTS = 8
TEXT = "The morning train to the coast was late again, so we waited in the small cafe by the gate. " * 3
_BUCKET = re.compile(r'^vivavoce_loop_lag_seconds_bucket\{le="([^"]+)"\} ([\d.e+]+)$', re.MULTILINE)


def main() -> None:
    """Print the table."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "VIVAVOCE_PORT": str(port), "VIVAVOCE_DATA_DIR": folder}
        command = [sys.executable, "-m", "runtime", "serve", "--log-level", "warning"]
        server = subprocess.Popen(command, env=environment)
        try:
            idle, busy = asyncio.run(_measure(f"http://127.0.0.1:{port}"))
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)
    print("| event loop lag | p50 | p99 | p99.9 |\n|---|---|---|---|")
    for name, counts in (("idle", idle), (f"{CLIENTS} clients synthesising without pause", busy)):
        figures = " | ".join(f"≤ {_quantile(counts, q) * 1e3:g} ms" for q in (0.5, 0.99, 0.999))
        print(f"| {name} | {figures} |")


async def _measure(url: str) -> tuple[dict[float, float], dict[float, float]]:
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        await _ready(client)
        return await _lag(client, asyncio.sleep(SECONDS / 3)), await _lag(client, _saturate(client))


async def _ready(client: httpx.AsyncClient) -> None:
    for _ in range(300):
        try:
            if (await client.get("/ready")).status_code == 200:
                return
        except httpx.TransportError:
            pass
        await asyncio.sleep(0.2)
    raise SystemExit("the server was not ready after a minute")


async def _saturate(client: httpx.AsyncClient) -> None:
    key = (
        await client.post("/v1/sandbox/keys", json={"label": "bench", "scopes": ["voice:synthesize"]})
    ).json()
    headers = {"authorization": f"Bearer {key['api_key']}"}
    until = time.monotonic() + SECONDS

    async def ask() -> None:
        while time.monotonic() < until:
            body = {"input": TEXT, "response_format": "pcm"}
            (await client.post("/v1/audio/speech", json=body, headers=headers)).raise_for_status()

    await asyncio.gather(*(ask() for _ in range(CLIENTS)))


async def _lag(client: httpx.AsyncClient, work: Awaitable[None]) -> dict[float, float]:
    before = await _buckets(client)
    await work
    after = await _buckets(client)
    return {bound: after[bound] - before[bound] for bound in after}


async def _buckets(client: httpx.AsyncClient) -> dict[float, float]:
    text = (await client.get("/metrics")).text
    return {float(bound.replace("+Inf", "inf")): float(count) for bound, count in _BUCKET.findall(text)}


def _quantile(cumulative: dict[float, float], q: float) -> float:
    total = cumulative[float("inf")]
    return next(bound for bound in sorted(cumulative) if cumulative[bound] >= q * total)


if __name__ == "__main__":
    main()
