"""livekit-plugins-openai: a RealtimeModel session without a room."""

from __future__ import annotations

import asyncio
import contextlib

from livekit import rtc
from livekit.agents import llm
from livekit.plugins import openai
from openai.types.realtime.realtime_audio_input_turn_detection import ServerVad
from script import FORECAST, RATE, Microphone, Report, Task, main, until


async def converse(task: Task, report: Report) -> None:
    @llm.function_tool
    async def get_weather(city: str) -> str:
        """The weather in a city."""
        return FORECAST

    model = openai.realtime.RealtimeModel(
        base_url=f"{task.url}/v1",
        api_key=task.key,
        model=task.agent,
        turn_detection=ServerVad(type="server_vad", interrupt_response=True, create_response=True),
    )
    session = model.session()
    finished = 0
    heard = 0.0
    speaking = asyncio.Event()
    generations: set[asyncio.Task[None]] = set()

    async def follow(generation: llm.GenerationCreatedEvent) -> None:
        nonlocal finished, heard

        async def listen(message: llm.MessageGeneration) -> None:
            nonlocal heard
            async for frame in message.audio_stream:
                heard += frame.samples_per_channel / frame.sample_rate
                report.notes["item"] = message.message_id

        async def read(message: llm.MessageGeneration) -> None:
            text = "".join([delta async for delta in message.text_stream])
            report.agent_transcripts.append(text)

        async def call_functions() -> None:
            async for call in generation.function_stream:
                report.tool_calls.append(call.arguments)
                context = session.chat_ctx.copy()
                context.insert(call)
                output = llm.FunctionCallOutput(
                    call_id=call.call_id, name=call.name, output=FORECAST, is_error=False
                )
                context.insert(output)
                await session.update_chat_ctx(context)
                reply = await session.generate_reply()
                start(reply)

        functions = asyncio.create_task(call_functions())
        messages = []
        async for message in generation.message_stream:
            messages += [asyncio.create_task(listen(message)), asyncio.create_task(read(message))]
        await asyncio.gather(*messages, functions)
        finished += 1

    def start(generation: llm.GenerationCreatedEvent) -> None:
        running = asyncio.create_task(follow(generation))
        generations.add(running)
        running.add_done_callback(generations.discard)

    def created(generation: llm.GenerationCreatedEvent) -> None:
        if not generation.user_initiated:
            start(generation)

    session.on("generation_created", created)
    session.on("error", lambda error: report.errors.append(str(error)))
    session.on("input_speech_started", lambda _: speaking.set())
    session.on(
        "input_audio_transcription_completed",
        lambda event: report.user_transcripts.append(event.transcript) if event.is_final else None,
    )
    await session.update_instructions("Be kind.")
    await session.update_tools([get_weather])

    async def send(audio: bytes) -> None:
        session.push_audio(rtc.AudioFrame(audio, RATE, 1, len(audio) // 2))

    microphone = Microphone(send)
    running = asyncio.create_task(microphone.run())
    microphone.say(task.weather)
    await until("the tool call", lambda: bool(report.tool_calls))
    await until("the forecast", lambda: finished >= 2)
    before = heard
    context = session.chat_ctx.copy()
    context.add_message(role="user", content="Tell me a story")
    await session.update_chat_ctx(context)
    start(await session.generate_reply())
    await until("two seconds of story", lambda: heard > before + 2.0)
    speaking.clear()
    microphone.say(task.interruption)
    await asyncio.wait_for(speaking.wait(), 20)
    report.interruptions += 1
    session.truncate(
        message_id=str(report.notes["item"]), modalities=["audio"], audio_end_ms=int((heard - before) * 1000)
    )
    await until("the end of the story", lambda: finished >= 3)
    await asyncio.sleep(0.5)
    report.audio_seconds = heard
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    await session.aclose()


main(converse)
