"""Any OpenAI-compatible chat endpoint as a brain: streamed, with tools, bounded in time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final, TypeAlias, cast

import openai
from openai import AsyncOpenAI, AsyncStream
from openai.types.chat import ChatCompletionChunk
from openai.types.chat.chat_completion_chunk import ChoiceDeltaToolCall

from runtime.errors import BrainError
from runtime.wire.conversation import FunctionCall, FunctionCallOutput, ImagePart, Message, part_text
from sessions.brains.brain import Answer, Tool, ToolCall, Turn

ChatMessage: TypeAlias = dict[str, Any]
"""A message of the chat completions API."""

FIRST_TIMEOUT: Final = 10.0
"""Seconds until the first token."""

NEXT_TIMEOUT: Final = 10.0
"""Seconds between two tokens."""

SILENT_OPENING: Final = "The call has just been answered. Greet the caller in one short sentence."


class OpenAIBrain:
    """
    Asks a chat endpoint for every turn.

    Args:
        client: Carries base URL, key and connection pool; shared by all calls and not closed by us.
        model: What the endpoint calls its model.
        temperature: 0 to 2; None is the endpoint's own.
        first_timeout: Seconds the endpoint has for its first token.
        next_timeout: Seconds it may pause between two.
        options: Further fields of the request, passed on as they are.
    """

    def __init__(
        self,
        client: AsyncOpenAI,
        *,
        model: str,
        temperature: float | None = None,
        first_timeout: float = FIRST_TIMEOUT,
        next_timeout: float = NEXT_TIMEOUT,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        # A retry would only begin when the caller has already waited too long.
        self._client = client.with_options(max_retries=0)
        self._model = model
        self._temperature = temperature
        self._first_timeout = first_timeout
        self._next_timeout = next_timeout
        self._options = dict(options or {})

    async def reply(self, turn: Turn) -> AsyncIterator[Answer]:
        """
        Yield text as it comes, then the tool calls, each complete.

        Closing the iterator closes the connection, which is how such endpoints learn to stop.

        Raises:
            BrainError: Refused, unreachable, silent for too long, or broken off.
        """
        calls = _ToolCalls()
        stream = await self._ask(turn)
        try:
            timeout = self._first_timeout
            chunks = aiter(stream)
            while (chunk := await self._next(chunks, timeout)) is not None:
                timeout = self._next_timeout
                if not chunk.choices:
                    continue
                delta = chunk.choices[0].delta
                if delta.content:
                    yield delta.content
                if delta.refusal:
                    yield delta.refusal
                calls.add(delta.tool_calls or ())
        finally:
            with contextlib.suppress(Exception):
                await stream.close()
        for call in calls.complete():
            yield call

    async def _ask(self, turn: Turn) -> AsyncStream[ChatCompletionChunk]:
        request: dict[str, Any] = {
            "model": self._model,
            "messages": chat_messages(turn),
            "stream": True,
            **self._options,
        }
        if self._temperature is not None:
            request["temperature"] = self._temperature
        if turn.max_tokens is not None:
            request["max_completion_tokens"] = turn.max_tokens
        if turn.tools:
            request["tools"] = [_chat_tool(tool) for tool in turn.tools]
            request["tool_choice"] = _tool_choice(turn.tool_choice)
        try:
            async with asyncio.timeout(self._first_timeout):
                stream = await self._client.chat.completions.create(**request)
        except TimeoutError:
            raise BrainError(f"the model gave no answer in {self._first_timeout:g} s") from None
        except openai.APIError as error:
            raise _brain_error(error) from error
        return cast("AsyncStream[ChatCompletionChunk]", stream)

    async def _next(
        self, chunks: AsyncIterator[ChatCompletionChunk], timeout: float
    ) -> ChatCompletionChunk | None:
        try:
            async with asyncio.timeout(timeout):
                return await anext(chunks, None)
        except TimeoutError:
            raise BrainError(f"the model fell silent for {timeout:g} s", code="brain_timeout") from None
        # Broken JSON comes through the SDK as it is.
        except (openai.APIConnectionError, ValueError) as error:
            raise BrainError(f"the model's answer broke off: {error}") from error
        except openai.APIError as error:
            raise _brain_error(error) from error


def chat_messages(turn: Turn) -> list[ChatMessage]:
    """
    The history as chat messages: instructions first; what was said and heard as plain text.

    The API wants the calls of one reply in one message, and their outputs right behind it. So neighbouring
    calls are joined, outputs are moved up to them, and a call that has no output yet is left out.
    """
    messages: list[ChatMessage] = []
    if turn.instructions:
        messages.append({"role": "system", "content": turn.instructions})
    outputs = {item.call_id: item.output for item in turn.history if isinstance(item, FunctionCallOutput)}
    calls: list[dict[str, Any]] | None = None
    for item in turn.history:
        if isinstance(item, FunctionCall):
            if item.call_id in outputs:
                if calls is None:
                    calls = []
                    messages.append({"role": "assistant", "content": None, "tool_calls": calls})
                calls.append(_chat_call(item))
                output = {"role": "tool", "tool_call_id": item.call_id, "content": outputs[item.call_id]}
                messages.append(output)
            continue
        calls = None
        # An agent's words that were cut off before the first was heard were not said.
        if isinstance(item, Message) and (content := _content(item)):
            messages.append({"role": item.role, "content": content})
    if turn.opening and not turn.history:
        messages.append({"role": "system", "content": SILENT_OPENING})
    return messages


def _chat_call(item: FunctionCall) -> dict[str, Any]:
    function = {"name": item.name, "arguments": item.arguments}
    return {"id": item.call_id, "type": "function", "function": function}


def _content(item: Message) -> str | list[dict[str, Any]]:
    if not any(isinstance(part, ImagePart) for part in item.content):
        return item.text
    content: list[dict[str, Any]] = []
    for part in item.content:
        if isinstance(part, ImagePart):
            image = {"url": part.image_url, "detail": part.detail}
            content.append({"type": "image_url", "image_url": image})
        elif text := part_text(part):
            content.append({"type": "text", "text": text})
    return content


def _chat_tool(tool: Tool) -> dict[str, Any]:
    parameters = dict(tool.parameters) or {"type": "object", "properties": {}}
    return {
        "type": "function",
        "function": {"name": tool.name, "description": tool.description, "parameters": parameters},
    }


def _tool_choice(choice: str) -> str | dict[str, Any]:
    if choice in ("auto", "none", "required"):
        return choice
    return {"type": "function", "function": {"name": choice}}


def _brain_error(error: openai.APIError) -> BrainError:
    if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
        return BrainError(
            f"the chat endpoint refused our key: {error.message}",
            code="brain_unauthorized",
            fix="Set VIVAVOCE_OPENAI_API_KEY to a key of that endpoint.",
        )
    if isinstance(error, openai.NotFoundError):
        return BrainError(
            f"the chat endpoint does not know what was asked: {error.message}",
            fix="Check the base URL and the model's name.",
        )
    if isinstance(error, openai.APIConnectionError):
        return BrainError(f"the chat endpoint cannot be reached: {error}", code="brain_unreachable")
    return BrainError(f"the chat endpoint failed: {error.message}")


class _ToolCalls:
    """Puts tool calls together from their pieces: each piece has its call's index, the first its name."""

    def __init__(self) -> None:
        self._calls: dict[int, dict[str, str]] = {}

    def add(self, pieces: Sequence[ChoiceDeltaToolCall]) -> None:
        for piece in pieces:
            call = self._calls.setdefault(piece.index, {"id": "", "name": "", "arguments": ""})
            if piece.id:
                call["id"] = piece.id
            if piece.function is not None:
                call["name"] += piece.function.name or ""
                call["arguments"] += piece.function.arguments or ""

    def complete(self) -> list[ToolCall]:
        """In the order of their indexes. Raises BrainError for one without a name."""
        complete = []
        for index, call in sorted(self._calls.items()):
            if not call["name"]:
                raise BrainError(f"the model's tool call {index} has no name")
            complete.append(ToolCall(call["id"] or f"call_{index}", call["name"], call["arguments"] or "{}"))
        return complete
