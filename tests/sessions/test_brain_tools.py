from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence

import pytest

from runtime.errors import BrainError, InvalidRequest
from runtime.wire.conversation import FunctionCall, FunctionCallOutput, Message, TextPart
from sessions.brains.brain import Answer, Tool, ToolCall, Turn
from sessions.brains.tools import ServerTool, ToolingBrain, read_tools

CLOCK = ServerTool(Tool("clock"), "https://tools.example/clock")


class Script:
    """A brain with one reply a round; keeps the turns it was given."""

    def __init__(self, *rounds: Sequence[Answer]) -> None:
        self._rounds = list(rounds)
        self.turns: list[Turn] = []

    async def reply(self, turn: Turn) -> AsyncIterator[Answer]:
        self.turns.append(turn)
        for answer in self._rounds.pop(0) if len(self._rounds) > 1 else self._rounds[0]:
            yield answer


class Noon:
    """A runner for which it is always noon."""

    def __init__(self) -> None:
        self.calls: list[ToolCall] = []

    async def run(self, tool: ServerTool, call: ToolCall, *, session_id: str) -> str:
        self.calls.append(call)
        return "12:00"


def asked(item_id: str = "i1") -> Message:
    return Message(item_id, "user", (TextPart("what time is it?"),))


async def said(brain: ToolingBrain, turn: Turn) -> list[Answer]:
    return [answer async for answer in brain.reply(turn)]


async def test_a_call_is_answered_in_the_middle_of_the_reply() -> None:
    script = Script(["One moment.", ToolCall("c1", "clock", "{}")], ["It is noon."])
    runner = Noon()
    brain = ToolingBrain(script, tools=[CLOCK], runner=runner)
    assert await said(brain, Turn(history=(asked(),))) == ["One moment.", "It is noon."]
    assert [call.call_id for call in runner.calls] == ["c1"]
    first, second = script.turns
    assert [tool.name for tool in first.tools] == ["clock"]
    _, spoken, call, output = second.history
    assert isinstance(spoken, Message)
    assert spoken.text == "One moment."
    assert isinstance(call, FunctionCall)
    assert isinstance(output, FunctionCallOutput)
    assert output.output == "12:00"


async def test_results_are_remembered_where_they_were_asked_for() -> None:
    script = Script([ToolCall("c1", "clock", "{}")], ["Noon."])
    brain = ToolingBrain(script, tools=[CLOCK], runner=Noon())
    await said(brain, Turn(history=(asked(),)))
    answer = Message("a1", "assistant", (TextPart("Noon."),))
    await said(brain, Turn(history=(asked(), answer, asked("i2"))))
    kinds = [type(item) for item in script.turns[-1].history]
    assert kinds == [Message, FunctionCall, FunctionCallOutput, Message, Message]


async def test_other_functions_are_the_clients() -> None:
    script = Script([ToolCall("c1", "clock", "{}"), ToolCall("c2", "open_door", "{}")])
    brain = ToolingBrain(script, tools=[CLOCK], runner=Noon())
    assert await said(brain, Turn(history=(asked(),))) == [ToolCall("c2", "open_door", "{}")]
    assert len(script.turns) == 1


async def test_a_model_that_never_stops_calling_is_stopped() -> None:
    brain = ToolingBrain(Script([ToolCall("c1", "clock", "{}")]), tools=[CLOCK], runner=Noon())
    with pytest.raises(BrainError, match="did not come to an answer"):
        await said(brain, Turn(history=(asked(),)))


def test_tools_with_an_address_are_ours() -> None:
    theirs, ours = read_tools(
        [
            {"type": "function", "name": "open_door", "parameters": {"type": "object"}},
            {"name": "clock", "url": "https://tools.example/clock", "timeout_ms": 800, "secret": "s"},
        ]
    )
    assert [tool.name for tool in theirs] == ["open_door"]
    assert ours == [ServerTool(Tool("clock"), "https://tools.example/clock", 0.8, "s")]


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ('[{"url": "https://x.example"}]', "a name of its own"),
        ('[{"name": "a"}, {"name": "a"}]', "a name of its own"),
        ('[{"name": "a", "url": "file:///etc/passwd"}]', "https://"),
        ('[{"name": "a", "url": "https://x.example", "timeout_ms": 90000}]', "up to 30000"),
        ('[{"name": "a", "url": "https://x.example", "timeout_ms": "soon"}]', "timeout_ms"),
    ],
)
def test_tools_that_cannot_be_are_refused(entries: str, expected: str) -> None:
    with pytest.raises(InvalidRequest, match=expected):
        read_tools(json.loads(entries))
