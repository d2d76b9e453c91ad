"""
ElevenLabs' streaming input: what a client's messages mean, and how audio is told. No sockets, no clock.

``stream-input`` carries one utterance: a first message with a single space and the settings, text, and an
empty text as the end. ``multi-stream-input`` carries several side by side, each message with a
``context_id``; there an empty text only keeps a context alive, and ``close_context`` ends one. ``flush``
has what was sent so far spoken now. In every answer times begin at zero with that answer's audio.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any, TypeAlias

from runtime.errors import MalformedMessage, UnexpectedMessage
from runtime.wire.alignment import Characters

DEFAULT_CONTEXT = "default"
MAX_CONTEXT_CHARACTERS = 128


@dataclass(frozen=True, slots=True)
class Begin:
    """A new utterance, before its first text."""

    context: str
    speed: float | None
    key: str | None
    """A key sent inside the message, by clients that cannot set headers."""


@dataclass(frozen=True, slots=True)
class Say:
    """More of an utterance's text."""

    context: str
    text: str


@dataclass(frozen=True, slots=True)
class Flush:
    """Speak what was sent so far without waiting for more."""

    context: str


@dataclass(frozen=True, slots=True)
class Finish:
    """No more text will come; the utterance is spoken to its end."""

    context: str


@dataclass(frozen=True, slots=True)
class CloseSocket:
    """Finish every utterance, then hang up."""


Action: TypeAlias = Begin | Say | Flush | Finish | CloseSocket


class StreamInput:
    """
    The states of one connection.

    Args:
        multi: Whether this is ``multi-stream-input``.
    """

    def __init__(self, *, multi: bool) -> None:
        self._multi = multi
        self._open: set[str] = set()
        self._ended = False

    def receive(self, message: str) -> list[Action]:
        """
        What a text frame asks for, in order.

        Raises:
            MalformedMessage: Not a JSON object, or a member has another type than it must.
            UnexpectedMessage: Text after the end.
        """
        body = _object(message)
        if self._ended:
            raise UnexpectedMessage("the connection was asked to close; nothing more can be said on it")
        if self._multi and _flag(body, "close_socket"):
            self._ended = True
            finished: list[Action] = [Finish(context) for context in sorted(self._open)]
            self._open.clear()
            return [*finished, CloseSocket()]
        context = self._context(body)
        text = body.get("text", "")
        if not isinstance(text, str):
            raise MalformedMessage("text is not a string")
        actions: list[Action] = []
        if context not in self._open:
            self._open.add(context)
            actions.append(Begin(context, _speed(body), _key(body)))
        if text.strip():
            actions.append(Say(context, text))
        if _flag(body, "flush") or (text.strip() and _flag(body, "try_trigger_generation")):
            actions.append(Flush(context))
        if self._multi:
            if _flag(body, "close_context"):
                self._open.discard(context)
                actions.append(Finish(context))
        elif "text" in body and text == "":
            self._ended = True
            actions += [Finish(context), CloseSocket()]
        return actions

    def _context(self, body: dict[str, Any]) -> str:
        if not self._multi:
            return DEFAULT_CONTEXT
        context = body.get("context_id") or DEFAULT_CONTEXT
        if not isinstance(context, str) or len(context) > MAX_CONTEXT_CHARACTERS:
            raise MalformedMessage(
                f"context_id is not a string of at most {MAX_CONTEXT_CHARACTERS} characters"
            )
        return context


def audio_message(context: str | None, audio: bytes, characters: Characters, *, since: float) -> str:
    """
    A piece of an utterance.

    Args:
        context: None on ``stream-input``.
        characters: Those that sound in it, with times from the utterance's first sample.
        since: End of the last character that was told before, in seconds: clients add up the messages' times.
    """
    alignment = None
    if characters.text:
        starts = [max(0, round((start - since) * 1000)) for start in characters.starts]
        ends = [max(0, round((end - since) * 1000)) for end in characters.ends]
        alignment = {
            "chars": list(characters.text),
            "charStartTimesMs": starts,
            "charDurationsMs": [end - start for start, end in zip(starts, ends, strict=True)],
        }
    return _told(
        context,
        audio=base64.b64encode(audio).decode(),
        isFinal=None,
        alignment=alignment,
        normalizedAlignment=alignment,
    )


def final_message(context: str | None) -> str:
    """Nothing more of this utterance will come."""
    return _told(context, audio=None, isFinal=True)


def error_message(context: str | None, message: str, code: str) -> str:
    """Something went wrong with this utterance."""
    return _told(context, error=code, message=message)


def _told(context: str | None, **members: Any) -> str:
    if context is not None:
        members["contextId"] = context
        if members.get("isFinal") is None:
            members.pop("isFinal", None)
    return json.dumps(members)


def _object(message: str) -> dict[str, Any]:
    try:
        body = json.loads(message)
    except (ValueError, RecursionError):
        raise MalformedMessage("the message is not JSON") from None
    if not isinstance(body, dict):
        raise MalformedMessage("the message is not a JSON object")
    return body


def _flag(body: dict[str, Any], name: str) -> bool:
    value = body.get(name, False)
    if value not in (True, False, None):
        raise MalformedMessage(f"{name} is not true or false")
    return bool(value)


def _speed(body: dict[str, Any]) -> float | None:
    settings = body.get("voice_settings") or {}
    speed = settings.get("speed") if isinstance(settings, dict) else None
    if speed is None:
        return None
    if isinstance(speed, bool) or not isinstance(speed, (int, float)) or not 0.25 <= speed <= 4:
        raise MalformedMessage("voice_settings.speed is not a number from 0.25 to 4")
    return float(speed)


def _key(body: dict[str, Any]) -> str | None:
    key = body.get("xi-api-key") or body.get("xi_api_key")
    return key if isinstance(key, str) else None
