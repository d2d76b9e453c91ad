"""
``python -m tests.bench response_gap``: how long callers wait for an answer, twenty at a time, on two cores.

Every caller talks to a flow in a cloned voice over the Realtime WebSocket: a real recording in real time (or
a voice of ours where there are none), the answer, and again. The gap is measured at the client, from the last
sample of speech it sent to the first sound it got; the hangover that ends a turn is part of it, and told
apart. The stages are the server's own, from its log.
"""

from __future__ import annotations

import asyncio
import random
import re
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx
import numpy as np

from runtime.media.frame import Pcm
from sessions.timeline import STAGES
from tests.bench.interruptions import Stage, staged
from tests.bench.machine import percentile
from tests.calls.client import RATE, Client, realtime
from tests.live_server import live_server

CALLS, TURNS = 20, 4

HANGOVER = 0.5
"""Seconds of silence that end a turn under ``server_vad``."""

SPEECH = (1.5, 4.0)
"""Seconds that a caller talks."""

PATIENCE = 20.0
"""Seconds for an answer to begin; longer than any filler and bound of a brain."""

PAUSE = 1.2
"""Seconds from the end of an answer to the caller's next words."""

FLOW = """
start: hello
steps:
  hello:
    ask: Hello, this is the clinic. Is it about an appointment, or our opening hours?
    slot: reason
    type: text
  more:
    ask: I see. I have written that down for you. Is there anything else that you would like to tell me?
    slot: more
    type: text
    next: again
  again:
    ask: Thank you, that is noted as well. And what else can we do for you today?
    slot: more
    type: text
    next: more
"""

STAGE_LINE = re.compile(r"reply after \d+\.\d+ s \(([^)]*)\)")
"""As ``sessions.manager`` logs each turn."""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        print(asyncio.run(measured(Path(folder), CALLS)))


async def measured(folder: Path, calls: int) -> str:
    """The table."""
    with live_server(folder, engine="clone", recognizer_workers=2) as server:
        stage = await staged(server)
        flow = await _flow_agent(stage)
        begun = len(server.log)
        async with asyncio.TaskGroup() as group:
            talking = [group.create_task(_talk(stage, flow, number)) for number in range(calls)]
        gaps = [gap * 1000 for call in talking for gap in call.result()]
        stages = _stages(server.log[begun:])
    beyond = [gap - HANGOVER * 1000 for gap in gaps]
    rows = [
        f"{calls} calls, {len(gaps)} of {calls * TURNS} turns answered, `flow`, cloning engine, pocketsphinx",
        "",
        "| ms | p50 | p95 |",
        "|---|---|---|",
        _row("response gap at the client", gaps),
        _row(f"**beyond the hangover** ({HANGOVER * 1000:.0f} ms)", beyond),
        *(_row(f"of which {name}", [value * 1000 for value in stages[name]]) for name in STAGES),
    ]
    return "\n".join(rows)


def _row(name: str, values: Sequence[float]) -> str:
    if not values:
        return f"| {name} | – | – |"
    return f"| {name} | {percentile(list(values), 50):.0f} | {percentile(list(values), 95):.0f} |"


async def _flow_agent(stage: Stage) -> str:
    headers = {"authorization": f"Bearer {stage.key}"}
    async with httpx.AsyncClient(base_url=stage.server.url, headers=headers, timeout=30) as api:
        body = {"name": "Clinic", "voice_id": stage.voice, "brain": "flow", "flow": FLOW}
        answer = await api.post("/v1/agents", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["agent_id"])


async def _talk(stage: Stage, agent: str, number: int) -> list[float]:
    """One caller's gaps, in seconds, of the turns that were answered."""
    luck = random.Random(number)
    gaps: list[float] = []
    # Callers do not all speak at the same moment.
    await asyncio.sleep(luck.uniform(0.0, 8.0))
    async with realtime(stage.server.url, stage.key, model=agent, conforms=False) as client:
        await client.until("response.done", within=60)
        await _silence(client, _playing(client) + PAUSE)
        for _ in range(TURNS):
            speech = luck.choice(stage.speech)[: round(luck.uniform(*SPEECH) * RATE)]
            answered = len(client.all("response.done"))
            seen = len(client.events)
            await client.speak(_trimmed(speech), chunk=0.02)
            ended = time.monotonic()
            try:
                async with asyncio.timeout(PATIENCE):
                    gaps.append(await _first_sound(client, seen) - ended)
            except TimeoutError:
                continue
            await client.until("response.done", count=answered + 1, within=60)
            await _silence(client, _playing(client) + PAUSE)
    return gaps


async def _first_sound(client: Client, seen: int) -> float:
    """When the answer began to sound, while we go on sending silence."""
    while True:
        for at, event in zip(client.times[seen:], client.events[seen:], strict=False):
            if event["type"] == "response.output_audio.delta":
                return at
        await client.speak(np.zeros(RATE // 50, np.int16), chunk=0.02)
        await asyncio.sleep(0.02)


def _playing(client: Client) -> float:
    """Seconds for which the client still has something to play."""
    dry_at = 0.0
    for at, event in zip(client.times, client.events, strict=True):
        if event["type"] == "response.output_audio.delta":
            dry_at = max(dry_at, at) + len(event["delta"]) * 3 // 4 / 2 / RATE
    return max(0.0, dry_at - time.monotonic())


async def _silence(client: Client, seconds: float) -> None:
    await client.speak(np.zeros(round(seconds * RATE), np.int16), chunk=0.02)


def _trimmed(speech: Pcm) -> Pcm:
    """Up to the last 10 ms that are within 30 dB of the loudest: where a listener hears it end."""
    block = RATE // 100
    levels = np.abs(speech[: len(speech) // block * block].reshape(-1, block).astype(float)).max(1)
    last = int(np.nonzero(levels > levels.max() / 31.6)[0][-1])
    return speech[: (last + 1) * block]


def _stages(log: str) -> Mapping[str, list[float]]:
    """Seconds in each stage, of every turn that the caller began by speaking."""
    found: dict[str, list[float]] = defaultdict(list)
    for line in STAGE_LINE.findall(log):
        stages = dict(zip(line.split()[::2], map(float, line.split()[1::2]), strict=True))
        if "endpointing" in stages:
            for name, seconds in stages.items():
                found[name].append(seconds)
    return found
