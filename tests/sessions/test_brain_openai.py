from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from openai import AsyncOpenAI

from runtime.errors import BrainError
from runtime.wire.conversation import (
    FunctionCall,
    FunctionCallOutput,
    HeardPart,
    ImagePart,
    Message,
    SpokenPart,
    TextPart,
)
from sessions.brains.brain import Answer, Tool, ToolCall, Turn
from sessions.brains.openai_chat import OpenAIBrain, chat_messages
from tests.sessions.chat_endpoint import ChatEndpoint, chat_endpoint, text, tool_call

WEATHER = Tool("weather", "Tells the weather", {"type": "object", "properties": {"town": {"type": "string"}}})


def user(words: str) -> Message:
    return Message("i1", "user", (HeardPart(1.0, words),))


HELLO = Turn(history=(user("hello"),), user_text="hello", instructions="Be brief.")


async def answers(endpoint: ChatEndpoint, turn: Turn = HELLO, **options: Any) -> list[Answer]:
    async with chat_endpoint(endpoint) as client:
        brain = OpenAIBrain(client, model="small", **options)
        return [answer async for answer in brain.reply(turn)]


async def test_text_comes_piece_by_piece() -> None:
    endpoint = ChatEndpoint(text("Good ", "", "morning."))
    assert await answers(endpoint) == ["Good ", "morning."]


async def test_the_request_carries_history_tools_and_limits() -> None:
    endpoint = ChatEndpoint(text("Hi"))
    turn = Turn(history=(user("hello"),), instructions="Be brief.", tools=(WEATHER,), max_tokens=50)
    await answers(endpoint, turn, temperature=0.2, options={"seed": 7})
    (request,) = endpoint.requests
    assert "authorization: bearer test-key" in request["head"].lower()
    body = json.loads(request["body"])
    assert body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "hello"},
    ]
    assert body["tools"][0]["function"]["name"] == "weather"
    assert (body["stream"], body["temperature"], body["max_completion_tokens"], body["seed"]) == (
        True,
        0.2,
        50,
        7,
    )


async def test_tool_calls_are_put_together_from_their_pieces() -> None:
    chunks = [
        *text("One moment."),
        *tool_call(0, '{"town":', ' "Bonn"}', call_id="c1", name="weather"),
        *tool_call(1, call_id="c2", name="time"),
    ]
    assert await answers(ChatEndpoint(chunks)) == [
        "One moment.",
        ToolCall("c1", "weather", '{"town": "Bonn"}'),
        ToolCall("c2", "time", "{}"),
    ]


async def test_closing_a_reply_hangs_up_on_the_endpoint() -> None:
    endpoint = ChatEndpoint(text("I will ", "go on"), stall_after=1)
    async with chat_endpoint(endpoint) as client:
        reply = OpenAIBrain(client, model="small").reply(HELLO)
        assert await anext(reply) == "I will "
        await reply.aclose()  # type: ignore[attr-defined]
        async with asyncio.timeout(5):
            await endpoint.hung_up.wait()


async def test_an_endpoint_that_falls_silent_is_an_error_after_what_it_said() -> None:
    async with chat_endpoint(ChatEndpoint(text("Well", "never"), stall_after=1)) as client:
        reply = OpenAIBrain(client, model="small", next_timeout=0.05).reply(HELLO)
        assert await anext(reply) == "Well"
        with pytest.raises(BrainError, match="fell silent") as caught:
            await anext(reply)
    assert caught.value.code == "brain_timeout"


async def test_an_endpoint_that_never_answers_is_an_error() -> None:
    with pytest.raises(BrainError, match="0.05 s"):
        await answers(ChatEndpoint(text("late"), stall_after=0), first_timeout=0.05)


async def test_a_broken_stream_is_an_error() -> None:
    with pytest.raises(BrainError, match="broke off"):
        await answers(ChatEndpoint(text("Half a", " sentence"), break_after=1))


@pytest.mark.parametrize(
    ("status", "expected"),
    [(401, "refused our key"), (404, "does not know"), (500, "failed"), (429, "failed")],
)
async def test_a_refusal_is_told_in_words(status: int, expected: str) -> None:
    endpoint = ChatEndpoint(status=status)
    with pytest.raises(BrainError, match=expected):
        await answers(endpoint)
    assert len(endpoint.requests) == 1  # a retry would only keep the caller waiting


async def test_an_endpoint_that_is_not_there_is_an_error() -> None:
    endpoint = ChatEndpoint()
    async with chat_endpoint(endpoint):
        pass
    async with AsyncOpenAI(base_url=endpoint.base_url, api_key="x") as client:
        with pytest.raises(BrainError, match="cannot be reached"):
            await anext(OpenAIBrain(client, model="small").reply(HELLO))


def test_what_was_heard_is_what_the_model_is_told() -> None:
    spoken = Message("a1", "assistant", (SpokenPart("The first words", 1.0, cut=True),), "incomplete")
    unheard = Message("a2", "assistant", (SpokenPart("", 0.0, cut=True),), "incomplete")
    assert chat_messages(Turn(history=(spoken, unheard, user("stop")))) == [
        {"role": "assistant", "content": "The first words"},
        {"role": "user", "content": "stop"},
    ]


def test_calls_stand_together_with_their_outputs_behind_them() -> None:
    history = (
        user("weather in Bonn and Köln?"),
        FunctionCall("f1", "c1", "weather", "{}"),
        FunctionCall("f2", "c2", "weather", "{}"),
        FunctionCall("f3", "c3", "weather", "{}"),
        Message("a1", "assistant", (SpokenPart("One moment.", 1.0),)),
        FunctionCallOutput("o2", "c2", "rain"),
        FunctionCallOutput("o1", "c1", "sun"),
        FunctionCallOutput("o9", "c9", "of no call"),
    )
    asked, calls, *outputs, spoken = chat_messages(Turn(history=history))
    assert asked["role"] == "user"
    assert [call["id"] for call in calls["tool_calls"]] == ["c1", "c2"]
    assert [(output["tool_call_id"], output["content"]) for output in outputs] == [
        ("c1", "sun"),
        ("c2", "rain"),
    ]
    assert spoken == {"role": "assistant", "content": "One moment."}


def test_pictures_are_shown_beside_the_words() -> None:
    item = Message("i1", "user", (TextPart("What is this?"), ImagePart("data:image/png;base64,AA")))
    (message,) = chat_messages(Turn(history=(item,)))
    assert [part["type"] for part in message["content"]] == ["text", "image_url"]


def test_an_opening_without_history_asks_for_a_greeting() -> None:
    messages = chat_messages(Turn(opening=True, instructions="You are Ann."))
    assert [message["role"] for message in messages] == ["system", "system"]


async def test_chunks_that_are_not_json_are_an_error() -> None:
    with pytest.raises(BrainError):
        await answers(ChatEndpoint(body=b"data: {not json\n\n"))
