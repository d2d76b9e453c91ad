"""WebRTC calls on a network that loses one packet in twenty and delays each by up to 60 ms."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import numpy as np
import pytest
import soxr

from runtime.media.frame import Pcm
from tests.bench.measures import recognised, word_errors
from tests.live_server import LiveServer
from tests.lossy_network import LossyRelay, lossy_relay
from tests.webrtc_caller import WebRtcCaller, webrtc_call

LOSS, JITTER = 0.05, 0.060

QUESTION = "Hello, I would like to know when the next train leaves from the main station."
STORY_SECONDS = 9.0


@pytest.fixture
async def api(server: LiveServer, key: str) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=server.url, headers=headers, timeout=30) as client:
        yield client


def words_of(samples: Pcm) -> str:
    return recognised(samples.astype(np.float32) / np.float32(32768), 48_000)


async def heard_by_us(caller: WebRtcCaller, speech: Pcm) -> str:
    hearing = {"transcription": {"model": "any"}, "turn_detection": {"type": "server_vad"}}
    caller.send("session.update", session={"type": "realtime", "audio": {"input": hearing}})
    await caller.hear("session.updated")
    caller.microphone.say(speech)
    event = await caller.hear("conversation.item.input_audio_transcription.completed")
    words: str = event["transcript"]
    return words


async def test_the_caller_is_understood(
    api: httpx.AsyncClient, agent: str, say: Callable[[str], bytes]
) -> None:
    speech = soxr.resample(np.frombuffer(say(QUESTION), "<i2"), 24_000, 48_000).astype(np.int16)
    async with webrtc_call(api, model=agent) as caller:
        clean = await heard_by_us(caller, speech)
    async with (
        lossy_relay(loss=LOSS, jitter=JITTER) as relay,
        webrtc_call(api, relay=relay, model=agent) as caller,
    ):
        relay.harming = True
        lossy = await heard_by_us(caller, speech)
        assert relay.dropped / (relay.dropped + relay.passed) == pytest.approx(LOSS, abs=0.03)
    wrong, words = word_errors(clean, lossy)
    assert words >= 10
    assert wrong / words <= 0.35, f"{clean!r} became {lossy!r}"


async def test_the_agent_is_understood(api: httpx.AsyncClient, agent: str) -> None:
    async with webrtc_call(api, conceals=True, model=agent) as caller:
        clean = words_of(await story(caller))
    async with (
        lossy_relay(loss=LOSS, jitter=JITTER) as relay,
        webrtc_call(api, relay=relay, conceals=True, model=agent) as caller,
    ):
        lossy = words_of(await story(caller, relay))
        assert relay.dropped > 10
    wrong, words = word_errors(clean, lossy)
    assert words >= 20
    assert wrong / words <= 0.35, f"{clean!r} became {lossy!r}"


async def story(caller: WebRtcCaller, relay: LossyRelay | None = None) -> Pcm:
    """The first seconds of the agent's story, as they were heard."""
    if relay is not None:
        relay.harming = True
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Tell me a story"}]}
    caller.send("conversation.item.create", item=item)
    caller.send("response.create")
    await caller.hear("output_audio_buffer.started")
    begun = len(caller.audio)
    while len(caller.audio) - begun < STORY_SECONDS * 48_000:
        await caller.listened()
    return caller.audio[begun:]


CLIENTS = Path(__file__).parent / "clients"


@pytest.fixture(scope="module")
def node() -> str:
    found = shutil.which("node")
    if found is None or not (CLIENTS / "node_modules" / "@roamhq").is_dir():
        pytest.skip("no node with @roamhq/wrtc: run scripts/setup-test")
    return found


@pytest.mark.timeout(120)
async def test_a_peer_on_libwebrtc_understands_and_is_understood(
    api: httpx.AsyncClient, agent: str, node: str, say: Callable[[str], bytes], tmp_path: Path
) -> None:
    speech = soxr.resample(np.frombuffer(say(QUESTION), "<i2"), 24_000, 48_000).astype("<i2")
    (tmp_path / "speech.pcm").write_bytes(speech.tobytes())
    story, question = await node_call(api, agent, node, tmp_path, None)
    async with lossy_relay(loss=LOSS, jitter=JITTER) as relay:
        lossy_story, lossy_question = await node_call(api, agent, node, tmp_path, relay)
        assert relay.dropped > 10
    for clean, lossy, least in ((story, lossy_story, 20), (question, lossy_question, 10)):
        wrong, words = word_errors(clean, lossy)
        assert words >= least
        assert wrong / words <= 0.35, f"{clean!r} became {lossy!r}"


async def node_call(
    api: httpx.AsyncClient, agent: str, node: str, folder: Path, relay: LossyRelay | None
) -> tuple[str, str]:
    """What the peer could hear of the agent's story, and the agent of the peer's question, in words."""
    task = {
        "recording": str(folder / "heard.pcm"),
        "speech": str(folder / "speech.pcm"),
        "seconds": STORY_SECONDS,
    }
    process = await asyncio.create_subprocess_exec(
        node,
        "webrtc_peer.mjs",
        json.dumps(task),
        cwd=CLIENTS,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    question = ""
    try:
        offer = json.loads(await process.stdout.readline())["offer"]
        answer = await api.post(
            "/v1/realtime/calls",
            params={"model": agent},
            content=offer,
            headers={"content-type": "application/sdp"},
        )
        assert answer.status_code == 201, answer.text
        sdp = answer.text if relay is None else relay.reroute(answer.text)
        process.stdin.write(json.dumps({"answer": sdp}).encode() + b"\n")
        assert json.loads(await process.stdout.readline()) == {"connected": True}
        if relay is not None:
            relay.harming = True
        question = json.loads(await process.stdout.readline())["transcript"]
    finally:
        if process.returncode is None and not question:
            process.kill()
        await process.communicate()
    heard = np.frombuffer((folder / "heard.pcm").read_bytes(), "<i2")
    return words_of(heard), question
