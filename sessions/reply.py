"""One reply being made: the brain's pieces become words, voice and calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

from runtime.clock import Clock
from runtime.errors import BrainError, SpeechError, VivavoceError, WorkerDied
from sessions.brains.brain import Answer, EndCall, ToolCall, Transfer
from sessions.patience import Stalled, patiently
from sessions.peers.peer import Peer, ReplyOrder
from sessions.speaker import Speaker
from sessions.timeline import Mark, Timeline
from sessions.utterance import Utterance
from tts.engine import Conditioning

INFINITY = float("inf")


class Reply:
    """
    Make one reply and report it to the peer as it comes.

    Args:
        order: What is wanted.
        peer: Told the words, the calls, and the end.
        speaker: Says the words, if the order is for speech.
        conditioning: In whose voice.
        timeline: Marked on the way.
        filler: Said if the brain keeps the caller waiting; None stays silent.
        filler_after: Seconds without a first piece before that.
        timeout: Seconds without any piece before the reply has failed.
    """

    def __init__(
        self,
        order: ReplyOrder,
        *,
        peer: Peer,
        speaker: Speaker,
        conditioning: Conditioning,
        timeline: Timeline,
        clock: Clock,
        filler: str | None,
        filler_after: float,
        timeout: float,
    ) -> None:
        self.order = order
        self.timeline = timeline
        self.farewell: EndCall | Transfer | None = None
        """What the brain wants done with the call once this has been heard."""
        self._peer = peer
        self._speaker = speaker
        self._conditioning = conditioning
        self._clock = clock
        self._filler = filler
        self._filler_after = filler_after if filler is not None and order.spoken else INFINITY
        self._timeout = timeout
        self._utterance: Utterance | None = None
        self._playing: asyncio.Task[None] | None = None

    async def make(self, pieces: AsyncIterator[Answer]) -> None:
        """
        Turn ``pieces`` into the reply, and return when the last of it has left.

        A brain or a voice that fails ends it with ``failed``; what was said until then stands.
        """
        failure: VivavoceError | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                try:
                    await self._take_all(pieces, tasks)
                except BrainError as error:
                    failure = error
                await self._said()
        except* (SpeechError, WorkerDied) as errors:
            failure = _first(errors)
        if failure is None:
            self._peer.reply_finished(self.order, "completed")
        else:
            self._peer.reply_finished(self.order, "failed", failure)

    async def _take_all(self, pieces: AsyncIterator[Answer], tasks: asyncio.TaskGroup) -> None:
        patient = patiently(pieces, stalled_after=self._filler_after, timeout=self._timeout)
        async with aclosing(patient):
            async for piece in patient:
                await self._take(piece, tasks)

    async def _take(self, piece: Answer | Stalled, tasks: asyncio.TaskGroup) -> None:
        if isinstance(piece, Stalled):
            if self._filler is not None:
                await self._say(f"{self._filler} ", tasks)
            return
        self.timeline.mark(Mark.BRAIN_DELTA, self._clock.now())
        match piece:
            case str():
                await self._say(piece, tasks)
            case ToolCall():
                self._peer.tool_called(self.order, piece)
            case EndCall() | Transfer():
                self.farewell = piece

    async def _say(self, text: str, tasks: asyncio.TaskGroup) -> None:
        words = self._peer.words(self.order, text)
        if not words or not self.order.spoken:
            return
        if self._utterance is None:
            self._utterance = await self._speaker.begin(self.order, self._conditioning, self.timeline)
            self._playing = tasks.create_task(self._utterance.play(), name=f"speak {self.order.id}")
        self._utterance.say(words)

    async def _said(self) -> None:
        """Wait until the last of the voice has left."""
        if self._utterance is not None and self._playing is not None:
            self._utterance.finish()
            await self._playing


def _first(errors: BaseExceptionGroup[VivavoceError]) -> VivavoceError:
    for error in errors.exceptions:
        if isinstance(error, BaseExceptionGroup):
            return _first(error)
        return error
    raise AssertionError("an exception group is never empty")
