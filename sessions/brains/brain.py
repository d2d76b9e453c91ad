"""What a brain is asked, and what it may answer. Brains are the only part that decides what is said."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from runtime.wire.conversation import Item


@dataclass(frozen=True, slots=True)
class Tool:
    """A function the brain may call."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """JSON Schema of its arguments."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The brain wants a function run. Its result comes back as an item of the next turn's history."""

    call_id: str
    name: str
    arguments: str
    """JSON, complete."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """Hand the caller on once what was said before has been heard."""

    to: str
    """Telephone number, SIP address or queue, as the agent's author wrote it."""


@dataclass(frozen=True, slots=True)
class EndCall:
    """Hang up once what was said before has been heard."""

    reason: str = "completed"


class Verbatim(str):
    """Words said alike in every call, such as a greeting: their audio is worth keeping."""


Answer: TypeAlias = str | ToolCall | Transfer | EndCall
"""A piece of a reply. Strings are deltas: joined, they are what is said."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Everything a brain may know when it is its turn."""

    history: Sequence[Item] = ()
    """The conversation so far, oldest first, the newest message included; our own words as far as heard."""
    user_text: str = ""
    """What the caller said in this turn; empty when nothing was understood, or nobody spoke."""
    dtmf: str = ""
    """Keys pressed in this turn, of ``0-9*#A-D``."""
    opening: bool = False
    """True for the first turn, in which nobody has spoken yet: greet."""
    instructions: str = ""
    """The agent's system prompt."""
    tools: Sequence[Tool] = ()
    tool_choice: str = "auto"
    """``auto``, ``none``, ``required``, or the name of one tool."""
    max_tokens: int | None = None
    """Bound on the reply, in the model's tokens; None is the model's own."""
    session_id: str = ""
    """For logs, and for brains that keep state elsewhere."""
    metadata: Mapping[str, str] = field(default_factory=dict)


def expected_answers(brain: Brain) -> Sequence[str]:
    """Phrases the brain has just asked for, for the recogniser; none where it asked freely, or cannot say."""
    expects: Sequence[str] = getattr(brain, "expects", ())
    return expects


def expected_keys(brain: Brain) -> int | None:
    """How many keys an answer has that is typed, where the brain has just asked for so many."""
    expects: int | None = getattr(brain, "expects_keys", None)
    return expects


class Brain(Protocol):
    """
    One call's brain: it may keep state between turns, so every call gets its own.

    ``reply`` is an async generator. Closing it (barge-in, hang-up) cancels the reply: nothing more is asked
    of any model, and what the caller did hear is in the next turn's history.

    A brain that asks closed questions may have the attributes ``expects`` and ``expects_keys``; see
    :func:`expected_answers` and :func:`expected_keys`.
    """

    def reply(self, turn: Turn) -> AsyncIterator[Answer]:
        """
        Yield the reply piece by piece, the first as early as possible.

        Raises:
            BrainError: Timed out, refused, or broke in mid-sentence; what was yielded stands.
        """
        ...
