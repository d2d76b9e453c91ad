"""Functions that this server calls itself for a brain: asked for by the model, answered before it goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol, cast

from runtime.errors import BrainError, InvalidRequest
from runtime.wire.conversation import FunctionCall, FunctionCallOutput, Item, Message, TextPart, new_id
from sessions.brains.brain import Answer, Brain, Tool, ToolCall, Turn, expected_answers

DEFAULT_TIMEOUT: Final = 5.0
LONGEST_TIMEOUT: Final = 30.0

MAX_ROUNDS: Final = 5
"""How often in one reply a model may call functions and be asked again."""


@dataclass(frozen=True, slots=True)
class ServerTool:
    """A function behind an address, called by us rather than by the client."""

    tool: Tool
    url: str
    timeout: float = DEFAULT_TIMEOUT
    """Seconds; the caller waits in silence or with a filler."""
    secret: str | None = None
    """Signs requests, so that the other side knows they are ours."""


class ToolRunner(Protocol):
    """Calls the address of a tool."""

    async def run(self, tool: ServerTool, call: ToolCall, *, session_id: str) -> str:
        """What the model is told. Failures are told in words: only cancellation is raised."""
        ...


class ToolingBrain:
    """
    A brain whose calls of certain functions are answered here, in the middle of its reply.

    What it says before a call is heard while the call runs. Calls of other functions pass through. Results
    are remembered for the rest of the call, at the place in the history where they were asked for.

    Args:
        brain: The one that asks.
        tools: What may be called here.
        runner: What calls it.
    """

    def __init__(self, brain: Brain, *, tools: Sequence[ServerTool], runner: ToolRunner) -> None:
        self._brain = brain
        self._tools = {tool.tool.name: tool for tool in tools}
        self._runner = runner
        self._remembered: dict[str | None, tuple[Item, ...]] = {}

    @property
    def expects(self) -> Sequence[str]:
        """As the brain."""
        return expected_answers(self._brain)

    async def reply(self, turn: Turn) -> AsyncIterator[Answer]:
        """
        Yield the brain's reply without the calls that are answered here.

        Raises:
            BrainError: As the brain, or it does not stop calling.
        """
        asked_at = turn.history[-1].id if turn.history else None
        tools = (*turn.tools, *(tool.tool for tool in self._tools.values()))
        turn = replace(turn, history=self._recalled(turn.history), tools=tools)
        for _ in range(MAX_ROUNDS):
            said: list[str] = []
            calls: list[ToolCall] = []
            passed_on = False
            # Every brain's reply is an async generator; the protocol does not need to say so.
            async with aclosing(cast("Any", self._brain.reply(turn))) as answers:
                async for answer in answers:
                    if isinstance(answer, ToolCall) and answer.name in self._tools:
                        calls.append(answer)
                        continue
                    passed_on |= isinstance(answer, ToolCall)
                    if isinstance(answer, str):
                        said.append(answer)
                    yield answer
            if not calls:
                return
            answered = await self._answer(calls, turn.session_id)
            self._remembered[asked_at] = (*self._remembered.get(asked_at, ()), *answered)
            if passed_on:
                return  # the client has to answer first, and then asks for the next reply
            spoken = (Message(new_id("item"), "assistant", (TextPart("".join(said)),)),) if any(said) else ()
            turn = replace(turn, history=(*turn.history, *spoken, *answered))
        raise BrainError(f"the model called functions {MAX_ROUNDS} times and did not come to an answer")

    async def _answer(self, calls: Sequence[ToolCall], session_id: str) -> tuple[Item, ...]:
        outputs = await asyncio.gather(
            *(self._runner.run(self._tools[call.name], call, session_id=session_id) for call in calls)
        )
        asked = (FunctionCall(new_id("item"), call.call_id, call.name, call.arguments) for call in calls)
        told = (
            FunctionCallOutput(new_id("item"), call.call_id, output)
            for call, output in zip(calls, outputs, strict=True)
        )
        return (*asked, *told)

    def _recalled(self, history: Sequence[Item]) -> tuple[Item, ...]:
        recalled = list(self._remembered.get(None, ()))
        for item in history:
            recalled.append(item)
            recalled.extend(self._remembered.get(item.id, ()))
        return tuple(recalled)


def read_tools(entries: Sequence[Mapping[str, Any]]) -> tuple[list[Tool], list[ServerTool]]:
    """
    Sort an agent's tools: those with a ``url`` are called by us, the others by the client.

    Args:
        entries: In the shape of the OpenAI Realtime API (``type``, ``name``, ``description``,
            ``parameters``), and ``url``, ``timeout_ms`` and ``secret`` for ours.

    Raises:
        InvalidRequest: A name is missing or given twice, or an option is out of range.
    """
    theirs: list[Tool] = []
    ours: list[ServerTool] = []
    names: set[str] = set()
    for entry in entries:
        name = entry.get("name")
        if not isinstance(name, str) or not name or name in names:
            raise InvalidRequest(f"a tool needs a name of its own, not {name!r}", param="tools")
        names.add(name)
        tool = Tool(name, str(entry.get("description") or ""), entry.get("parameters") or {})
        url = entry.get("url")
        if url is None:
            theirs.append(tool)
            continue
        if not str(url).startswith(("http://", "https://")):
            raise InvalidRequest(f"tool {name}: the url should begin with https://", param="tools")
        timeout = entry.get("timeout_ms", DEFAULT_TIMEOUT * 1000)
        if not isinstance(timeout, int | float) or not 0 < timeout <= LONGEST_TIMEOUT * 1000:
            raise InvalidRequest(
                f"tool {name}: timeout_ms should be a number up to {LONGEST_TIMEOUT * 1000:g}", param="tools"
            )
        secret = entry.get("secret")
        ours.append(ServerTool(tool, str(url), timeout / 1000, None if secret is None else str(secret)))
    return theirs, ours
