"""
What a response cost, in tokens.

Nothing here runs a tokenizer: a brain may be a language model of any kind, or none. The figures are
estimates, stable and proportional to the work, at the rates OpenAI documents for its own models: about four
characters of English a text token, one token per 100 ms of a caller's audio, one per 50 ms of an agent's.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from runtime.wire.conversation import (
    FunctionCall,
    FunctionCallOutput,
    HeardPart,
    Item,
    Message,
    SpokenPart,
    part_text,
)
from runtime.wire.realtime.config import JsonObject

CHARACTERS_PER_TOKEN = 4
HEARD_TOKENS_PER_SECOND = 10
SPOKEN_TOKENS_PER_SECOND = 20


@dataclass(frozen=True, slots=True)
class Tokens:
    text: int = 0
    audio: int = 0

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(self.text + other.text, self.audio + other.audio)

    @property
    def total(self) -> int:
        return self.text + self.audio


def text_tokens(characters: int) -> int:
    return math.ceil(characters / CHARACTERS_PER_TOKEN)


def item_tokens(item: Item) -> Tokens:
    """A caller's speech counts as audio; an agent's as audio and as its transcript."""
    match item:
        case Message(content=content):
            text = sum(len(part_text(part)) for part in content if not isinstance(part, HeardPart))
            heard = sum(part.seconds for part in content if isinstance(part, HeardPart))
            spoken = sum(part.seconds for part in content if isinstance(part, SpokenPart))
            audio = heard * HEARD_TOKENS_PER_SECOND + spoken * SPOKEN_TOKENS_PER_SECOND
            return Tokens(text_tokens(text), math.ceil(audio))
        case FunctionCall(name=name, arguments=arguments):
            return Tokens(text_tokens(len(name) + len(arguments)))
        case FunctionCallOutput(output=output):
            return Tokens(text_tokens(len(output)))


def items_tokens(items: Iterable[Item]) -> Tokens:
    return sum((item_tokens(item) for item in items), Tokens())


def usage_json(read: Tokens, made: Tokens) -> JsonObject:
    """The ``usage`` member of a finished response."""
    return {
        "total_tokens": read.total + made.total,
        "input_tokens": read.total,
        "output_tokens": made.total,
        "input_token_details": {
            "text_tokens": read.text,
            "audio_tokens": read.audio,
            "image_tokens": 0,
            "cached_tokens": 0,
            "cached_tokens_details": {"text_tokens": 0, "audio_tokens": 0, "image_tokens": 0},
        },
        "output_token_details": {"text_tokens": made.text, "audio_tokens": made.audio},
    }
