"""
LiveKit's and Pipecat's speech plugins for ElevenLabs and for OpenAI, unchanged, each saying one sentence.

Prints a JSON object: for each plugin the seconds of sound that came, their level, and the words with the
seconds at which they begin, where the plugin has such.
"""

from __future__ import annotations

import asyncio
import json
import sys
from array import array
from dataclasses import asdict, dataclass, field

import aiohttp
from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT
from livekit.plugins import elevenlabs as livekit_elevenlabs
from livekit.plugins import openai as livekit_openai
from loguru import logger
from pipecat.frames.frames import EndFrame, ErrorFrame, Frame, TTSAudioRawFrame, TTSSpeakFrame, TTSTextFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.elevenlabs.tts import ElevenLabsHttpTTSService, ElevenLabsTTSService
from pipecat.services.openai.tts import OpenAITTSService
from pipecat.services.tts_service import TTSService
from pipecat.workers.runner import WorkerRunner

RATE = 24_000


@dataclass
class Heard:
    seconds: float = 0.0
    loudest: int = 0
    words: list[tuple[str, float]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def hear(self, audio: bytes, rate: int) -> None:
        samples = array("h", audio)
        self.seconds += len(samples) / rate
        self.loudest = max(self.loudest, max(map(abs, samples), default=0))


@dataclass(frozen=True)
class Task:
    url: str
    key: str
    voice: str
    text: str


async def livekit_over_elevenlabs(task: Task) -> Heard:
    heard = Heard()
    async with aiohttp.ClientSession() as session:
        speech = livekit_elevenlabs.TTS(
            voice_id=task.voice,
            api_key=task.key,
            base_url=f"{task.url}/v1",
            encoding="pcm_24000",
            http_session=session,
        )
        stream = speech.stream()
        for word in task.text.split(" "):
            stream.push_text(word + " ")
        stream.end_input()
        async for event in stream:
            heard.hear(bytes(event.frame.data), event.frame.sample_rate)
            for word in event.frame.userdata.get(USERDATA_TIMED_TRANSCRIPT, ()):
                heard.words.append((str(word), float(word.start_time)))
        await stream.aclose()
        await speech.aclose()
    return heard


async def livekit_over_openai(task: Task) -> Heard:
    heard = Heard()
    speech = livekit_openai.TTS(
        base_url=f"{task.url}/v1", api_key=task.key, model="tts-1", voice=task.voice, response_format="pcm"
    )
    async with speech.synthesize(task.text) as stream:
        async for event in stream:
            heard.hear(bytes(event.frame.data), event.frame.sample_rate)
    await speech.aclose()
    return heard


class Ear(FrameProcessor):
    def __init__(self, heard: Heard) -> None:
        super().__init__()
        self.heard = heard
        self.began: int | None = None
        self.audible = asyncio.Event()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, TTSAudioRawFrame):
            self.heard.hear(frame.audio, frame.sample_rate)
        elif isinstance(frame, TTSTextFrame):
            if self.began is None:
                self.began = frame.pts
            since = ((frame.pts or 0) - (self.began or 0)) / 1e9
            self.heard.words.append((frame.text, since))
        elif isinstance(frame, ErrorFrame):
            self.heard.errors.append(frame.error)
        await self.push_frame(frame, direction)


async def through_pipecat(service: TTSService, text: str) -> Heard:
    heard = Heard()
    worker = PipelineWorker(
        Pipeline([service, Ear(heard)]), params=PipelineParams(audio_out_sample_rate=RATE)
    )
    await worker.queue_frames([TTSSpeakFrame(text), EndFrame()])
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await runner.run()
    return heard


async def main() -> None:
    logger.remove()
    task = Task(**json.loads(sys.argv[1]))
    settings = ElevenLabsTTSService.Settings(voice=task.voice, model="eleven_turbo_v2_5")
    http = ElevenLabsHttpTTSService.Settings(voice=task.voice, model="eleven_turbo_v2_5")
    spoken = OpenAITTSService.Settings(voice="alloy", model="tts-1")  # it sends no other names than presets
    socket = task.url.replace("http", "ws")
    async with aiohttp.ClientSession() as session:
        heard = {
            "livekit elevenlabs": await livekit_over_elevenlabs(task),
            "livekit openai": await livekit_over_openai(task),
            "pipecat elevenlabs": await through_pipecat(
                ElevenLabsTTSService(api_key=task.key, url=socket, sample_rate=RATE, settings=settings),
                task.text,
            ),
            "pipecat elevenlabs http": await through_pipecat(
                ElevenLabsHttpTTSService(
                    api_key=task.key,
                    base_url=task.url,
                    sample_rate=RATE,
                    aiohttp_session=session,
                    settings=http,
                ),
                task.text,
            ),
            "pipecat openai": await through_pipecat(
                OpenAITTSService(
                    api_key=task.key, base_url=f"{task.url}/v1", sample_rate=RATE, settings=spoken
                ),
                task.text,
            ),
        }
    sys.stdout.write(json.dumps({name: asdict(one) for name, one in heard.items()}))


asyncio.run(main())
