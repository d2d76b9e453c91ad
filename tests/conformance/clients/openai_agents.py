"""openai-agents: a RealtimeRunner with a function tool and an interruption."""

from __future__ import annotations

import asyncio
import contextlib

from agents import function_tool, set_tracing_disabled
from agents.realtime import RealtimeAgent, RealtimeRunner
from script import FORECAST, Microphone, Report, Task, main, until


async def converse(task: Task, report: Report) -> None:
    set_tracing_disabled(True)

    @function_tool
    def get_weather(city: str) -> str:
        """The weather in a city."""
        report.tool_calls.append(city)
        return FORECAST

    agent = RealtimeAgent(name="Keeper", instructions="Be kind.", tools=[get_weather])
    session = await RealtimeRunner(agent).run(
        model_config={
            "url": f"{task.websocket}?model={task.agent}",
            "api_key": task.key,
            "initial_model_settings": {
                "input_audio_transcription": {"model": "whisper-1"},
                "turn_detection": {"type": "server_vad", "interrupt_response": True},
            },
        }
    )
    turns = 0
    heard = 0.0

    async def listen() -> None:
        nonlocal turns, heard
        async for event in session:
            if event.type == "audio":
                heard += len(event.audio.data) / 48_000
            elif event.type == "audio_interrupted":
                report.interruptions += 1
            elif event.type == "error":
                report.errors.append(str(event.error))
            elif event.type == "raw_model_event" and event.data.type == "turn_ended":
                turns += 1
            elif event.type in ("history_updated", "history_added"):
                report.notes["history"] = len(getattr(event, "history", []))

    async with session:
        microphone = Microphone(session.send_audio)
        tasks = [asyncio.create_task(listen()), asyncio.create_task(microphone.run())]
        microphone.say(task.weather)
        await until("the tool call", lambda: bool(report.tool_calls))
        await until("the forecast", lambda: turns >= 2)
        before = heard
        await session.send_message("Tell me a story")
        await until("two seconds of story", lambda: heard > before + 2.0)
        microphone.say(task.interruption)
        await until("the interruption", lambda: report.interruptions > 0)
        await until("the end of the story", lambda: turns >= 3)
        await asyncio.sleep(1.0)  # truncation and retrieval are still under way
        for item in session._history:
            for part in getattr(item, "content", []):
                text = getattr(part, "transcript", None) or getattr(part, "text", None) or ""
                to = report.user_transcripts if item.role == "user" else report.agent_transcripts
                to.append(text)
        report.audio_seconds = heard
        for running in tasks:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running


main(converse)
