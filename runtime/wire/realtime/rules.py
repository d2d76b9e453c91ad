"""
Which client message is legal when: the state table.

All of the protocol's state that can make a message illegal is a handful of facts, true or not at the moment
the message is read. A rule names facts and a verdict; the first rule whose facts all hold decides. A message
without a deciding rule is legal. A refused or ignored message changes nothing.

The facts are looked up by :class:`RealtimeProtocol`; nothing here knows how.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from runtime.wire.realtime import refusals


class Fact(Enum):
    """Something that is so at this moment."""

    TRANSCRIBING = "the session only transcribes"
    DETECTING_TURNS = "we decide when the caller's turn ends"
    BUFFER_EMPTY = "no audio was appended since the last commit"
    ANSWERING = "a response is being made in the conversation"
    CALLED = "that response has called a function, and is only being heard out"
    FOR_CONVERSATION = "the message asks for a response in the conversation"
    CROWDED = "as many responses are being made as one session may have"
    NOTHING_TO_CANCEL = "the response named, or any response, is not being made"
    SILENT = "none of the agent's audio is playing from our side"


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer with an error; the session stays as it is."""

    code: str
    message: str


class Ignore(Enum):
    """Do nothing and say nothing: the message is late, not wrong."""

    LATE = "late"


class Defer(Enum):
    """Take it when the response being made is over: one such message at a time."""

    HEARD_OUT = "heard out"


Verdict: TypeAlias = Refuse | Ignore | Defer


@dataclass(frozen=True, slots=True)
class Rule:
    facts: AbstractSet[Fact]
    verdict: Verdict


_TRANSCRIPTION_ONLY = Rule(
    {Fact.TRANSCRIBING},
    Refuse(
        refusals.NOT_IN_TRANSCRIPTION,
        'This is a transcription session, which answers nothing. Open a session of type "realtime" for that.',
    ),
)

RULES: Mapping[str, tuple[Rule, ...]] = {
    "session.update": (),
    "input_audio_buffer.append": (),
    "input_audio_buffer.commit": (
        Rule({Fact.BUFFER_EMPTY, Fact.DETECTING_TURNS}, Ignore.LATE),
        Rule(
            {Fact.BUFFER_EMPTY},
            Refuse(
                refusals.COMMIT_EMPTY,
                "Error committing input audio buffer: buffer is empty. Append audio before committing it.",
            ),
        ),
    ),
    "input_audio_buffer.clear": (),
    "conversation.item.create": (_TRANSCRIPTION_ONLY,),
    "conversation.item.retrieve": (),
    "conversation.item.truncate": (_TRANSCRIPTION_ONLY,),
    "conversation.item.delete": (),
    "response.create": (
        _TRANSCRIPTION_ONLY,
        # Clients answer a call as soon as they are told of it, and hear the rest of the speech later than we
        # have made it: their next response.create is not too early by any fault of theirs.
        Rule({Fact.ANSWERING, Fact.CALLED, Fact.FOR_CONVERSATION}, Defer.HEARD_OUT),
        Rule(
            {Fact.ANSWERING, Fact.FOR_CONVERSATION},
            Refuse(
                refusals.ALREADY_ACTIVE,
                "Conversation already has an active response in progress. "
                "Wait until the response is finished before creating a new one.",
            ),
        ),
        Rule(
            {Fact.CROWDED},
            Refuse(
                refusals.TOO_MANY_RESPONSES, "Too many responses are being made: wait until one has finished."
            ),
        ),
    ),
    "response.cancel": (
        _TRANSCRIPTION_ONLY,
        Rule(
            {Fact.NOTHING_TO_CANCEL},
            Refuse(refusals.CANCEL_NOT_ACTIVE, "Cancellation failed: no active response found"),
        ),
    ),
    "output_audio_buffer.clear": (Rule({Fact.SILENT}, Ignore.LATE),),
    # Ours: the protocol tells servers' keys to clients, and has no word for the other way.
    "vivavoce.dtmf": (_TRANSCRIPTION_ONLY,),
}


def verdict(event_type: str, facts: AbstractSet[Fact]) -> Verdict | None:
    """What stands against a message of this type while these facts hold; None if nothing does."""
    return next((rule.verdict for rule in RULES[event_type] if rule.facts <= facts), None)
