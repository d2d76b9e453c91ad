from __future__ import annotations

from sessions.brains.brain import Answer, EndCall, Transfer, Turn
from sessions.brains.flow import FlowBrain, read_flow
from tests.sessions.test_flow_reading import CLINIC


class Call:
    """A caller of a flow, turn by turn."""

    def __init__(self, flow: str, **metadata: str) -> None:
        self.brain = FlowBrain(read_flow(flow))
        self.metadata = metadata

    async def turn(self, text: str = "", *, keys: str = "", opening: bool = False) -> list[Answer]:
        turn = Turn(user_text=text, dtmf=keys, opening=opening, metadata=self.metadata)
        return [answer async for answer in self.brain.reply(turn)]

    async def said(self, text: str = "", *, keys: str = "", opening: bool = False) -> str:
        answers = await self.turn(text, keys=keys, opening=opening)
        return "".join(answer for answer in answers if isinstance(answer, str))


async def test_a_whole_call_is_led_to_its_end() -> None:
    call = Call(CLINIC)
    assert await call.said(opening=True) == (
        "Hello, this is the clinic. Is it about an appointment, or our opening hours?"
    )
    assert await call.said("I need to book an appointment please") == "What is your name?"
    assert await call.said("My name is John Smith.") == "And the year of your birth?"
    assert await call.said("nineteen eighty four") == "John Smith, born 1984. Is that right?"
    assert await call.said("no, that's wrong") == "What is your name?"
    assert await call.said("Joan") == "And the year of your birth?"
    assert await call.said(keys="1984#") == "Joan, born 1984. Is that right?"
    assert await call.turn("yes") == [
        "Thank you. We will call you back.",
        " Goodbye.",
        EndCall("completed"),
    ]
    assert call.brain.slots == {"name": "Joan", "year": "1984", "right": "yes"}


async def test_a_key_takes_the_way_its_words_would() -> None:
    call = Call(CLINIC)
    await call.said(opening=True)
    assert await call.said(keys="2") == "We are open from eight to six. Goodbye."


async def test_what_is_understood_always_is_understood_at_every_question() -> None:
    call = Call(CLINIC)
    await call.said(opening=True)
    await call.said(keys="1")
    assert await call.turn("give me a human") == [
        "One moment, I will put you through.",
        Transfer("+15550100"),
    ]


async def test_the_longest_phrase_wins() -> None:
    call = Call(
        """
steps:
  a:
    ask: What?
    branch:
      - {words: [card], next: card}
      - {words: [lost card], next: lost}
  card: {say: Card., end: x}
  lost: {say: Lost., end: x}
"""
    )
    await call.said(opening=True)
    assert await call.said("it is about a lost card") == "Lost."


async def test_a_question_is_repeated_and_then_given_up() -> None:
    call = Call(CLINIC)
    await call.said(opening=True)
    assert (await call.said("bananas")).startswith("Sorry, I did not get that. Is it about")
    assert (await call.turn(""))[-1] == Transfer("+15550100")


async def test_without_another_way_a_question_given_up_ends_the_call() -> None:
    call = Call('steps:\n  a: {ask: "Age?", slot: age, type: number, tries: 1, retry: Sorry., next: a}')
    await call.said(opening=True)
    assert await call.turn("old") == ["Sorry.", EndCall("not_understood")]


async def test_a_reply_cut_short_leaves_its_question_to_be_answered() -> None:
    call = Call(CLINIC)
    reply = call.brain.reply(Turn(opening=True))
    assert await anext(reply) == "Hello, this is the clinic."
    await reply.aclose()  # type: ignore[attr-defined]
    assert await call.said("appointment") == "What is your name?"


async def test_it_says_which_answers_it_would_understand() -> None:
    call = Call(CLINIC)
    assert call.brain.expects == ()
    await call.said(opening=True)
    assert set(call.brain.expects) >= {"appointment", "opening hours", "operator", "a human"}
    await call.said(keys="1")
    assert call.brain.expects == ()  # a name may be anything
    await call.said("Joan")
    await call.said(keys="1984")
    assert {"yes", "no", "operator"} <= set(call.brain.expects)


async def test_a_call_that_was_ended_stays_ended() -> None:
    call = Call("steps:\n  a: {say: Bye., end: done}")
    await call.turn(opening=True)
    assert await call.turn("wait") == [EndCall("done")]


async def test_metadata_and_set_fill_slots() -> None:
    call = Call(
        'given: [caller]\nsteps:\n  a: {set: {greeting: "Hi {caller}"}, say: "{greeting}!", end: done}',
        caller="Ann",
    )
    assert await call.said(opening=True) == "Hi Ann!"


async def test_choices_are_kept_as_their_value() -> None:
    call = Call(
        """
steps:
  size:
    ask: Which size?
    slot: size
    choices: [small, {value: large, words: [large, big], keys: "2"}]
  done: {say: "{size}.", end: x}
"""
    )
    await call.said(opening=True)
    assert await call.said("huge") == "Sorry, I did not get that. Which size?"
    assert await call.said("the big one") == "large."


async def test_without_an_opening_the_first_turn_begins_the_flow() -> None:
    assert (await Call(CLINIC).said("hello?")).startswith("Hello, this is the clinic.")
