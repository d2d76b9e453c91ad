from __future__ import annotations

from typing import Any

import pytest

from runtime.wire.realtime import SessionConfig
from runtime.wire.realtime.messages import OPTIONAL, REQUIRED
from runtime.wire.realtime.rules import RULES, Fact, Ignore, Refuse, Rule, verdict
from tests.wire.realtime.line import Line, b64, pcm, types

CLIENT_EVENTS = {
    "session.update",
    "input_audio_buffer.append",
    "input_audio_buffer.commit",
    "input_audio_buffer.clear",
    "conversation.item.create",
    "conversation.item.retrieve",
    "conversation.item.truncate",
    "conversation.item.delete",
    "response.create",
    "response.cancel",
    "output_audio_buffer.clear",
    "vivavoce.dtmf",
}


def bring_about(fact: Fact, line: Line) -> None:
    """Make a fact so, by what a client and a call can really do."""
    match fact:
        case Fact.TRANSCRIBING:
            line.say("session.update", session={"type": "transcription"})
        case Fact.ANSWERING:
            line.say("response.create")
        case Fact.CALLED:
            assert line.protocol.responses.active is not None
            line.protocol.responses.function_call(line.protocol.responses.active.id, "f", "{}")
            line.drain()
        case Fact.CROWDED:
            for _ in range(16):
                line.say("response.create", response={"conversation": "none"})
        case Fact.DETECTING_TURNS | Fact.BUFFER_EMPTY | Fact.FOR_CONVERSATION:
            pass  # so from the start
        case Fact.NOTHING_TO_CANCEL | Fact.SILENT:
            pass


def minimal(event_type: str, line: Line) -> dict[str, Any]:
    """The least that makes a well-formed event of this type."""
    item = {"type": "message", "role": "user", "content": []}
    members: dict[str, Any] = {
        "session": {"type": "realtime"},
        "audio": b64(pcm(0.1)),
        "item": item,
        "item_id": "none",
        "content_index": 0,
        "audio_end_ms": 0,
        "digit": "5",
    }
    return {name: members[name] for name in REQUIRED.get(event_type, {})}


def test_the_table_knows_every_client_event_and_no_other() -> None:
    assert RULES.keys() == CLIENT_EVENTS
    assert REQUIRED.keys() | OPTIONAL.keys() <= CLIENT_EVENTS


REFUSALS = [
    (event_type, rule)
    for event_type, rules in RULES.items()
    for rule in rules
    if isinstance(rule.verdict, Refuse)
]


@pytest.mark.parametrize(("event_type", "rule"), REFUSALS, ids=lambda v: v if isinstance(v, str) else "")
def test_each_illegal_move_is_answered_with_its_error_and_changes_nothing(
    event_type: str, rule: Rule
) -> None:
    detecting = Fact.BUFFER_EMPTY not in rule.facts
    line = Line(SessionConfig() if detecting else SessionConfig(turn_detection=None))
    for fact in rule.facts:
        bring_about(fact, line)
    before, asked = line.state(), list(line.asked)
    events = line.say(event_type, event_id="e1", **minimal(event_type, line))
    assert isinstance(rule.verdict, Refuse)
    assert types(events) == ["error"]
    assert events[0]["error"] == {
        "type": "invalid_request_error",
        "code": rule.verdict.code,
        "message": rule.verdict.message,
        "param": None,
        "event_id": "e1",
    }
    assert line.state() == before
    assert line.asked == asked


IGNORED = [
    (event_type, rule)
    for event_type, rules in RULES.items()
    for rule in rules
    if isinstance(rule.verdict, Ignore)
]


@pytest.mark.parametrize(("event_type", "rule"), IGNORED, ids=lambda v: v if isinstance(v, str) else "")
def test_each_late_message_is_ignored_without_a_word(event_type: str, rule: Rule) -> None:
    line = Line()
    before, asked = line.state(), list(line.asked)
    assert line.say(event_type, **minimal(event_type, line)) == []
    assert line.state() == before
    assert line.asked == asked


def test_the_first_rule_that_holds_decides() -> None:
    facts = {Fact.BUFFER_EMPTY, Fact.DETECTING_TURNS}
    assert verdict("input_audio_buffer.commit", facts) is Ignore.LATE
    assert isinstance(verdict("input_audio_buffer.commit", {Fact.BUFFER_EMPTY}), Refuse)
    assert verdict("input_audio_buffer.commit", set()) is None


@pytest.mark.parametrize("event_type", sorted(REQUIRED))
def test_each_required_member_is_missed_by_name(event_type: str) -> None:
    line = Line()
    for name in REQUIRED[event_type]:
        members = minimal(event_type, line)
        del members[name]
        (event,) = line.say(event_type, **members)
        assert event["error"]["code"] == "missing_required_parameter"
        assert event["error"]["param"] == name


def test_an_unknown_event_is_refused_with_the_list_of_known_ones() -> None:
    (event,) = Line().say("session.destroy", event_id="e1")
    assert event["error"]["param"] == "type"
    assert event["error"]["event_id"] == "e1"
    assert "'response.create'" in event["error"]["message"]
