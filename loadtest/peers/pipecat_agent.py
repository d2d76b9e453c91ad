"""
A Pipecat agent that speaks a steady tone: its FastAPI WebSocket transport and its Twilio serializer.

    python -m loadtest.peers.pipecat_agent PORT        with pipecat-ai[websocket] installed

Written against Pipecat's public API, as its Twilio examples are: one pipeline per call, input, source,
output. There is no voice activity detector, no recogniser and no model, so that only the media plane works.
The source keeps one second ahead, more than the transport sends ahead of time.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import uvicorn
from fastapi import FastAPI, WebSocket
from loguru import logger
from pipecat.frames.frames import CancelFrame, EndFrame, Frame, OutputAudioRawFrame, StartFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.runner import PipelineRunner
from pipecat.pipeline.task import PipelineParams, PipelineTask
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.serializers.twilio import TwilioFrameSerializer
from pipecat.transports.websocket.fastapi import FastAPIWebsocketParams, FastAPIWebsocketTransport

from loadtest.peers.tone import RATE, SECONDS, block

AHEAD = 1.0

logger.remove()
logger.add(sys.stderr, level="WARNING")
app = FastAPI()


class ToneSource(FrameProcessor):
    """Pushes blocks of the tone, a little ahead of time, until the call ends."""

    def __init__(self) -> None:
        super().__init__()
        self._speaking: asyncio.Task[None] | None = None

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        await self.push_frame(frame, direction)
        if isinstance(frame, StartFrame):
            self._speaking = self.create_task(self._speak())
        elif isinstance(frame, EndFrame | CancelFrame) and self._speaking is not None:
            await self.cancel_task(self._speaking)
            self._speaking = None

    async def _speak(self) -> None:
        began, tone, made = time.monotonic(), block(), 0.0
        while True:
            await self.push_frame(OutputAudioRawFrame(audio=tone, sample_rate=RATE, num_channels=1))
            made += SECONDS
            await asyncio.sleep(max(0.0, began + made - AHEAD - time.monotonic()))


@app.get("/")
async def ready() -> str:
    return "ready"


@app.websocket("/telephony/twilio/agent_tone")
async def call(socket: WebSocket) -> None:
    await socket.accept()
    message = json.loads(await socket.receive_text())
    while message["event"] != "start":
        message = json.loads(await socket.receive_text())
    serializer = TwilioFrameSerializer(
        stream_sid=message["start"]["streamSid"], params=TwilioFrameSerializer.InputParams(auto_hang_up=False)
    )
    transport = FastAPIWebsocketTransport(
        websocket=socket,
        params=FastAPIWebsocketParams(
            audio_in_enabled=True, audio_out_enabled=True, add_wav_header=False, serializer=serializer
        ),
    )
    task = PipelineTask(
        Pipeline([transport.input(), ToneSource(), transport.output()]),
        params=PipelineParams(audio_in_sample_rate=RATE, audio_out_sample_rate=RATE),
        idle_timeout_secs=None,
    )

    @transport.event_handler("on_client_disconnected")
    async def gone(_transport: object, _client: object) -> None:
        await task.cancel()

    await PipelineRunner(handle_sigint=False).run(task)


if __name__ == "__main__":
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        log_level="warning",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
    )
