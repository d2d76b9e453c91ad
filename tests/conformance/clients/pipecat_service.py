"""pipecat: an OpenAIRealtimeLLMService in a pipeline of its own."""

from __future__ import annotations

import asyncio

from loguru import logger
from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import (
    EndFrame,
    ErrorFrame,
    Frame,
    InputAudioRawFrame,
    InterruptionFrame,
    LLMRunFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSStoppedFrame,
    TTSTextFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.llm_service import FunctionCallParams
from pipecat.services.openai.realtime import events
from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService
from pipecat.workers.runner import WorkerRunner
from script import FORECAST, RATE, Microphone, Report, Task, main, until

WEATHER = FunctionSchema(
    name="get_weather",
    description="The weather in a city",
    properties={"city": {"type": "string"}},
    required=["city"],
)


class Ear(FrameProcessor):
    """Notes what passes by."""

    def __init__(self, report: Report) -> None:
        super().__init__()
        self.report = report
        self.heard = 0.0
        self.stops = 0

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, TTSAudioRawFrame):
            self.heard += len(frame.audio) / (2 * frame.sample_rate)
        elif isinstance(frame, TTSTextFrame):
            self.report.agent_transcripts.append(frame.text)
        elif isinstance(frame, TTSStoppedFrame):
            self.stops += 1
        elif isinstance(frame, TranscriptionFrame):
            self.report.user_transcripts.append(frame.text)
        elif isinstance(frame, InterruptionFrame):
            self.report.interruptions += 1
        elif isinstance(frame, ErrorFrame):
            self.report.errors.append(frame.error)
        await self.push_frame(frame, direction)


async def converse(task: Task, report: Report) -> None:
    logger.remove()
    service = OpenAIRealtimeLLMService(
        api_key=task.key,
        base_url=task.websocket,
        settings=OpenAIRealtimeLLMService.Settings(
            model=task.agent,
            session_properties=events.SessionProperties(
                instructions="Be kind.",
                audio=events.AudioConfiguration(
                    input=events.AudioInput(
                        transcription=events.InputAudioTranscription(model="whisper-1"),
                        turn_detection=events.TurnDetection(),
                    )
                ),
            ),
        ),
    )

    async def get_weather(params: FunctionCallParams) -> None:
        report.tool_calls.append(str(params.arguments))
        await params.result_callback(FORECAST)

    service.register_function("get_weather", get_weather)
    context = LLMContext(tools=ToolsSchema(standard_tools=[WEATHER]))
    pair = LLMContextAggregatorPair(context)
    # Transcripts travel upstream, everything else down.
    upstream, after_service = Ear(Report()), Ear(report)
    pipeline = Pipeline([pair.user(), upstream, service, after_service, pair.assistant()])
    worker = PipelineWorker(
        pipeline, params=PipelineParams(audio_in_sample_rate=RATE, audio_out_sample_rate=RATE)
    )
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    running = asyncio.create_task(runner.run())

    async def send(audio: bytes) -> None:
        await worker.queue_frame(InputAudioRawFrame(audio=audio, sample_rate=RATE, num_channels=1))

    await worker.queue_frame(LLMRunFrame())
    microphone = Microphone(send)
    speaking = asyncio.create_task(microphone.run())
    await until("the first answer", lambda: after_service.stops >= 1)
    microphone.say(task.weather)
    await until("the tool call", lambda: bool(report.tool_calls))
    await until("the forecast", lambda: after_service.stops >= 2)
    before = after_service.heard
    microphone.say(task.story)
    await until("two seconds of story", lambda: after_service.heard > before + 2.0)
    earlier = report.interruptions
    microphone.say(task.interruption)
    await until("the interruption", lambda: report.interruptions > earlier)
    await asyncio.sleep(1.5)
    report.interruptions -= earlier
    report.audio_seconds = after_service.heard
    report.user_transcripts = upstream.report.user_transcripts
    speaking.cancel()
    await worker.queue_frame(EndFrame())
    await asyncio.wait_for(running, 10)


main(converse)
