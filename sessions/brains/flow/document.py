"""
What a flow is: steps in the order they are written, each saying, asking, or handing the call on.

A clinic's telephone, whole::

    start: hello
    always:                                  # understood at every question
      - words: [operator, a human]
        next: operator
    steps:
      hello:
        say: Hello, this is the clinic.
      purpose:
        ask: Is it about an appointment, or our opening hours?
        branch:
          - {words: [appointment, book, doctor], keys: "1", next: name}
          - {words: [opening hours, open], keys: "2", next: hours}
        tries: 2
        otherwise: operator
      hours:
        say: We are open from eight to six.
        next: bye
      name:
        ask: What is your name?
        slot: name
      birthday:
        ask: And the year of your birth?
        slot: year
        type: digits
        length: 4
      agree:
        ask: "{name}, born {year}. Is that right?"
        type: yes_no
        slot: right
        branch:
          - {if: {right: "no"}, next: name}
      booked:
        say: Thank you. We will call you back.
      bye:
        say: Goodbye.
        end: completed
      operator:
        say: One moment, I will put you through.
        transfer: "+15550100"

A step without ``next`` goes on to the one written below it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

SlotType: TypeAlias = Literal["text", "number", "digits", "yes_no", "choice"]

DEFAULT_RETRY = "Sorry, I did not get that."

DEFAULT_SILENCE = 8
"""Seconds after a question in which a caller on the telephone should answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One way on from a question. It is taken when any of its words, keys or slot values fit."""

    words: tuple[str, ...] = ()
    """Words or phrases, in lower case, found anywhere in the answer."""
    keys: str = ""
    """Keys of the telephone, typed as the whole answer."""
    values: Mapping[str, str] | None = None
    """Values that slots must have, all of them (``if`` in the document)."""
    next: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One value of a slot of type ``choice``."""

    value: str
    words: tuple[str, ...]
    keys: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step. Text may name slots: ``{name}``."""

    name: str
    say: str = ""
    """Said, then on to the next step at once."""
    ask: str = ""
    """Said, then the caller's turn."""
    slot: str | None = None
    """Where the answer is kept."""
    type: SlotType = "text"
    length: int | None = None
    """How many digits a slot of type ``digits`` has."""
    choices: tuple[Choice, ...] = ()
    branch: tuple[Branch, ...] = ()
    retry: str = DEFAULT_RETRY
    """Said before the question is asked again."""
    tries: int = 3
    """How often the question is asked in all."""
    otherwise: str | None = None
    """Where to go when all tries are used up; None ends the call."""
    set: Mapping[str, str] | None = None
    """Slots given a value when the step is entered."""
    next: str | None = None
    """None only for steps that end or hand on the call."""
    transfer: str | None = None
    end: str | None = None
    """Why the call ends here; a word for records."""


@dataclass(frozen=True, slots=True)
class Flow:
    """A dialogue that was read and found sound: every name in it leads somewhere."""

    steps: Mapping[str, Step]
    start: str
    always: tuple[Branch, ...] = ()
    given: tuple[str, ...] = ()
    """Slots filled from the call's metadata."""
    silence: int = DEFAULT_SILENCE
    """Seconds after a question, on the telephone, after which it is asked again."""
