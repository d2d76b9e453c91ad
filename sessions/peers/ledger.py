"""The conversation of a call whose wire has no items, written down from what the session reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from runtime.wire.conversation import (
    Conversation,
    FunctionCall,
    HeardPart,
    ItemStatus,
    Message,
    SpokenPart,
    TextPart,
    WordTime,
    new_id,
)
from sessions.agent import AgentProfile
from sessions.brains.brain import ToolCall
from sessions.brains.tools import read_tools
from sessions.peers.peer import Outcome, ReplyOrder
from sessions.recognizer import Transcript


class Ledger:
    """
    Keeps the history for peers such as a telephone line, which only hear and speak.

    It has the methods of :class:`sessions.peers.peer.Peer` that write; a peer passes each report on.
    """

    def __init__(self, profile: AgentProfile) -> None:
        self.conversation = Conversation()
        self._profile = profile
        self._tools = tuple(read_tools(profile.tools)[0])
        # The open message of each reply.
        self._messages: dict[str, str] = {}

    def turn_taken(self, seconds: float) -> str:
        """The caller's turn; its words follow by :meth:`transcribed`."""
        return self._add(Message(new_id("item"), "user", (HeardPart(seconds),)))

    def transcribed(self, item_id: str, transcript: Transcript) -> None:
        self.conversation.hear(item_id, transcript.text)

    def keys_pressed(self, digits: str) -> str:
        return self._add(Message(new_id("item"), "user", (TextPart(digits),)))

    def begin_reply(self) -> ReplyOrder:
        """A spoken reply, as the agent's own settings have it."""
        profile = self._profile
        return ReplyOrder(
            new_id("resp"), instructions=profile.instructions, speed=profile.speed, tools=self._tools
        )

    def words(self, order: ReplyOrder, delta: str) -> str:
        if order.id not in self._messages:
            message = Message(new_id("item"), "assistant", (SpokenPart(),), "in_progress")
            self._messages[order.id] = self._add(message)
        message, part = self._open(order)
        if part.cut:
            return ""
        self._rewrite(message, replace(part, transcript=part.transcript + delta))
        return delta

    def sounded(self, order: ReplyOrder, seconds: float, words: Sequence[WordTime]) -> None:
        """So much more of the open message has left, and these words begin in it."""
        if order.id not in self._messages:
            return
        message, part = self._open(order)
        if not part.cut:
            self._rewrite(message, replace(part, seconds=part.seconds + seconds, words=(*part.words, *words)))

    def message_said(self, order: ReplyOrder) -> None:
        """The open message has been said to its end; what the reply says next is another."""
        self._close(order, "completed")

    def tool_called(self, order: ReplyOrder, call: ToolCall) -> None:
        self._add(FunctionCall(new_id("item"), call.call_id, call.name, call.arguments))

    def playback_cut(self, order: ReplyOrder, heard: float) -> None:
        if order.id in self._messages:
            self.conversation.cut(self._messages[order.id], heard)

    def reply_finished(self, order: ReplyOrder, outcome: Outcome) -> None:
        self._close(order, "completed" if outcome == "completed" else "incomplete")

    def _close(self, order: ReplyOrder, status: ItemStatus) -> None:
        if order.id in self._messages:
            message, _ = self._open(order)
            self.conversation.replace(replace(message, status=status))
            del self._messages[order.id]

    def _add(self, item: Message | FunctionCall) -> str:
        self.conversation.append(item)
        return item.id

    def _open(self, order: ReplyOrder) -> tuple[Message, SpokenPart]:
        message = self.conversation.get(self._messages[order.id])
        assert isinstance(message, Message)
        part = message.content[0]
        assert isinstance(part, SpokenPart)
        return message, part

    def _rewrite(self, message: Message, part: SpokenPart) -> None:
        self.conversation.replace(replace(message, content=(part,)))
