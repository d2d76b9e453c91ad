"""``conversation.item.*``: what was said in the call, as its client may read and change it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from runtime.errors import Conflict, NotFound
from runtime.wire.conversation import (
    Conversation,
    FunctionCallOutput,
    Item,
    Message,
    TextPart,
    new_id,
    spoken_part,
)
from runtime.wire.realtime import refusals
from runtime.wire.realtime.actions import ItemCreated, ItemDeleted, ItemTruncated
from runtime.wire.realtime.items import item_json, read_item
from runtime.wire.realtime.outbox import Outbox
from runtime.wire.realtime.session import SessionSettings
from runtime.wire.realtime.sound import ItemSound
from runtime.wire.realtime.truncation import heard_ms


class History:
    """
    The items of one session.

    Args:
        conversation: Shared with the rest of the call; items are added here.
        keep_bytes: Of items' audio, newest kept, for ``conversation.item.retrieve``.
        on_deleted: Told of each item the client deletes.
    """

    def __init__(
        self,
        conversation: Conversation,
        session: SessionSettings,
        outbox: Outbox,
        *,
        keep_bytes: int,
        on_deleted: Callable[[Item], None],
    ) -> None:
        self.conversation = conversation
        self.sound = ItemSound(keep_bytes)
        self._session = session
        self._outbox = outbox
        self._on_deleted = on_deleted
        self._uncut: Message | None = None
        """The agent's message that we cut by our own estimate, whole: the client may know better."""

    # Facts

    def user_said(self, text: str) -> str:
        """Add a typed user message of our own (a DTMF entry, a resumed call). Returns its id."""
        item = Message(new_id("item"), "user", (TextPart(text),))
        self.announce(item, self.conversation.append(item))
        return item.id

    def function_output(self, call_id: str, output: str) -> None:
        """The call ran a function of its own (a server-side tool); puts its output into the history."""
        item = FunctionCallOutput(new_id("item"), call_id, output)
        self.announce(item, self.conversation.append(item))

    def announce(self, item: Item, before: str | None) -> None:
        """``conversation.item.added`` and ``.done`` of an item that is whole from the start."""
        shown = item_json(item)
        self._outbox.emit("conversation.item.added", previous_item_id=before, item=shown)
        self._outbox.emit("conversation.item.done", previous_item_id=before, item=shown)

    def cut(self, item_id: str, heard: float, *, told: bool) -> None:
        """
        Only ``heard`` seconds of the agent's message were heard.

        Args:
            told: Whether the client is told (``conversation.item.truncated``): where we play the audio, we
                know. Otherwise it is our estimate until the client truncates.
        """
        if item_id not in self.conversation:
            return
        whole = self.conversation.get(item_id)
        if not isinstance(whole, Message) or not (part := spoken_part(whole)) or part.cut:
            return
        self.conversation.cut(item_id, heard)
        if told:
            self._truncated(item_id, min(max(heard, 0.0), part.seconds))
        else:
            self._uncut = whole

    # What clients say

    def on_create(self, event: dict[str, Any]) -> None:
        item, audio = read_item(event["item"], param="item", audio_format=self._session.config.input_format)
        if item.id in self.conversation:
            raise Conflict(
                f"Error adding item: the item with id '{item.id}' already exists in the conversation.",
                code=refusals.CREATE_DUPLICATE,
                param="item.id",
            )
        after = event.get("previous_item_id") or self.conversation.last_id
        if after == "root":
            after = None
        elif after is not None and after not in self.conversation:
            raise NotFound(
                f"Error adding item: the previous item with id '{after}' does not exist.",
                code=refusals.CREATE_AFTER_UNKNOWN,
                param="previous_item_id",
            )
        self.conversation.require_room(item)
        self.announce(item, self.conversation.insert(item, after=after))
        if audio:
            self.sound.append(item.id, audio, self._session.config.input_format)
        self._outbox.ask(ItemCreated(item, audio))

    def on_retrieve(self, event: dict[str, Any]) -> None:
        item = self._find(event["item_id"], "retrieving", refusals.RETRIEVE_UNKNOWN)
        shown = item_json(item, audio=self.sound.of(item.id))
        self._outbox.emit("conversation.item.retrieved", item=shown)

    def on_truncate(self, event: dict[str, Any]) -> None:
        item = self._find(event["item_id"], "truncating", refusals.TRUNCATE_UNKNOWN)
        if self._uncut is not None and isinstance(item, Message) and self._uncut.id == item.id:
            item = replace(self._uncut, status=item.status)
        index = event["content_index"]
        heard = heard_ms(item, content_index=index, audio_end_ms=event["audio_end_ms"]) / 1000
        self.conversation.replace(item)
        self.conversation.cut(item.id, heard)
        self._uncut = None
        self._truncated(item.id, heard, index=index)
        self._outbox.ask(ItemTruncated(item.id, heard))

    def on_delete(self, event: dict[str, Any]) -> None:
        item = self._find(event["item_id"], "deleting", refusals.DELETE_UNKNOWN)
        self.conversation.delete(item.id)
        self.sound.drop(item.id)
        self._on_deleted(item)
        self._outbox.emit("conversation.item.deleted", item_id=item.id)
        self._outbox.ask(ItemDeleted(item.id))

    def _truncated(self, item_id: str, heard: float, *, index: int = 0) -> None:
        self.sound.cut(item_id, heard)
        self._outbox.emit(
            "conversation.item.truncated",
            item_id=item_id,
            content_index=index,
            audio_end_ms=round(heard * 1000),
        )

    def _find(self, item_id: str, doing: str, code: str) -> Item:
        if item_id not in self.conversation:
            raise NotFound(
                f"Error {doing} item: the item with id '{item_id}' does not exist.",
                code=code,
                param="item_id",
            )
        return self.conversation.get(item_id)
