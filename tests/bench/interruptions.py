"""
``python -m tests.bench interruptions``: what an interrupted client had played, and what the history keeps.

A real server with the cloning engine, and real clients of the Realtime WebSocket and of WebRTC that talk over
the agent at a random moment. Each plays what it gets by its own clock and notes when it fell silent, so the
lead by which audio is sent ahead is in the figures. On ``speech_started`` a WebSocket client drops its buffer
and truncates to what it had played, as OpenAI's clients do; over WebRTC the server has to know by itself.

The words of a recording are those of which more than half had been played, by the times that the engine gives
for the same sentence synthesised in one piece. To check those times, pocketsphinx aligns the sentence to that
audio by itself; a boundary may then be one word off.
"""

from __future__ import annotations

import asyncio
import base64
import io
import os
import random
import re
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import soundfile
import soxr

from runtime.cli.reference import synthesise_reference
from runtime.media.frame import Pcm
from tests.bench.machine import percentile
from tests.bench.measures import Samples
from tests.bench.turn_sounds import onset
from tests.calls.client import RATE, Client, realtime
from tests.live_server import LiveServer, live_server
from tests.webrtc_caller import RATE as WEBRTC_RATE
from tests.webrtc_caller import WebRtcCaller, webrtc_call

WEBSOCKET_CALLS, WEBRTC_CALLS = 100, 100

AT_ONCE = 4
"""Calls side by side."""

EARLIEST, LATEST = 0.6, 6.0
"""Seconds into the agent's speech at which a caller may begin."""

WORDS = 36
"""That the agent says: about 14 s, so that it is still speaking when the last caller has been understood."""

SENTENCE = (
    "small brown foxes walk over seven hills before the morning bells ring twice and every farmer in town "
    "opens a wooden door to carry fresh bread along the river while children count boats under silver bridges"
)
"""Of whose words the agent's lines are made."""

INTERRUPTION = "Stop, please, I have another question about the trains to the coast."


@dataclass(frozen=True, slots=True)
class Interruption:
    """One caller's."""

    silent_after: float
    """Seconds from the onset of their speech to the last of ours that they heard."""
    sent_after: float
    """Seconds until the last of ours came in: what was sent ahead is heard after that."""
    cleared_after: float
    """Seconds until the client was told to drop what it had."""
    kept: str
    """Words that the history keeps."""
    played: float
    """Seconds of the message that were played."""
    line: Line


@dataclass(frozen=True, slots=True)
class Line:
    """What the agent would have said, and when each word of it sounds."""

    text: str
    by_engine: Sequence[tuple[float, float]]
    by_alignment: Sequence[tuple[float, float]]

    def held(self, seconds: float, times: Sequence[tuple[float, float]]) -> str:
        """The words of which more than half sound in the first ``seconds``."""
        count = sum((start + end) / 2 < seconds for start, end in times)
        return " ".join(self.text.split()[:count])


class Player:
    """A client's loudspeaker: plays without pause what it has, from when it has it."""

    def __init__(self) -> None:
        self._received = 0.0
        self.dry_at = 0.0
        """When everything so far will have been played."""

    def push(self, seconds: float, now: float) -> None:
        self.dry_at = max(self.dry_at, now) + seconds
        self._received += seconds

    def played(self, now: float) -> float:
        """Seconds played by ``now``."""
        return self._received - max(0.0, self.dry_at - now)

    def silent_at(self, now: float) -> float:
        """When it fell silent, if it drops what it has at ``now``."""
        return min(self.dry_at, now)


@dataclass(frozen=True, slots=True)
class Stage:
    """The server and what the calls on it need."""

    server: LiveServer
    key: str
    agent: str
    voice: str
    speech: Sequence[Pcm]
    """Of callers, at 24 kHz, each from its onset on."""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        print(asyncio.run(measured(Path(folder), WEBSOCKET_CALLS, WEBRTC_CALLS)))


async def measured(folder: Path, websocket: int, webrtc: int) -> str:
    """The table."""
    rows = [
        "| interruptions at a client | last packet after, p50 / p95 | within 200 ms"
        " | silent after, p50 / p95 | told to clear after, p50 | words as played"
        " | within a word by alignment |",
        "|---|---|---|---|---|---|---|",
    ]
    with live_server(folder, engine="clone", recognizer_workers=1) as server:
        stage = await staged(server)
        for name, call, count in (("WebSocket", by_websocket, websocket), ("WebRTC", by_webrtc, webrtc)):
            done = await interruptions(stage, call, count)
            rows.append(f"| {name} ({len(done)} of {count}) | {_summary(done)} |")
    return "\n".join(rows)


async def interruptions(stage: Stage, call: Any, count: int) -> list[Interruption]:
    """So many callers, some side by side; those that the agent did not stop for are left out."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> Interruption | None:
        async with room:
            luck = random.Random(number)
            text = " ".join(luck.choices(SENTENCE.split(), k=WORDS))
            line = await said(stage, f"You said: {text}.")
            done: Interruption | None = await call(stage, text, luck, line)
            return done

    called = await asyncio.gather(*(one(number) for number in range(count)))
    return [done for done in called if done is not None]


async def by_websocket(stage: Stage, text: str, luck: random.Random, line: Line) -> Interruption | None:
    after, speech = luck.uniform(EARLIEST, LATEST), luck.choice(stage.speech)
    async with realtime(stage.server.url, stage.key, model=stage.agent, conforms=False) as client:
        await client.ask(text)
        player, last = Player(), 0.0
        first = await client.until("response.output_audio.delta")
        begun = client.when(first)
        speaking = asyncio.create_task(_speak(client, speech, at=begun + after))
        try:
            started = await client.until("input_audio_buffer.speech_started", within=20)
        except TimeoutError:
            await speaking
            return None
        told = client.when(started)
        for at, event in zip(client.times, client.events, strict=True):
            if event["type"] == "response.output_audio.delta" and at < told:
                last = at
                player.push(len(event["delta"]) * 3 // 4 / 2 / RATE, at)
        item_id = first["item_id"]
        played = player.played(told)
        await client.send(
            "conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=int(played * 1000)
        )
        await client.until("conversation.item.truncated")
        await client.send("conversation.item.retrieve", item_id=item_id)
        kept = await client.until("conversation.item.retrieved")
        spoke = await speaking
        return Interruption(
            silent_after=player.silent_at(told) - spoke,
            sent_after=last - spoke,
            cleared_after=told - spoke,
            kept=kept["item"]["content"][0]["transcript"],
            played=played,
            line=line,
        )


async def by_webrtc(stage: Stage, text: str, luck: random.Random, line: Line) -> Interruption | None:
    after, speech = luck.uniform(EARLIEST, LATEST), luck.choice(stage.speech)
    headers = {"authorization": f"Bearer {stage.key}"}
    async with (
        httpx.AsyncClient(base_url=stage.server.url, headers=headers, timeout=30) as api,
        webrtc_call(api, conceals=True, model=stage.agent) as caller,
    ):
        content = [{"type": "input_text", "text": text}]
        item = {"type": "message", "role": "user", "content": content}
        caller.send("conversation.item.create", item=item)
        caller.send("response.create")
        await caller.hear("output_audio_buffer.started")
        sounded: list[float] = []
        watching = asyncio.create_task(_note_sound(caller, sounded))
        await asyncio.sleep(after)
        wide = soxr.resample(speech, RATE, WEBRTC_RATE).astype(np.int16)
        caller.microphone.say(wide)
        # The microphone's next packet begins with it.
        spoke = time.monotonic() + 0.02
        try:
            cleared = await caller.hear("output_audio_buffer.cleared")
        except AssertionError:
            watching.cancel()
            return None
        told = time.monotonic()
        await asyncio.sleep(0.15)
        watching.cancel()
        truncated = await caller.hear("conversation.item.truncated")
        caller.send("conversation.item.retrieve", item_id=truncated["item_id"])
        kept = await caller.hear("conversation.item.retrieved")
        assert cleared["response_id"]
        return Interruption(
            silent_after=sounded[-1] - spoke,
            sent_after=sounded[-1] - spoke,
            cleared_after=told - spoke,
            kept=kept["item"]["content"][0]["transcript"],
            played=len(sounded) * 0.02,
            line=line,
        )


async def _note_sound(caller: WebRtcCaller, sounded: list[float]) -> None:
    """When each 20 ms of the agent's voice came in; what the ear makes up for a pause is none of it."""
    while True:
        await caller.listened()
        sounded += [time.monotonic()] * (caller.packets - len(sounded))


async def _speak(client: Client, speech: Pcm, *, at: float) -> float:
    """Silence until ``at``, then speak; returns when the speech began, by the clock of who speaks."""
    silence = np.zeros(round(0.02 * RATE), np.int16)
    while time.monotonic() < at:
        await client.speak(silence, chunk=0.02)
        await asyncio.sleep(0.02)
    began = time.monotonic()
    await client.speak(speech, chunk=0.02)
    # A packet leaves when all of it has been spoken.
    return began - 0.02


def _summary(done: Sequence[Interruption]) -> str:
    sent = [one.sent_after * 1000 for one in done]
    silent = [one.silent_after * 1000 for one in done]
    cleared = [one.cleared_after * 1000 for one in done]
    exact = sum(one.kept == one.line.held(one.played, one.line.by_engine) for one in done)
    near = sum(
        abs(len(one.kept.split()) - len(one.line.held(one.played, one.line.by_alignment).split())) <= 1
        for one in done
    )
    return (
        f"{percentile(sent, 50):.0f} / {percentile(sent, 95):.0f} ms"
        f" | {sum(value <= 200 for value in sent) / len(done):.0%}"
        f" | {percentile(silent, 50):.0f} / {percentile(silent, 95):.0f} ms"
        f" | {percentile(cleared, 50):.0f} ms | {exact}/{len(done)} | {near}/{len(done)}"
    )


async def staged(server: LiveServer) -> Stage:
    """An echoing agent in a cloned voice, and a caller's speech."""
    key = server.sandbox_key()
    headers = {"authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=server.url, headers=headers, timeout=60) as api:
        samples, rate = synthesise_reference()
        recording = io.BytesIO()
        soundfile.write(recording, samples, rate, format="WAV", subtype="PCM_16")
        file = {"file": ("sample.wav", recording.getvalue(), "audio/wav")}
        made = (await api.post("/v1/voice/clones", data={"name": "interruptions"}, files=file)).json()
        async with asyncio.timeout(60):
            while (await api.get(f"/v1/voice/clones/{made['id']}")).json()["status"] != "ready":  # noqa: ASYNC110
                await asyncio.sleep(0.2)
        body = {"name": "Echo", "voice_id": made["id"], "brain": "echo"}
        agent = (await api.post("/v1/agents", json=body)).json()["agent_id"]
        return Stage(server, key, agent, made["id"], await _callers_speech(api))


def _recordings() -> list[Path]:
    clips = Path(os.environ.get("VIVAVOCE_CLIPS", Path(__file__).parents[3] / "shared" / "clips"))
    return sorted((clips / "A_good").glob("*"))


async def _callers_speech(api: httpx.AsyncClient) -> list[Pcm]:
    """Real recordings where there are any, or a voice of ours."""
    if found := _recordings():
        loaded = [soundfile.read(path, dtype="float32", always_2d=True) for path in found]
        return [_from_onset(soxr.resample(samples.mean(1), rate, RATE)) for samples, rate in loaded]
    order = {"model": "tts-1", "voice": "onyx", "input": INTERRUPTION, "response_format": "pcm"}
    answer = await api.post("/v1/audio/speech", json=order)
    return [_from_onset(np.frombuffer(answer.content, "<i2").astype(np.float32) / np.float32(32768))]


def _from_onset(speech: Samples) -> Pcm:
    """At most four seconds."""
    pcm = np.clip(speech * 32767, -32768, 32767).astype(np.int16)
    begin = onset(pcm, RATE)
    return pcm[begin : begin + 4 * RATE]


async def said(stage: Stage, text: str) -> Line:
    """The line as the engine speaks it in one piece, and its words' times by two measures."""
    async with httpx.AsyncClient(base_url=stage.server.url, timeout=60) as api:
        answer = await api.post(
            f"/v1/text-to-speech/{stage.voice}/with-timestamps",
            params={"output_format": "pcm_24000"},
            json={"text": text},
            headers={"xi-api-key": stage.key},
        )
    timed = answer.json()
    alignment = timed["alignment"]
    starts, ends = (alignment[f"character_{side}_times_seconds"] for side in ("start", "end"))
    by_engine = [(starts[word.start()], ends[word.end() - 1]) for word in re.finditer(r"\S+", text)]
    pcm = np.frombuffer(base64.b64decode(timed["audio_base64"]), "<i2")
    return Line(text, by_engine, await asyncio.to_thread(aligned, text, pcm))


def aligned(text: str, pcm: Pcm) -> list[tuple[float, float]]:
    """When each word sounds, by pocketsphinx, which knows nothing of the engine. Frames are 10 ms."""
    from pocketsphinx import Decoder

    decoder = Decoder(samprate=16_000, loglevel="FATAL")
    decoder.set_align_text(re.sub(r"[^a-z' ]", "", text.lower()))
    decoder.start_utt()
    decoder.process_raw(soxr.resample(pcm, RATE, 16_000).astype("<i2").tobytes(), False, True)
    decoder.end_utt()
    found = [part for part in decoder.seg() or () if re.match(r"[a-z']", part.word)]
    return [(part.start_frame / 100, (part.end_frame + 1) / 100) for part in found]
