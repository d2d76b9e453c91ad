"""
What has been said in a call, in order, and how much of it was heard.

A conversation is a list of items: messages, function calls and their outputs. Items are frozen values;
the conversation replaces an item when it grows or is cut. The shape is that of the OpenAI Realtime API
(ids, roles, content parts, a chain of previous ids), because it is the richest of the wires we serve;
the telephone uses the same history and never shows an id.

An assistant's speech is written down faster than it is heard. So a spoken part knows how long its audio
is and when each word sounds, and :meth:`Conversation.cut` keeps the words that were heard.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from runtime.errors import Conflict, InvalidRequest, NotFound

Role: TypeAlias = Literal["system", "user", "assistant"]
ItemStatus: TypeAlias = Literal["in_progress", "completed", "incomplete"]

HEARD_SHARE = 0.5
"""A word counts as heard once this share of it has sounded."""


@dataclass(frozen=True, slots=True)
class WordTime:
    """When one word of a transcript sounds."""

    start: float
    """Seconds from the first sample of the part's audio."""
    end: float
    source: tuple[int, int]
    """Span ``[begin, end)`` of its characters in the part's transcript."""


@dataclass(frozen=True, slots=True)
class TextPart:
    """Written words: ``input_text`` from a caller, ``output_text`` from an agent."""

    text: str


@dataclass(frozen=True, slots=True)
class HeardPart:
    """What a caller said: ``input_audio``."""

    seconds: float
    transcript: str | None = None
    """None until the recogniser has answered; empty where it heard no words."""


@dataclass(frozen=True, slots=True)
class SpokenPart:
    """What an agent said: ``output_audio``."""

    transcript: str = ""
    seconds: float = 0.0
    """How much audio has been made so far, or was heard once the part is cut."""
    words: tuple[WordTime, ...] = ()
    """In order; those that begin within ``seconds``. Empty where the voice engine gives no times."""
    cut: bool = False
    """Whether it was interrupted: nothing is added to it any more."""


@dataclass(frozen=True, slots=True)
class ImagePart:
    """A picture from a caller: ``input_image``."""

    image_url: str
    detail: Literal["auto", "low", "high"] = "auto"


Part: TypeAlias = TextPart | HeardPart | SpokenPart | ImagePart


@dataclass(frozen=True, slots=True)
class Message:
    id: str
    role: Role
    content: tuple[Part, ...]
    status: ItemStatus = "completed"

    @property
    def text(self) -> str:
        """Everything written, said or heard in it that is words, parts joined by a space."""
        return " ".join(words for part in self.content if (words := part_text(part)))


@dataclass(frozen=True, slots=True)
class FunctionCall:
    id: str
    call_id: str
    name: str
    arguments: str
    """A JSON object, as text."""
    status: ItemStatus = "completed"


@dataclass(frozen=True, slots=True)
class FunctionCallOutput:
    id: str
    call_id: str
    output: str
    status: ItemStatus = "completed"


Item: TypeAlias = Message | FunctionCall | FunctionCallOutput


def part_text(part: Part) -> str:
    """The words of a part; empty for a picture and for speech not yet recognised."""
    match part:
        case TextPart(text):
            return text
        case HeardPart(transcript=transcript):
            return transcript or ""
        case SpokenPart(transcript=transcript):
            return transcript
        case ImagePart():
            return ""


def new_id(prefix: str) -> str:
    """A fresh id such as ``item_5f0c…``: 96 random bits after the prefix."""
    return f"{prefix}_{secrets.token_hex(12)}"


def heard_prefix(part: SpokenPart, heard: float) -> str:
    """
    The part of the transcript that sounds in the first ``heard`` seconds.

    With word times it ends after the last word of which at least half was heard, and the punctuation that
    clings to it. Without, the transcript is taken to be spread evenly over the audio, and is cut back to the
    end of a word.
    """
    if part.words:
        ends = [w.source[1] for w in part.words if w.start + HEARD_SHARE * (w.end - w.start) <= heard]
        return _with_punctuation(part.transcript, max(ends, default=0))
    if heard >= part.seconds > 0:
        return part.transcript
    if part.seconds <= 0 or heard <= 0:
        return ""
    length = int(len(part.transcript) * heard / part.seconds)
    within_word = length < len(part.transcript) and not part.transcript[length].isspace()
    kept = part.transcript[:length]
    return kept[: kept.rfind(" ") + 1].rstrip() if within_word else kept.rstrip()


def _with_punctuation(text: str, end: int) -> str:
    while 0 < end < len(text) and not text[end].isalnum() and not text[end].isspace():
        end += 1
    return text[:end]


@dataclass(frozen=True, slots=True)
class ConversationLimits:
    """How much a client may make us remember."""

    items: int = 4096
    characters: int = 4 * 2**20
    """Text of all items together."""


class Conversation:
    """
    The items of one call, oldest first.

    Every id is used once. Positions are named by the id before: that is how the wire speaks of them.

    Args:
        conversation_id: Defaults to a fresh ``conv_…``.
    """

    def __init__(
        self, conversation_id: str | None = None, *, limits: ConversationLimits | None = None
    ) -> None:
        self.id = conversation_id or new_id("conv")
        self._limits = limits or ConversationLimits()
        self._items: dict[str, Item] = {}
        self._order: list[str] = []
        self._characters = 0

    def __len__(self) -> int:
        return len(self._order)

    def __iter__(self) -> Iterator[Item]:
        return (self._items[item_id] for item_id in self._order)

    def __contains__(self, item_id: object) -> bool:
        return item_id in self._items

    @property
    def items(self) -> Sequence[Item]:
        """A snapshot, oldest first: what a brain is shown."""
        return tuple(self)

    @property
    def last_id(self) -> str | None:
        return self._order[-1] if self._order else None

    def get(self, item_id: str) -> Item:
        """
        Raises:
            NotFound: No such item.
        """
        try:
            return self._items[item_id]
        except KeyError:
            raise NotFound(
                f"No item with id '{item_id}' is in the conversation.", code="item_not_found"
            ) from None

    def previous(self, item_id: str) -> str | None:
        """The id before, or None for the first item."""
        place = self._place(item_id)
        return self._order[place - 1] if place else None

    def append(self, item: Item) -> str | None:
        """Add at the end, and return the id before it. Raises as :meth:`insert` does."""
        return self.insert(item, after=self.last_id)

    def insert(self, item: Item, *, after: str | None) -> str | None:
        """
        Add right after the item ``after``, or in front for None; return the id before it.

        Raises:
            Conflict: The id is taken.
            NotFound: There is no item ``after``.
        """
        if item.id in self._items:
            raise Conflict(
                f"An item with id '{item.id}' is already in the conversation.", code="item_duplicate"
            )
        place = 0 if after is None else self._place(after) + 1
        self._items[item.id] = item
        self._order.insert(place, item.id)
        self._characters += _characters(item)
        return after

    def replace(self, item: Item) -> None:
        """
        Put a new version of an item in its place.

        Raises:
            NotFound: No such item.
        """
        self._characters += _characters(item) - _characters(self.get(item.id))
        self._items[item.id] = item

    def require_room(self, item: Item) -> None:
        """
        Refuse an item that a client wants to add beyond the limits. The call's own items are never refused.

        Raises:
            InvalidRequest: Too many items, or too much text in them.
        """
        limits = self._limits
        if len(self._order) >= limits.items:
            full = f"{limits.items} items"
        elif self._characters + _characters(item) > limits.characters:
            full = f"{self._characters} of {limits.characters} characters"
        else:
            return
        raise InvalidRequest(
            f"The conversation already holds {full}: delete items that are no longer needed.",
            code="conversation_too_long",
            param="item",
        )

    def delete(self, item_id: str) -> Item:
        """
        Raises:
            NotFound: No such item.
        """
        item = self.get(item_id)
        del self._items[item_id]
        self._order.remove(item_id)
        self._characters -= _characters(item)
        return item

    def cut(self, item_id: str, heard: float) -> Message:
        """
        Keep of an agent's speech what was heard in its first ``heard`` seconds, and drop the rest.

        More than there is means all of it. Cutting twice keeps the shorter piece.

        Raises:
            NotFound: No such item.
            InvalidRequest: The item is not an agent's message with speech in it.
        """
        item = self.get(item_id)
        if not isinstance(item, Message) or item.role != "assistant" or not spoken_part(item):
            raise InvalidRequest(
                "Only the audio of an assistant message can be truncated.",
                code="invalid_value",
                param="item_id",
            )
        finished = item.status == "completed"
        cut = replace(item, content=tuple(_cut_part(part, heard, finished=finished) for part in item.content))
        self.replace(cut)
        return cut

    def hear(self, item_id: str, transcript: str) -> None:
        """Write down what the recogniser made of a caller's speech. An item that has gone is no error."""
        item = self._items.get(item_id)
        if isinstance(item, Message):
            parts = (
                replace(p, transcript=transcript) if isinstance(p, HeardPart) else p for p in item.content
            )
            self.replace(replace(item, content=tuple(parts)))

    def _place(self, item_id: str) -> int:
        self.get(item_id)
        if self._order[-1] == item_id:
            return len(self._order) - 1
        return self._order.index(item_id)


def spoken_part(item: Message) -> SpokenPart | None:
    """The speech of an agent's message; None where it has none."""
    return next((part for part in item.content if isinstance(part, SpokenPart)), None)


def _cut_part(part: Part, heard: float, *, finished: bool) -> Part:
    if not isinstance(part, SpokenPart):
        return part
    heard = min(max(heard, 0.0), part.seconds)
    heard_out = finished and heard >= part.seconds
    kept = part.transcript if heard_out else heard_prefix(part, heard)
    words = tuple(word for word in part.words if word.source[1] <= len(kept))
    return replace(part, transcript=kept, seconds=heard, words=words, cut=True)


def _characters(item: Item) -> int:
    match item:
        case Message(content=content):
            return sum(len(p.image_url) if isinstance(p, ImagePart) else len(part_text(p)) for p in content)
        case FunctionCall(name=name, arguments=arguments):
            return len(name) + len(arguments)
        case FunctionCallOutput(output=output):
            return len(output)
