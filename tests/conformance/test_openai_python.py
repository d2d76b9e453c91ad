"""Whole calls by the stock ``openai`` SDK, told only a base URL and a key; every frame is validated."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from openai import AsyncOpenAI, AuthenticationError

from runtime.media.container import DecodeLimits, decode_upload
from runtime.media.g711 import decode_mulaw, encode_mulaw
from runtime.media.resample import StreamResampler
from tests.conformance.caller import Caller, calling
from tests.conformance.chat_endpoint import STORY
from tests.live_server import LiveServer

Speak = Callable[[str], bytes]


@pytest.fixture
async def client(server: LiveServer, key: str) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{server.url}/v1", api_key=key) as client:
        yield client


def user_text(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


async def ask(caller: Caller, text: str, **response: Any) -> dict[str, Any]:
    """A typed turn; returns the finished response."""
    before = len(caller.events)
    await caller.send("conversation.item.create", item=user_text(text))
    await caller.send("response.create", response=response)
    done = await caller.hear("response.done", after=before)
    finished: dict[str, Any] = done["response"]
    return finished


def loudness(pcm: bytes) -> float:
    samples = np.frombuffer(pcm, "<i2").astype(np.float64)
    return float(np.sqrt(np.mean(samples**2)))


async def test_a_typed_turn_is_answered_in_the_agents_cloned_voice(
    client: AsyncOpenAI, agent: str, cloned_voice: str
) -> None:
    async with calling(client, agent) as caller:
        response = await ask(caller, "good morning")
        assert response["status"] == "completed"
        assert response["audio"]["output"]["voice"] == cloned_voice
        assert response["output"][0]["content"][0]["transcript"].strip() == "I heard: good morning."
        audio = caller.audio(response["id"])
        assert len(audio) / 48_000 > 0.8
        assert loudness(audio) > 300


async def test_a_spoken_turn_is_heard_transcribed_and_answered(
    client: AsyncOpenAI, agent: str, say: Speak
) -> None:
    async with calling(client, agent, microphone=True) as caller:
        await caller.connection.session.update(
            session={
                "type": "realtime",
                "audio": {
                    "input": {
                        "transcription": {"model": "whisper-1"},
                        "turn_detection": {"type": "server_vad", "silence_duration_ms": 400},
                    }
                },
            }
        )
        await caller.hear("session.updated")
        caller.say(say("Hello, can you hear me?"))
        started = await caller.hear("input_audio_buffer.speech_started")
        committed = await caller.hear("input_audio_buffer.committed")
        heard = await caller.hear("conversation.item.input_audio_transcription.completed")
        done = await caller.hear("response.done")
        assert started["item_id"] == committed["item_id"] == heard["item_id"]
        assert "hear me" in heard["transcript"]
        said = done["response"]["output"][0]["content"][0]["transcript"]
        assert heard["transcript"].strip(" .") in said
        assert loudness(caller.audio(done["response"]["id"])) > 300


async def test_a_real_persons_recording_is_heard(client: AsyncOpenAI, agent: str, clips: Path) -> None:
    recording = decode_upload(
        (clips / "A_good" / "vctkp360-006_m_44100_7.3s.wav").read_bytes(), limits=DecodeLimits()
    )
    mono = np.clip(recording.samples.mean(axis=1) * 32767, -32768, 32767).astype(np.int16)
    resampler = StreamResampler(recording.rate, 24_000)
    pcm = np.concatenate([resampler.push(mono), resampler.flush()]).astype("<i2").tobytes()
    async with calling(client, agent, microphone=True) as caller:
        await caller.send(
            "session.update",
            session={"type": "realtime", "audio": {"input": {"transcription": {"model": "whisper-1"}}}},
        )
        caller.say(pcm)
        heard = await caller.hear("conversation.item.input_audio_transcription.completed")
        assert len(heard["transcript"].split()) >= 3
        assert (await caller.hear("response.output_audio.delta"))["delta"]


async def test_speaking_over_the_agent_stops_it_and_the_history_keeps_what_was_heard(
    client: AsyncOpenAI, agent: str, say: Speak
) -> None:
    async with calling(client, agent, microphone=True) as caller:
        await caller.hear("session.created")
        await caller.send("conversation.item.create", item=user_text("Tell me a story"))
        await caller.send("response.create")
        created = (await caller.hear("response.created"))["response"]["id"]
        first = await caller.hear("response.output_audio.delta")
        while len(caller.audio(created)) < 48_000 * 2:
            await caller.hear("response.output_audio.delta", after=len(caller.events))
        before = len(caller.events)
        caller.say(say("Stop, please stop, I have a question."))
        await caller.hear("input_audio_buffer.speech_started", after=before)
        done = (await caller.hear("response.done", after=before))["response"]
        assert done["status"] == "cancelled"
        assert done["status_details"]["reason"] == "turn_detected"
        assert done["output"][0]["status"] == "incomplete"
        item_id = first["item_id"]

        await caller.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=1500)
        truncated = await caller.hear("conversation.item.truncated", after=before)
        assert truncated["audio_end_ms"] == 1500
        await caller.send("conversation.item.retrieve", item_id=item_id)
        item = (await caller.hear("conversation.item.retrieved", after=before))["item"]
        kept = item["content"][0]["transcript"]
        assert STORY.startswith(kept.strip())
        assert 8 <= len(kept) < 60
        if "audio" in item["content"][0]:
            assert len(base64.b64decode(item["content"][0]["audio"])) == 48_000 * 1.5


async def test_a_tool_of_the_clients_is_called_and_its_answer_spoken(client: AsyncOpenAI, agent: str) -> None:
    tool = {
        "type": "function",
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    }
    async with calling(client, agent) as caller:
        await caller.send("session.update", session={"type": "realtime", "tools": [tool]})
        response = await ask(caller, "What is the weather like?")
        (call,) = response["output"]
        assert (call["type"], call["name"]) == ("function_call", "get_weather")
        assert call["arguments"] == '{"city": "Bern"}'
        before = len(caller.events)
        output = {"type": "function_call_output", "call_id": call["call_id"], "output": "sunny and mild"}
        await caller.send("conversation.item.create", item=output)
        await caller.send("response.create")
        done = (await caller.hear("response.done", after=before))["response"]
        assert "sunny and mild" in done["output"][0]["content"][0]["transcript"]


async def test_a_client_may_end_its_turns_itself(client: AsyncOpenAI, agent: str, say: Speak) -> None:
    async with calling(client, agent) as caller:
        hearing = {"turn_detection": None, "transcription": {"model": "whisper-1"}}
        await caller.send("session.update", session={"type": "realtime", "audio": {"input": hearing}})
        speech = say("Hello, can you hear me?")
        for start in range(0, len(speech), 9_600):
            await caller.connection.input_audio_buffer.append(
                audio=base64.b64encode(speech[start : start + 9_600]).decode()
            )
        await caller.connection.input_audio_buffer.commit()
        committed = await caller.hear("input_audio_buffer.committed")
        heard = await caller.hear("conversation.item.input_audio_transcription.completed")
        assert heard["item_id"] == committed["item_id"]
        assert "hear me" in heard["transcript"]
        assert "input_audio_buffer.speech_started" not in caller.types()
        assert "response.created" not in caller.types()
        await caller.connection.response.create()
        done = await caller.hear("response.done")
        assert "hear me" in done["response"]["output"][0]["content"][0]["transcript"]


async def test_cancelling_when_idle_is_an_error_and_the_session_goes_on(
    client: AsyncOpenAI, agent: str
) -> None:
    async with calling(client, agent) as caller:
        await caller.connection.response.cancel()
        error = (await caller.hear("error"))["error"]
        assert error["code"] == "response_cancel_not_active"
        assert error["message"].startswith("Cancellation failed")
        assert (await ask(caller, "still there"))["status"] == "completed"


async def test_a_running_answer_can_be_cancelled(client: AsyncOpenAI, agent: str) -> None:
    async with calling(client, agent) as caller:
        await caller.send("conversation.item.create", item=user_text("Tell me a story"))
        await caller.send("response.create")
        await caller.hear("response.output_audio.delta")
        await caller.connection.response.cancel()
        done = (await caller.hear("response.done"))["response"]
        assert done["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
        assert (await ask(caller, "hello again"))["status"] == "completed"


async def test_text_only_and_out_of_band_answers_are_written(client: AsyncOpenAI, agent: str) -> None:
    async with calling(client, agent) as caller:
        response = await ask(
            caller,
            "ignored",
            conversation="none",
            output_modalities=["text"],
            metadata={"topic": "mood"},
            input=[user_text("only this")],
        )
        assert response["metadata"] == {"topic": "mood"}
        assert response["conversation_id"] is None
        assert response["output"][0]["content"][0]["text"].strip() == "I heard: only this."
        assert "response.output_audio.delta" not in caller.types()


async def test_a_telephone_line_speaks_and_hears_mu_law(client: AsyncOpenAI, agent: str, say: Speak) -> None:
    resampler = StreamResampler(24_000, 8_000)
    speech = np.frombuffer(say("Hello, can you hear me?"), "<i2")
    narrow = encode_mulaw(np.concatenate([resampler.push(speech), resampler.flush()]))
    async with calling(client, agent, microphone=True, g711=True) as caller:
        g711 = {"format": {"type": "audio/pcmu"}}
        audio = {"input": g711 | {"transcription": {"model": "whisper-1"}}, "output": g711}
        await caller.send("session.update", session={"type": "realtime", "audio": audio})
        await caller.hear("session.updated")
        caller.say(narrow)
        heard = await caller.hear("conversation.item.input_audio_transcription.completed")
        assert heard["transcript"]
        done = (await caller.hear("response.done"))["response"]
        answer = decode_mulaw(caller.audio(done["id"]))
        assert len(answer) / 8_000 > 0.5
        assert loudness(answer.astype("<i2").tobytes()) > 300


async def test_any_model_name_may_speak_in_a_named_voice(client: AsyncOpenAI, cloned_voice: str) -> None:
    async with calling(client, "gpt-realtime") as caller:
        await caller.send(
            "session.update",
            session={"type": "realtime", "audio": {"output": {"voice": {"id": cloned_voice}}}},
        )
        updated = await caller.hear("session.updated")
        assert updated["session"]["audio"]["output"]["voice"] == cloned_voice
        response = await ask(caller, "good morning")
        assert loudness(caller.audio(response["id"])) > 300


async def test_an_unknown_voice_is_refused_and_the_session_goes_on(client: AsyncOpenAI) -> None:
    async with calling(client, "gpt-realtime") as caller:
        await caller.send(
            "session.update",
            event_id="mine",
            session={"type": "realtime", "audio": {"output": {"voice": "voice_nobody"}}},
        )
        error = (await caller.hear("error"))["error"]
        assert (error["code"], error["event_id"]) == ("voice_not_found", "mine")
        assert (await ask(caller, "hello"))["status"] == "completed"


async def test_a_transcription_session_writes_down_and_answers_nothing(
    client: AsyncOpenAI, agent: str, say: Speak
) -> None:
    async with calling(client, agent, microphone=True) as caller:
        await caller.send("session.update", session={"type": "transcription"})
        await caller.hear("session.updated")
        caller.say(say("Hello, can you hear me?"))
        heard = await caller.hear("conversation.item.input_audio_transcription.completed")
        assert "hear me" in heard["transcript"]
        assert "response.created" not in caller.types()


async def test_a_bad_key_is_refused_before_the_upgrade(server: LiveServer) -> None:
    async with AsyncOpenAI(base_url=f"{server.url}/v1", api_key="sk-wrong") as client:
        with pytest.raises(Exception, match="401") as caught:
            async with client.realtime.connect(model="any"):
                pass
        assert not isinstance(caught.value, AuthenticationError)


async def test_history_can_be_replayed_after_a_reconnect(client: AsyncOpenAI, agent: str) -> None:
    async with calling(client, agent) as caller:
        for number, (role, kind) in enumerate([("user", "input_text"), ("assistant", "output_text")] * 2):
            item = {
                "id": f"replayed_{number}",
                "type": "message",
                "role": role,
                "content": [{"type": kind, "text": f"line {number}"}],
            }
            before = "root" if number == 0 else f"replayed_{number - 1}"
            await caller.send("conversation.item.create", item=item, previous_item_id=before)
            added = await caller.hear(
                "conversation.item.added", previous_item_id=None if number == 0 else before
            )
            assert added["item"]["id"] == f"replayed_{number}"
        await caller.send("conversation.item.create", item=item)
        error = (await caller.hear("error"))["error"]
        assert error["code"] == "item_create_duplicate_item_id"
        response = await ask(caller, "where were we")
        assert response["usage"]["input_token_details"]["text_tokens"] > 8
