"""A brain that follows a written dialogue: no model, no network, the same answer every time."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Final

from sessions.brains.brain import Answer, EndCall, Transfer, Turn
from sessions.brains.flow.answers import (
    longest_match,
    parse_digits,
    parse_number,
    parse_text,
    parse_yes_no,
    words_of,
)
from sessions.brains.flow.document import Branch, Flow, Step

_OPEN_TYPES: Final = ("text", "number", "digits")
_YES_NO: Final = ("yes", "yeah", "yes please", "that's right", "no", "nope", "no thanks", "that's wrong")

_SLOT: Final = re.compile(r"\{([^{}]*)\}")


class FlowBrain:
    """
    One call's way through a flow.

    The way is decided when the reply begins, before its first word. So a caller who interrupts a question
    answers it, and one who interrupts a goodbye has still ended the call.

    Args:
        flow: Read by :func:`sessions.brains.flow.read_flow`; shared by all calls.
    """

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._slots: dict[str, str] = {}
        self._asked: Step | None = None
        self._tries = 0
        self._left: Answer | None = None

    @property
    def slots(self) -> dict[str, str]:
        """A copy of what is known so far."""
        return dict(self._slots)

    @property
    def expects(self) -> tuple[str, ...]:
        """The words that would be understood now; none where the answer may be anything."""
        step = self._asked
        if step is None or self._left is not None or (step.slot is not None and step.type in _OPEN_TYPES):
            return ()
        phrases = [word for branch in (*step.branch, *self._flow.always) for word in branch.words]
        phrases += [word for choice in step.choices for word in choice.words]
        if step.type == "yes_no":
            phrases += _YES_NO
        return tuple(dict.fromkeys(phrases))

    @property
    def expects_keys(self) -> int | None:
        """How many keys the longest answer has that may be typed now; None where any number may be."""
        step = self._asked
        if step is None or self._left is not None:
            return None
        if step.slot is not None and step.type in _OPEN_TYPES and step.length is None:
            return None
        lengths = [len(branch.keys.rstrip("#")) for branch in (*step.branch, *self._flow.always)]
        lengths += [len(choice.keys) for choice in step.choices]
        lengths += [step.length or 0, 1 if step.type == "yes_no" else 0]
        return max(lengths) or None

    async def reply(self, turn: Turn) -> AsyncIterator[Answer]:
        """Yield what the flow says next, a step at a time; never fails."""
        for answer in self._next(turn):
            yield answer

    def _next(self, turn: Turn) -> Sequence[Answer]:
        if self._left is not None:
            return [self._left]
        for name in self._flow.given:
            self._slots.setdefault(name, turn.metadata.get(name, ""))
        if self._asked is None:
            return self._go(self._flow.start)
        return self._answered(self._asked, turn)

    def _answered(self, step: Step, turn: Turn) -> Sequence[Answer]:
        """The caller's turn after a question is over."""
        words = words_of(turn.user_text)
        branch = _best_branch([*step.branch, *self._flow.always], words, turn.dtmf)
        if branch is not None:
            return self._go(branch.next)
        value = _value(step, turn.user_text, words, turn.dtmf)
        if value is None or (step.slot is None and step.branch and not _decides_by_slots(step)):
            return self._ask_again(step)
        if step.slot is not None:
            self._slots[step.slot] = value
        return self._go(self._way_on(step))

    def _ask_again(self, step: Step) -> Sequence[Answer]:
        if self._tries < step.tries:
            self._tries += 1
            return [self._fill(f"{step.retry} {step.ask}")]
        if step.otherwise is not None:
            return self._go(step.otherwise)
        self._left = EndCall("not_understood")
        return [self._fill(step.retry), self._left]

    def _go(self, name: str | None) -> Sequence[Answer]:
        """Walk on until a question or the end; what is said on the way."""
        return list(self._walk(name))

    def _walk(self, name: str | None) -> Iterator[Answer]:
        separator = ""
        while name is not None:
            step = self._flow.steps[name]
            for slot, value in (step.set or {}).items():
                self._slots[slot] = self._fill(value)
            for text in filter(None, (step.say, step.ask)):
                yield separator + self._fill(text)
                separator = " "
            if step.ask:
                self._asked, self._tries = step, 1
                return
            if step.transfer is not None:
                self._left = Transfer(self._fill(step.transfer))
            elif step.end is not None:
                self._left = EndCall(step.end)
            if self._left is not None:
                yield self._left
                return
            name = self._way_on(step)

    def _way_on(self, step: Step) -> str | None:
        for branch in step.branch:
            if branch.values and all(self._has(slot, value) for slot, value in branch.values.items()):
                return branch.next
        return step.next

    def _has(self, slot: str, value: str) -> bool:
        return self._slots.get(slot, "").casefold() == value.casefold()

    def _fill(self, text: str) -> str:
        return _SLOT.sub(lambda match: self._slots.get(match[1], ""), text)


def _best_branch(branches: Sequence[Branch], words: Sequence[str], dtmf: str) -> Branch | None:
    """The branch whose keys were typed, else the one with the longest phrase said; the first of equals."""
    for branch in branches:
        if branch.keys and dtmf.rstrip("#") == branch.keys.rstrip("#"):
            return branch
    lengths = [longest_match(words, branch.words) for branch in branches]
    best = max(lengths, default=0)
    return branches[lengths.index(best)] if best else None


def _decides_by_slots(step: Step) -> bool:
    return any(branch.values for branch in step.branch)


def _value(step: Step, text: str, words: Sequence[str], dtmf: str) -> str | None:
    """What the answer gives the step's slot; None where it does not fit its type."""
    typed = dtmf.rstrip("#")
    match step.type:
        case "digits":
            return parse_digits(words_of(" ".join(typed)) if typed else words, length=step.length)
        case "number":
            return parse_number([typed] if typed else words)
        case "yes_no":
            return {"1": "yes", "2": "no"}.get(typed) if typed else parse_yes_no(words)
        case "choice":
            for choice in step.choices:
                if typed and typed == choice.keys:
                    return choice.value
            lengths = [longest_match(words, choice.words) for choice in step.choices]
            best = max(lengths, default=0)
            return step.choices[lengths.index(best)].value if best else None
        case "text":
            return parse_text(text) or typed or None
