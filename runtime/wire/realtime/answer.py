"""
A response being made, told in the one order that clients rely on.

::

    response.created
      response.output_item.added          item in progress, no content
      conversation.item.added
      response.content_part.added
        response.output_audio_transcript.delta | response.output_audio.delta   in any mixture
      response.output_audio.done
      response.output_audio_transcript.done
      response.content_part.done
      response.output_item.done
      conversation.item.done
    response.done

A text response has ``output_text`` in the place of the two; a function call has its arguments there, and no
content part. Several items may follow each other. A call may come while the message before it still sounds.
An out-of-band response skips the ``conversation.*`` events. Whatever becomes of the response, everything that
was opened is closed, and ``response.done`` is last.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, Protocol, TypeAlias

from runtime.wire.conversation import (
    Conversation,
    FunctionCall,
    Item,
    ItemStatus,
    Message,
    SpokenPart,
    TextPart,
    WordTime,
    new_id,
    part_text,
)
from runtime.wire.realtime.actions import Response
from runtime.wire.realtime.config import JsonObject
from runtime.wire.realtime.items import item_json
from runtime.wire.realtime.usage import CHARACTERS_PER_TOKEN, Tokens, items_tokens, usage_json

FinalStatus: TypeAlias = Literal["completed", "cancelled", "incomplete", "failed"]
Reason: TypeAlias = Literal["turn_detected", "client_cancelled", "max_output_tokens", "content_filter"]


class Emit(Protocol):
    """Where events go; it adds the event id."""

    def __call__(self, event_type: str, /, **members: object) -> None: ...


class Answer:
    """
    The events of one response.

    Args:
        conversation: Where its items are kept: the call's, or for an out-of-band response one of its own.
        read: Tokens it was given to read.
    """

    def __init__(self, response: Response, *, conversation: Conversation, read: Tokens, emit: Emit) -> None:
        self.response = response
        self.spoken_id: str | None = None
        """The newest item with speech in it."""
        self.has_called = False
        """Whether it has called a function."""
        self._conversation = conversation
        self._read = read
        self._emit = emit
        self._outputs: list[Item] = []
        self._deleted: set[str] = set()
        self._open: int | None = None
        limit = response.max_output_tokens
        self._characters_left = None if limit is None else limit * CHARACTERS_PER_TOKEN
        self._limited = False

    def begin(self) -> None:
        self._emit("response.created", response=self._json("in_progress", None, None))

    def text(self, text: str) -> str:
        """Add words; return those that fit the limit and were not cut off already."""
        kept = self._within_limit(text)
        if not kept:
            return ""
        index, message = self._open_message()
        part = message.content[0]
        place = self._place(index)
        if isinstance(part, SpokenPart):
            if part.cut:
                return ""
            self._update(index, replace(part, transcript=part.transcript + kept))
            self._emit("response.output_audio_transcript.delta", **place, content_index=0, delta=kept)
        else:
            self._update(index, TextPart(part_text(part) + kept))
            self._emit("response.output_text.delta", **place, content_index=0, delta=kept)
        return kept

    def audio(self, audio: bytes, words: Sequence[WordTime]) -> bool:
        """Add sound; False if there is no place for it: the response is written, or was cut."""
        if not self.media(self.response.output_format.seconds(len(audio)), words):
            return False
        assert self._open is not None
        if audio:
            place = self._place(self._open)
            delta = base64.b64encode(audio).decode()
            self._emit("response.output_audio.delta", **place, content_index=0, delta=delta)
        return True

    def media(self, seconds: float, words: Sequence[WordTime]) -> bool:
        """The same for sound that is not sent as events."""
        if self.response.modality == "text":
            return False
        index, message = self._open_message()
        part = message.content[0]
        if not isinstance(part, SpokenPart) or part.cut:
            return False
        self._update(index, replace(part, seconds=part.seconds + seconds, words=(*part.words, *words)))
        return True

    def call(self, name: str, arguments: str, call_id: str) -> None:
        """A whole function call."""
        self.has_called = True
        call = FunctionCall(new_id("item"), call_id, name, arguments)
        index = self._add(call)
        place = self._place(index) | {"call_id": call_id}
        if arguments:
            self._emit("response.function_call_arguments.delta", **place, delta=arguments)
        self._emit("response.function_call_arguments.done", **place, name=name, arguments=arguments)
        self._close_item(index)
        if self._characters_left is not None:
            self._characters_left -= len(name) + len(arguments)

    def close_message(self, status: ItemStatus = "completed") -> None:
        """End the message that is open, if one is."""
        if self._open is None:
            return
        index, self._open = self._open, None
        message = self._current(index)
        assert isinstance(message, Message)
        if status == "completed" and self._limited:
            status = "incomplete"
        self._replace(index, replace(message, status=status))
        place = self._place(index)
        words = message.text
        if self.response.modality == "audio":
            self._emit("response.output_audio.done", **place, content_index=0)
            self._emit("response.output_audio_transcript.done", **place, content_index=0, transcript=words)
        else:
            self._emit("response.output_text.done", **place, content_index=0, text=words)
        self._emit("response.content_part.done", **place, content_index=0, part=self._part(words))
        self._close_item(index)

    def forget(self, item: Item) -> None:
        """The client deleted an item. One of ours is told of to its end all the same."""
        for index, output in enumerate(self._outputs):
            if output.id == item.id:
                self._outputs[index] = item
                self._deleted.add(item.id)

    def finish(self, status: FinalStatus, reason: Reason | None, error: tuple[str, str] | None) -> None:
        """Close what is open, then the response."""
        self.close_message("completed" if status == "completed" else "incomplete")
        if status == "completed" and self._limited:
            status, reason = "incomplete", "max_output_tokens"
        details: dict[str, object] | None = None
        if status != "completed":
            details = {"type": status}
            if reason:
                details["reason"] = reason
            if error:
                details["error"] = {"type": "server_error", "code": error[0], "message": error[1]}
        made = items_tokens(self._current(index) for index in range(len(self._outputs)))
        self._emit("response.done", response=self._json(status, details, usage_json(self._read, made)))

    def _within_limit(self, text: str) -> str:
        if self._characters_left is None:
            return text
        if self._limited:
            return ""
        kept = text
        if len(text) > self._characters_left:
            self._limited = True
            end = text.rfind(" ", 0, max(self._characters_left, 0) + 1)
            kept = text[: max(end, 0)]
        self._characters_left -= len(kept)
        return kept

    def _open_message(self) -> tuple[int, Message]:
        if self._open is None:
            spoken = self.response.modality == "audio"
            part = SpokenPart() if spoken else TextPart("")
            message = Message(new_id("item"), "assistant", (part,), "in_progress")
            self._open = self._add(message)
            if spoken:
                self.spoken_id = message.id
            place = self._place(self._open)
            self._emit("response.content_part.added", **place, content_index=0, part=self._part(""))
        message_now = self._current(self._open)
        assert isinstance(message_now, Message)
        return self._open, message_now

    def _add(self, item: Item) -> int:
        self._outputs.append(item)
        index = len(self._outputs) - 1
        before = self._conversation.append(item)
        shown = item_json(replace(item, status="in_progress"), empty=True)
        self._emit("response.output_item.added", response_id=self.response.id, output_index=index, item=shown)
        if self.response.in_conversation:
            self._emit("conversation.item.added", previous_item_id=before, item=shown)
        return index

    def _close_item(self, index: int) -> None:
        item = self._current(index)
        shown = item_json(item)
        self._emit("response.output_item.done", response_id=self.response.id, output_index=index, item=shown)
        if self.response.in_conversation:
            before = None if item.id in self._deleted else self._conversation.previous(item.id)
            self._emit("conversation.item.done", previous_item_id=before, item=shown)

    def _current(self, index: int) -> Item:
        """The item as it is now: the client may have cut it, or deleted it while it was being made."""
        item = self._outputs[index]
        return item if item.id in self._deleted else self._conversation.get(item.id)

    def _replace(self, index: int, item: Item) -> None:
        self._outputs[index] = item
        if item.id not in self._deleted:
            self._conversation.replace(item)

    def _update(self, index: int, part: SpokenPart | TextPart) -> None:
        message = self._current(index)
        assert isinstance(message, Message)
        self._replace(index, replace(message, content=(part,)))

    def _place(self, index: int) -> dict[str, object]:
        return {
            "response_id": self.response.id,
            "item_id": self._outputs[index].id,
            "output_index": index,
        }

    def _part(self, words: str) -> JsonObject:
        # Parts are named more briefly here than in items: "audio", not "output_audio".
        spoken = self.response.modality == "audio"
        return {"type": "audio", "transcript": words} if spoken else {"type": "text", "text": words}

    def _json(self, status: str, details: JsonObject | None, usage: JsonObject | None) -> JsonObject:
        response = self.response
        return {
            "object": "realtime.response",
            "id": response.id,
            "status": status,
            "status_details": details,
            "output": [item_json(self._current(index)) for index in range(len(self._outputs))],
            "conversation_id": self._conversation.id if response.in_conversation else None,
            "output_modalities": [response.modality],
            "max_output_tokens": response.max_output_tokens or "inf",
            "audio": {"output": {"format": response.output_format.to_json(), "voice": response.voice}},
            "metadata": dict(response.metadata) if response.metadata is not None else None,
            "usage": usage,
        }
