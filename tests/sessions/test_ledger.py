from __future__ import annotations

from runtime.wire.conversation import FunctionCall, Message, WordTime
from sessions.agent import AgentProfile
from sessions.brains.brain import ToolCall
from sessions.peers.ledger import Ledger
from sessions.recognizer import Transcript

PROFILE = AgentProfile(
    id="agent_1", tenant_id="t", name="Ada", voice_ref="ada", instructions="Be kind.", speed=1.2
)


def said(ledger: Ledger) -> list[tuple[str, str, str]]:
    return [(item.role, item.text, item.status) for item in ledger.conversation if isinstance(item, Message)]


def test_a_turn_gets_its_words_later() -> None:
    ledger = Ledger(PROFILE)
    item = ledger.turn_taken(1.5)
    assert said(ledger) == [("user", "", "completed")]
    ledger.transcribed(item, Transcript("good morning", (), 1.5))
    assert said(ledger) == [("user", "good morning", "completed")]


def test_a_reply_is_ordered_as_the_agent_has_it() -> None:
    order = Ledger(PROFILE).begin_reply()
    assert (order.instructions, order.speed, order.spoken) == ("Be kind.", 1.2, True)


def test_an_interrupted_reply_keeps_what_was_heard() -> None:
    ledger = Ledger(PROFILE)
    order = ledger.begin_reply()
    ledger.words(order, "one two ")
    ledger.words(order, "three")
    words = [WordTime(0.0, 0.3, (0, 3)), WordTime(0.3, 0.6, (4, 7)), WordTime(0.6, 1.1, (8, 13))]
    ledger.sounded(order, 1.1, words)
    ledger.playback_cut(order, 0.62)
    assert ledger.words(order, "four") == ""
    ledger.reply_finished(order, "interrupted")
    assert said(ledger) == [("assistant", "one two", "incomplete")]


def test_a_reply_that_was_cut_before_a_word_leaves_no_words() -> None:
    ledger = Ledger(PROFILE)
    order = ledger.begin_reply()
    ledger.playback_cut(order, 0.0)
    ledger.reply_finished(order, "interrupted")
    assert said(ledger) == []


def test_calls_of_tools_are_kept() -> None:
    ledger = Ledger(PROFILE)
    ledger.tool_called(ledger.begin_reply(), ToolCall("call_1", "weather", "{}"))
    (item,) = ledger.conversation.items
    assert isinstance(item, FunctionCall)
    assert (item.call_id, item.name, item.arguments) == ("call_1", "weather", "{}")
