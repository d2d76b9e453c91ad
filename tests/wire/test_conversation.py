from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import Conflict, InvalidRequest, NotFound
from runtime.wire.conversation import (
    Conversation,
    ConversationLimits,
    FunctionCall,
    HeardPart,
    Message,
    SpokenPart,
    TextPart,
    WordTime,
    heard_prefix,
    spoken_part,
)


def typed(item_id: str, text: str = "hello") -> Message:
    return Message(item_id, "user", (TextPart(text),))


def spoken(item_id: str, part: SpokenPart) -> Message:
    return Message(item_id, "assistant", (part,))


def timed(text: str, *, word_seconds: float = 0.5) -> SpokenPart:
    """A part whose words sound one after the other, each for ``word_seconds``."""
    words, at = [], 0
    for index, word in enumerate(text.split()):
        at = text.index(word, at)
        end = at + len(word.rstrip(".,!?"))
        words.append(WordTime(index * word_seconds, (index + 1) * word_seconds, (at, end)))
        at += len(word)
    return SpokenPart(text, len(words) * word_seconds, tuple(words))


def ids(conversation: Conversation) -> list[str]:
    return [item.id for item in conversation]


def test_items_are_kept_in_order_and_chained_by_previous_ids() -> None:
    conversation = Conversation()
    assert conversation.append(typed("a")) is None
    assert conversation.append(typed("c")) == "a"
    assert conversation.insert(typed("b"), after="a") == "a"
    assert conversation.insert(typed("first"), after=None) is None
    assert ids(conversation) == ["first", "a", "b", "c"]
    assert [conversation.previous(i) for i in ids(conversation)] == [None, "first", "a", "b"]


def test_a_taken_id_is_refused_and_changes_nothing() -> None:
    conversation = Conversation()
    conversation.append(typed("a", "one"))
    with pytest.raises(Conflict):
        conversation.append(typed("a", "two"))
    assert conversation.items == (typed("a", "one"),)


def test_an_unknown_place_is_refused_and_changes_nothing() -> None:
    conversation = Conversation()
    with pytest.raises(NotFound):
        conversation.insert(typed("a"), after="nobody")
    assert len(conversation) == 0


def test_a_deleted_item_is_gone_and_its_id_is_free_again() -> None:
    conversation = Conversation()
    conversation.append(typed("a"))
    conversation.append(typed("b"))
    assert conversation.delete("a") == typed("a")
    assert ids(conversation) == ["b"]
    assert conversation.previous("b") is None
    with pytest.raises(NotFound):
        conversation.delete("a")
    conversation.append(typed("a"))


def test_cut_keeps_the_words_that_were_heard() -> None:
    conversation = Conversation()
    conversation.append(spoken("a", timed("Your train leaves at nine.")))
    part = spoken_part(conversation.cut("a", 1.5))
    assert part is not None
    assert part.transcript == "Your train leaves"
    assert part.seconds == 1.5
    assert [word.source for word in part.words] == [(0, 4), (5, 10), (11, 17)]


def test_a_word_counts_once_half_of_it_has_sounded() -> None:
    part = timed("one two three")
    assert heard_prefix(part, 0.74) == "one"
    assert heard_prefix(part, 0.75) == "one two"


def test_punctuation_stays_with_the_last_word_heard() -> None:
    assert heard_prefix(timed("Yes, indeed. Why not?"), 0.5) == "Yes,"


def test_hearing_everything_keeps_everything() -> None:
    conversation = Conversation()
    part = timed("All of it. (quietly)")
    conversation.append(spoken("a", SpokenPart(part.transcript, part.seconds, part.words[:3])))
    assert conversation.cut("a", 99.0).text == "All of it. (quietly)"


def test_without_word_times_the_cut_is_proportional_and_at_a_word_end() -> None:
    part = SpokenPart("aaaa bbbb cccc dddd", seconds=4.0)
    assert heard_prefix(part, 2.2) == "aaaa bbbb"
    assert heard_prefix(part, 4.0) == "aaaa bbbb cccc dddd"
    assert heard_prefix(part, 0.0) == ""


def test_a_second_cut_never_brings_words_back() -> None:
    conversation = Conversation()
    conversation.append(spoken("a", timed("one two three four")))
    conversation.cut("a", 1.0)
    assert conversation.cut("a", 2.0).text == "one two"


@pytest.mark.parametrize(
    "item",
    [
        typed("a"),
        Message("a", "assistant", (TextPart("written"),)),
        Message("a", "user", (HeardPart(1.0, "hi"),)),
        FunctionCall("a", "call_1", "f", "{}"),
    ],
)
def test_only_an_agents_speech_can_be_cut(item: Message | FunctionCall) -> None:
    conversation = Conversation()
    conversation.append(item)
    with pytest.raises(InvalidRequest):
        conversation.cut("a", 1.0)
    assert conversation.items == (item,)


def test_what_the_recogniser_heard_is_written_into_the_turn() -> None:
    conversation = Conversation()
    conversation.append(Message("a", "user", (HeardPart(1.0),)))
    conversation.hear("a", "good morning")
    conversation.hear("gone", "nobody minds")
    item = conversation.get("a")
    assert isinstance(item, Message)
    assert item.text == "good morning"


def test_a_client_cannot_grow_the_conversation_without_bound() -> None:
    conversation = Conversation(limits=ConversationLimits(items=2, characters=10))
    conversation.append(typed("a", "12345678"))
    with pytest.raises(InvalidRequest, match="8 of 10 characters"):
        conversation.require_room(typed("b", "123"))
    conversation.append(typed("b", "12"))
    with pytest.raises(InvalidRequest, match="2 items"):
        conversation.require_room(typed("c", ""))
    conversation.delete("a")
    conversation.require_room(typed("c", "12345678"))


@given(
    words=st.lists(st.text("abc.,é", min_size=1, max_size=8), min_size=1, max_size=12),
    heard=st.floats(-1, 10),
    more=st.floats(0, 5),
    with_times=st.booleans(),
)
def test_the_heard_prefix_is_a_prefix_and_grows_with_time(
    words: list[str], heard: float, more: float, with_times: bool
) -> None:
    part = timed(" ".join(words))
    if not with_times:
        part = SpokenPart(part.transcript, part.seconds)
    shorter, longer = heard_prefix(part, heard), heard_prefix(part, heard + more)
    assert part.transcript.startswith(longer)
    assert longer.startswith(shorter)


@given(st.lists(st.tuples(st.sampled_from("aidr"), st.integers(0, 9), st.integers(0, 9)), max_size=40))
def test_any_mixture_of_changes_keeps_the_chain_whole(moves: list[tuple[str, int, int]]) -> None:
    conversation = Conversation()
    expected: list[str] = []
    for move, number, place in moves:
        item_id, after = str(number), str(place)
        try:
            match move:
                case "a":
                    conversation.append(typed(item_id))
                    expected.append(item_id)
                case "i":
                    conversation.insert(typed(item_id), after=after)
                    expected.insert(expected.index(after) + 1, item_id)
                case "d":
                    conversation.delete(item_id)
                    expected.remove(item_id)
                case "r":
                    conversation.replace(typed(item_id, "changed"))
        except (Conflict, NotFound):
            pass
        assert ids(conversation) == expected
    chain = [None, *expected][: len(expected)]
    assert [conversation.previous(item_id) for item_id in expected] == chain
