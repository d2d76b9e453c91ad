"""One reply being made: the brain's pieces become words, voice and calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing

from runtime.clock import Clock
from runtime.errors import BrainError, SpeechError, VivavoceError, WorkerDied
from sessions.brains.brain import Answer, EndCall, ToolCall, Transfer, Verbatim
from sessions.patience import Stalled, patiently
from sessions.peers.peer import Peer, ReplyOrder
from sessions.speaker import Line, Speaker
from sessions.timeline import Mark, Timeline
from tts.engine import Conditioning
from tts.stream import SpeechStream

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
        self._script = Script(lambda: speaker.speech(order, conditioning))

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
                self._script.end()
        except* (SpeechError, WorkerDied) as errors:
            failure = _first(errors)
        finally:
            self._script.drop()
        if failure is None:
            self._peer.reply_finished(self.order, "completed")
        else:
            self._peer.reply_finished(self.order, "failed", failure)

    async def _take_all(self, pieces: AsyncIterator[Answer], tasks: asyncio.TaskGroup) -> None:
        patient = patiently(pieces, stalled_after=self._filler_after, timeout=self._timeout)
        async with aclosing(patient):
            async for piece in patient:
                if not self._take(piece, tasks):
                    return

    def _take(self, piece: Answer | Stalled, tasks: asyncio.TaskGroup) -> bool:
        """Do what a piece asks for; False if nothing of what follows can be said any more."""
        if isinstance(piece, Stalled):
            return self._filler is None or self._say(Verbatim(f"{self._filler} "), tasks)
        self.timeline.mark(Mark.BRAIN_DELTA, self._clock.now())
        match piece:
            case str():
                return self._say(piece, tasks)
            case ToolCall():
                self._peer.tool_called(self.order, piece)
            case EndCall() | Transfer():
                self.farewell = piece
        return True

    def _say(self, text: str, tasks: asyncio.TaskGroup) -> bool:
        words = self._peer.words(self.order, text)
        if words and self.order.spoken:
            self._voice(words, tasks, stock=isinstance(text, Verbatim))
        return len(words) == len(text)

    def _voice(self, words: str, tasks: asyncio.TaskGroup, *, stock: bool) -> None:
        if not self._script.begun:
            saying = self._speaker.say(self.order, self._conditioning, self.timeline, self._script.lines())
            tasks.create_task(saying, name=f"speak {self.order.id}")
        if stock:
            self._script.phrase(words)
        else:
            self._script.words(words)


class Script:
    """
    What a reply says, line by line, while it is being written.

    Args:
        new_speech: Opens a line for words as they come.
    """

    def __init__(self, new_speech: Callable[[], SpeechStream]) -> None:
        self._new_speech = new_speech
        self._lines: asyncio.Queue[Line | None] = asyncio.Queue()
        self._speech: SpeechStream | None = None
        self.begun = False

    def words(self, words: str) -> None:
        """Go on with the open speech, or open one."""
        if self._speech is None:
            self._speech = self._new_speech()
            self._lines.put_nowait(self._speech)
            self.begun = True
        self._speech.push(words)

    def phrase(self, phrase: str) -> None:
        """A line said alike in every call."""
        self._finish_speech()
        self._lines.put_nowait(phrase)
        self.begun = True

    def end(self) -> None:
        """Nothing more will be said."""
        self._finish_speech()
        self._lines.put_nowait(None)

    def drop(self) -> None:
        """Nobody listens any more."""
        if self._speech is not None:
            self._speech.cancel()

    async def lines(self) -> AsyncIterator[Line]:
        while (line := await self._lines.get()) is not None:
            yield line

    def _finish_speech(self) -> None:
        if self._speech is not None:
            self._speech.finish()
            self._speech = None


def _first(errors: BaseExceptionGroup[VivavoceError]) -> VivavoceError:
    for error in errors.exceptions:
        return _first(error) if isinstance(error, BaseExceptionGroup) else error
    raise AssertionError("an exception group is never empty")
