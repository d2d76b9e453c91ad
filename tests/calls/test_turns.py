from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from runtime.media.frame import LISTENING_RATE
from tests.calls.client import RATE, at_wire_rate, pitch, realtime
from tests.live_server import LiveServer
from tests.turn.voices import recording, silence, voice


async def test_a_typed_question_is_answered_aloud(server: LiveServer, key: str) -> None:
    async with realtime(server.url, key) as client:
        await client.ask("hello there")
        done = await client.until("response.done")
        assert done["response"]["status"] == "completed"
        assert done["response"]["output"][0]["content"][0]["transcript"] == "You said: hello there."
        # The tone engine speaks 0.06 s a character, spaces not counted.
        assert len(client.audio()) / RATE == pytest.approx(0.06 * len("Yousaid:hellothere."), abs=0.02)
        assert client.kinds() == [
            "session.created",
            "conversation.item.added",
            "conversation.item.done",
            "response.created",
            "response.output_item.added",
            "conversation.item.added",
            "response.content_part.added",
            "response.output_audio_transcript.delta",
            "response.output_audio.delta",
            "response.output_audio.done",
            "response.output_audio_transcript.done",
            "response.content_part.done",
            "response.output_item.done",
            "conversation.item.done",
            "response.done",
        ]


async def test_audio_is_paced_ahead_by_the_lead_and_no_more(server: LiveServer, key: str) -> None:
    async with realtime(server.url, key) as client:
        await client.ask("a question to say back to the one who asked")
        await client.until("response.done")
        deltas = client.all("response.output_audio.delta")
        first = client.when(deltas[0])
        sent = 0.0
        for delta in deltas:
            ahead = sent - (client.when(delta) - first)
            assert ahead <= 0.2 + 0.05
            seconds = len(delta["delta"]) * 3 / 4 / 2 / RATE
            assert 0.02 <= seconds <= 0.2 or delta is deltas[-1]
            sent += seconds


async def test_a_spoken_question_is_answered_aloud(server: LiveServer, key: str) -> None:
    async with realtime(server.url, key) as client:
        line = at_wire_rate(np.concatenate((silence(0.4), voice(1.2), silence(1.0))))
        await client.speak(line, hurry=4.0)
        done = await client.until("response.done")
        assert done["response"]["status"] == "completed"
        started = client.all("input_audio_buffer.speech_started")[0]
        stopped = client.all("input_audio_buffer.speech_stopped")[0]
        assert started["audio_start_ms"] == pytest.approx(200, abs=150)
        assert stopped["audio_end_ms"] == pytest.approx(2100, abs=200)
        (committed,) = client.all("input_audio_buffer.committed")
        assert committed["item_id"] == started["item_id"] == stopped["item_id"]
        assert client.kinds()[1:6] == [
            "input_audio_buffer.speech_started",
            "input_audio_buffer.speech_stopped",
            "input_audio_buffer.committed",
            "conversation.item.added",
            "conversation.item.done",
        ]


@pytest.mark.clips
async def test_speaking_over_the_answer_cuts_it(server: LiveServer, key: str, clips: Path) -> None:
    spoken = recording(clips / "C_conversation" / "cards-005_m_16000_3.5s.flac")[: 2 * LISTENING_RATE]
    words = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
    async with realtime(server.url, key) as client:
        await client.ask(words)
        await client.until("response.output_audio.delta")
        await client.speak(at_wire_rate(np.concatenate((silence(0.5), spoken, silence(1.0)))), hurry=1.5)
        done = await client.until("response.done")
        assert done["response"]["status"] == "cancelled"
        assert done["response"]["status_details"]["reason"] == "turn_detected"
        item = done["response"]["output"][0]
        assert item["status"] == "incomplete"
        kept = item["content"][0]["transcript"]
        said = f"You said: {words}."
        assert said.startswith(kept)
        assert 5 < len(kept) < len(said) - 20
        heard = len(client.audio(done["response"]["id"])) / RATE
        started = client.all("input_audio_buffer.speech_started")[0]
        assert client.events.index(started) < client.events.index(done)
        await client.send(
            "conversation.item.truncate", item_id=item["id"], content_index=0, audio_end_ms=int(heard * 900)
        )
        await client.until("conversation.item.truncated")
        await client.until("response.done", count=2)


async def test_the_client_cancels(server: LiveServer, key: str) -> None:
    async with realtime(server.url, key) as client:
        await client.ask("one two three four five six seven eight nine ten eleven twelve")
        await client.until("response.output_audio.delta")
        await asyncio.sleep(0.5)
        await client.send("response.cancel")
        done = await client.until("response.done")
        assert done["response"]["status"] == "cancelled"
        assert done["response"]["status_details"]["reason"] == "client_cancelled"
        deltas = len(client.all("response.output_audio.delta"))
        await client.ask("again")
        await client.until("response.done", count=2)
        newest = client.all("response.output_audio.delta")[deltas:]
        assert {delta["response_id"] for delta in newest} != {done["response"]["id"]}


async def test_g711_both_ways(server: LiveServer, key: str) -> None:
    audio = {"input": {"format": {"type": "audio/pcmu"}}, "output": {"format": {"type": "audio/pcmu"}}}
    async with realtime(server.url, key) as client:
        await client.send("session.update", session={"type": "realtime", "audio": audio})
        await client.until("session.updated")
        await client.ask("hello")
        await client.until("response.done")
        size = sum(len(delta["delta"]) * 3 // 4 for delta in client.all("response.output_audio.delta"))
        assert size / 8000 == pytest.approx(0.06 * len("Yousaid:hello."), abs=0.05)


async def test_an_agents_voice_is_what_its_next_session_speaks_in(server: LiveServer, key: str) -> None:
    with server.client(key) as api:
        made = api.post("/v1/agents", json={"name": "Ada", "voice_id": "tone-high"})
        assert made.status_code == 201, made.text
        agent = made.json()["id"]
        heard = []
        for voice_id in ("tone-high", "tone-low"):
            assert api.patch(f"/v1/agents/{agent}", json={"voice_id": voice_id}).status_code == 200
            async with realtime(server.url, key, model=agent) as client:
                assert client.events[0]["session"]["audio"]["output"]["voice"] == voice_id
                await client.ask("hello")
                await client.until("response.done")
                heard.append(pitch(client.audio()))
    assert heard == [pytest.approx(400, abs=5), pytest.approx(200, abs=5)]


async def test_a_session_may_ask_for_another_voice_until_it_has_spoken(server: LiveServer, key: str) -> None:
    async with realtime(server.url, key) as client:
        wanted = {"type": "realtime", "audio": {"output": {"voice": "tone-low"}}}
        await client.send("session.update", session=wanted)
        await client.until("session.updated")
        await client.ask("hello")
        await client.until("response.done")
        assert pitch(client.audio()) == pytest.approx(200, abs=5)
        other = {"type": "realtime", "audio": {"output": {"voice": "nobody-at-all"}}}
        await client.send("session.update", session=other)
        assert (await client.until("error"))["error"]["code"]


async def test_a_silent_line_is_no_turn(server: LiveServer, key: str) -> None:
    async with realtime(server.url, key) as client:
        await client.speak(at_wire_rate(silence(8.0)), hurry=10.0)
        await asyncio.sleep(0.3)
        assert client.kinds() == ["session.created"]


async def test_a_greeting_opens_the_call_unless_the_client_does(server: LiveServer, key: str) -> None:
    with server.client(key) as api:
        body = {"name": "Ada", "voice_id": "tone-high", "greeting": "Good day."}
        agent = api.post("/v1/agents", json=body).json()["id"]
    async with realtime(server.url, key, model=agent) as client:
        done = await client.until("response.done")
        assert done["response"]["output"][0]["content"][0]["transcript"] == "Good day."
    async with realtime(server.url, key, model=agent) as client:
        await client.ask("me first")
        done = await client.until("response.done")
        assert done["response"]["output"][0]["content"][0]["transcript"] == "You said: me first."
