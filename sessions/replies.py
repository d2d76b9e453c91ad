"""The replies of one call: which are being made, which has the floor, and what each brain turn knows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from runtime.clock import Clock
from runtime.wire.conversation import Item, Message
from sessions.agent import SELF_OPENING, AgentProfile
from sessions.brains.brain import Answer, Brain, Turn, Verbatim
from sessions.peers.peer import Peer, ReplyOrder
from sessions.reply import Reply
from sessions.scribe import Scribe, Spawn
from sessions.speaker import Speaker
from sessions.timeline import Timeline
from sessions.voice import SessionVoice


class Replies:
    """
    Make replies, any number beside the conversation and one in it.

    Args:
        session_id: For brains.
        profile: Who replies.
        peer: Told of everything; its conversation is what brains are shown.
        brain: Asked once all the caller has said is written down.
        voice: Whose voice a reply is spoken in.
        speaker: Says it.
        scribe: Writes down what the caller says.
        spawn: Starts the tasks.
        on_over: Told of the reply that had the floor when its last frame has left.
        on_turn: Told the timeline of every reply that was not cut.
    """

    def __init__(
        self,
        session_id: str,
        profile: AgentProfile,
        *,
        peer: Peer,
        brain: Brain,
        voice: SessionVoice,
        speaker: Speaker,
        scribe: Scribe,
        clock: Clock,
        spawn: Spawn,
        on_over: Callable[[Reply], None],
        on_turn: Callable[[Timeline], None],
    ) -> None:
        self._session_id = session_id
        self._profile = profile
        self._peer = peer
        self._brain = brain
        self._voice = voice
        self._speaker = speaker
        self._scribe = scribe
        self._clock = clock
        self._spawn = spawn
        self._on_over = on_over
        self._on_turn = on_turn
        # By the id of their order.
        self._making: dict[str, tuple[Reply, asyncio.Task[None]]] = {}
        self._active: Reply | None = None
        self._made = 0

    @property
    def active(self) -> Reply | None:
        """The reply that has the floor."""
        return self._active

    def begin(
        self,
        order: ReplyOrder,
        timeline: Timeline,
        *,
        keys: str = "",
        opening: bool = False,
        script: Sequence[Answer] = (),
    ) -> None:
        """
        Make a reply; one in the conversation takes the floor.

        Args:
            keys: What the caller keyed in to bring it about.
            opening: Whether nobody has spoken yet.
            script: Said in the place of what the brain would say.
        """
        profile = self._profile
        fillers = profile.fillers
        reply = Reply(
            order,
            peer=self._peer,
            speaker=self._speaker,
            conditioning=self._voice.conditioning(order.voice),
            timeline=timeline,
            clock=self._clock,
            filler=fillers[self._made % len(fillers)] if fillers else None,
            filler_after=profile.filler_after,
            timeout=profile.brain_timeout,
        )
        self._made += 1
        if order.in_conversation:
            self._active = reply
        task = self._spawn(self._make(reply, keys=keys, opening=opening, script=script), f"reply {order.id}")
        self._making[order.id] = (reply, task)
        task.add_done_callback(lambda _task: self._making.pop(order.id, None))

    def stop(self, order_id: str) -> Reply | None:
        """Make no more of a reply. Returns it if it had the floor, which is free now."""
        if order_id not in self._making:
            return None
        reply, task = self._making[order_id]
        task.cancel()
        if reply is not self._active:
            return None
        self._active = None
        return reply

    def interrupt(self) -> Reply | None:
        """Stop the reply that has the floor, and return it; None where none has it."""
        return self.stop(self._active.order.id) if self._active is not None else None

    async def _make(self, reply: Reply, *, keys: str, opening: bool, script: Sequence[Answer]) -> None:
        await self._scribe.settled()
        try:
            pieces = _read_out(script) if script else self._pieces(reply.order, keys=keys, opening=opening)
            await reply.make(pieces)
        except asyncio.CancelledError as cancelled:
            # A TaskGroup that is cancelled keeps the error, and the error its frame, and that the whole call.
            raise cancelled.with_traceback(None) from None
        self._on_turn(reply.timeline)
        if self._active is reply:
            self._active = None
            self._on_over(reply)

    def _pieces(self, order: ReplyOrder, *, keys: str, opening: bool) -> AsyncIterator[Answer]:
        if opening and (said := self._opening_words()) is not None:
            return said
        history = self._peer.conversation.items if order.history is None else order.history
        turn = Turn(
            history=history,
            user_text=_last_words(history),
            dtmf=keys,
            opening=opening,
            instructions=order.instructions,
            tools=order.tools,
            tool_choice=order.tool_choice,
            max_tokens=order.max_tokens,
            session_id=self._session_id,
            metadata=order.metadata or {},
        )
        answer = self._brain.reply(turn)
        return _after(self._profile.notice, answer) if opening and self._profile.notice else answer

    def _opening_words(self) -> AsyncIterator[Answer] | None:
        """What is said first where the brain does not begin by itself."""
        profile = self._profile
        if profile.greeting is not None:
            return _verbatim(" ".join(filter(None, (profile.notice, profile.greeting))))
        if profile.notice is not None and profile.brain not in SELF_OPENING:
            return _verbatim(profile.notice)
        return None


async def _read_out(script: Sequence[Answer]) -> AsyncIterator[Answer]:
    for answer in script:
        yield answer


async def _verbatim(text: str) -> AsyncIterator[Answer]:
    yield Verbatim(text)


async def _after(notice: str, answer: AsyncIterator[Answer]) -> AsyncIterator[Answer]:
    yield Verbatim(f"{notice} ")
    async for piece in answer:
        yield piece


def _last_words(history: Sequence[Item]) -> str:
    """What the caller said since the agent last spoke."""
    said: list[str] = []
    for item in reversed(history):
        if isinstance(item, Message):
            if item.role == "assistant":
                break
            if item.role == "user":
                said.append(item.text)
    return " ".join(filter(None, reversed(said)))
