"""Share a few synthesising processes among all calls: the playout that runs dry first is served first."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count

from runtime.clock import Clock
from runtime.errors import EngineUnavailable, SpeechError, SynthesisFailed, WorkerDied
from runtime.workers import WorkerProcess
from runtime.workers.messages import Failure
from tts.deadlines import DeadlineQueue
from tts.engine import Conditioning, EngineInfo, PcmBlock, SpeechRequest, SpokenWord, Synthesizer
from tts.provenance.watermark import DEFAULT_KEY
from tts.resume import next_unheard
from tts.synthesis import Opening, Outcome, Setback, Step, SynthesisService

log = logging.getLogger(__name__)

DEATHS = 3
"""Workers that may end in the middle of a step for an utterance before it is taken for the cause."""

RETRY = 0.25
"""Seconds between looks at a worker that does not start."""


@dataclass(slots=True, eq=False)
class _Speech:
    """One utterance on its way."""

    key: int
    conditioning: Conditioning
    request: SpeechRequest
    """What remained to be said when the present worker began."""
    deadline: float | None
    """When playout runs dry without what we make."""
    offset: int = 0
    """Where the request's text begins in the text that was asked for."""
    offset_seconds: float = 0.0
    """Audio made before the present worker began."""
    seconds: float = 0.0
    """Audio made by the present worker."""
    words: list[SpokenWord] = field(default_factory=list)
    """Words begun by the present worker, in its coordinates."""
    lane: int | None = None
    ready: deque[PcmBlock] = field(default_factory=deque)
    unread: float = 0.0
    """Seconds of audio in :attr:`ready`."""
    deaths: int = 0
    """Workers that ended while making a block of it."""
    ended: bool = False
    error: Exception | None = None
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def dry_at(self) -> float | None:
        return None if self.deadline is None else self.deadline + self.offset_seconds + self.seconds

    def take(self, block: PcmBlock, now: float) -> None:
        """
        Keep a block for the reader, in the coordinates of what was asked for.

        One that comes too late is played when it comes, and everything after it later by as much: who fell
        silent once is not more urgent for ever.
        """
        seconds = len(block.samples) / block.rate
        if self.deadline is not None and self.dry_at is not None:
            self.deadline += max(0.0, now - self.dry_at)
        self.words.extend(block.words)
        if self.offset or self.offset_seconds:
            block = replace(block, words=tuple(self._shifted(word) for word in block.words))
        self.ready.append(block)
        self.seconds += seconds
        self.unread += seconds
        self.arrived.set()

    def begin_again(self) -> None:
        """
        Leave the worker; go on from the next unheard word wherever there is room.

        Raises:
            SynthesisFailed: Nobody knows how far it got.
        """
        cut = next_unheard(self.request.text, self.words, self.seconds)
        self.offset += cut
        self.offset_seconds += self.seconds
        self.request = replace(self.request, text=self.request.text[cut:], first=True)
        self.seconds, self.words, self.lane = 0.0, [], None

    def end(self, error: Exception | None = None) -> None:
        self.ended = True
        self.error = error
        self.arrived.set()

    def _shifted(self, word: SpokenWord) -> SpokenWord:
        begin, end = word.source
        return SpokenWord(
            word.word,
            word.start + self.offset_seconds,
            word.end + self.offset_seconds,
            (begin + self.offset, end + self.offset),
        )


class _Lane:
    """One worker, and what its serving task must know."""

    def __init__(self, number: int, worker: WorkerProcess) -> None:
        self.number = number
        self.worker = worker
        self.wake = asyncio.Event()
        self.dropped: list[int] = []
        """Utterances whose readers have gone, to be told to the worker."""
        self.voices: set[str] = set()
        """Digests it was sent. It may have let some go; it says so then."""


class SynthesisPool:
    """
    A :class:`~tts.engine.SpeechEngine` over worker processes.

    Sentences advance one block at a time, so a call that is about to fall silent waits for one block of
    somebody else's at most. A worker that dies or hangs is replaced; its sentences go on in another, from
    the next word that was not heard.

    Args:
        synthesizer: Makes the engine, in each worker; picklable.
        workers: Processes.
        clock: Monotonic time of the deadlines.
        lead: Seconds of audio made ahead of what the listener has heard, or the reader taken. Nothing is
            synthesised further ahead, so a barge-in wastes little and one monologue starves nobody.
        step_timeout: Seconds after which a worker that makes no block is taken for hung.
        voice_cache_bytes: Bound on the conditioning each worker keeps.
        niceness: Of the workers: the process that sends frames comes first.
        watermark: Key of the inaudible mark in all speech; None gives none. See :mod:`tts.provenance`.
    """

    def __init__(
        self,
        synthesizer: Callable[[], Synthesizer],
        *,
        workers: int,
        clock: Clock,
        lead: float = 2.0,
        step_timeout: float = 10.0,
        voice_cache_bytes: int = 64 * 2**20,
        niceness: int = 5,
        watermark: bytes | None = DEFAULT_KEY,
    ) -> None:
        if workers < 1:
            raise ValueError(f"a pool of {workers} workers speaks nothing")
        service = partial(
            SynthesisService, synthesizer, voice_cache_bytes=voice_cache_bytes, watermark=watermark
        )
        self._lanes = [
            _Lane(number, WorkerProcess(service, name=f"synthesis-{number}", niceness=niceness))
            for number in range(workers)
        ]
        self._clock = clock
        self._lead = lead
        self._step_timeout = step_timeout
        self._queue: DeadlineQueue[int] = DeadlineQueue(lead=lead)
        self._speeches: dict[int, _Speech] = {}
        self._keys = count()
        self._tasks: list[asyncio.Task[None]] = []
        self._info: EngineInfo | None = None
        self._width = 1

    @property
    def info(self) -> EngineInfo:
        """The card of the engine inside. Raises EngineUnavailable before :meth:`start`."""
        if self._info is None:
            raise EngineUnavailable("the synthesis pool was not started")
        return self._info

    @property
    def live(self) -> int:
        """Utterances in progress."""
        return len(self._speeches)

    def lateness(self) -> float:
        """Seconds by which the most urgent waiting call is past its deadline; 0 if none is. For admission."""
        return self._queue.lateness(self._clock.now())

    async def start(self) -> None:
        """Start the workers. Raises what the engine's maker raised, after closing the others."""
        starts = (lane.worker.start() for lane in self._lanes)
        outcomes = await asyncio.gather(*starts, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                await self.close()
                raise outcome
        self._info, self._width = await self._lanes[0].worker.call("card")
        self._tasks = [
            asyncio.create_task(self._serve(lane), name=f"serve {lane.worker.name}") for lane in self._lanes
        ]

    async def close(self) -> None:
        """End the workers; utterances in progress raise SynthesisFailed."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._tasks = []
        self._fail_all(SynthesisFailed("the synthesis pool was closed"))
        await asyncio.gather(*(lane.worker.close() for lane in self._lanes))

    async def warm(self, conditioning: Conditioning) -> None:
        """
        Load the voice in every worker.

        Raises:
            WorkerDied: A worker ended over it.
            SpeechError: The engine can make nothing of it.
        """
        await asyncio.gather(*(self._warm(lane, conditioning) for lane in self._lanes))

    async def speak(
        self, request: SpeechRequest, *, deadline: float | None = None
    ) -> AsyncIterator[PcmBlock]:
        """
        See :meth:`tts.engine.SpeechEngine.speak`.

        Raises:
            SynthesisFailed: The engine failed, or the utterance ends every worker that tries it.
            EngineUnavailable: No worker can be started, or the pool is not running.
        """
        if not self._tasks:
            raise EngineUnavailable("the synthesis pool is not running")
        speech = _Speech(next(self._keys), request.conditioning, request, deadline)
        self._speeches[speech.key] = speech
        self._enqueue(speech)
        try:
            while True:
                while speech.ready:
                    block = speech.ready.popleft()
                    was_full = speech.unread >= self._lead
                    speech.unread -= len(block.samples) / block.rate
                    if was_full and speech.unread < self._lead and not speech.ended:
                        self._enqueue(speech)
                    yield block
                if speech.ended:
                    break
                speech.arrived.clear()
                await speech.arrived.wait()
        finally:
            self._forget(speech)
        if speech.error is not None:
            raise speech.error

    async def _warm(self, lane: _Lane, conditioning: Conditioning) -> None:
        await lane.worker.call("warm", conditioning, timeout=self._step_timeout)
        lane.voices.add(conditioning.digest)

    async def _serve(self, lane: _Lane) -> None:
        """Keep one worker busy with whatever is most urgent."""
        while True:
            if not lane.worker.alive:
                self._release(lane)
                await self._await_successor(lane)
            speeches = self._choose(lane)
            if not speeches and not lane.dropped:
                await self._rest(lane)
                continue
            steps = [Step(speech.key, self._opening(lane, speech)) for speech in speeches]
            dropped, lane.dropped = lane.dropped, []
            try:
                outcomes = await lane.worker.call("step", steps, dropped, timeout=self._step_timeout)
            except WorkerDied as died:
                self._mourn(speeches, died)
                self._release(lane)
                continue
            except Exception as error:  # a fault of the engine's, or ours: the lane must live on
                log.exception("%s failed at a step", lane.worker.name)
                for speech in speeches:
                    speech.end(_failed(error))
                    lane.dropped.append(speech.key)
                continue
            for speech, outcome in zip(speeches, outcomes, strict=True):
                self._settle(lane, speech, outcome)

    def _choose(self, lane: _Lane) -> list[_Speech]:
        now = self._clock.now()
        chosen: list[_Speech] = []
        while len(chosen) < self._width and (key := self._queue.pop(lane.number, now)) is not None:
            chosen.append(self._speeches[key])
        return chosen

    def _opening(self, lane: _Lane, speech: _Speech) -> Opening | None:
        if speech.lane is not None:
            return None
        speech.lane = lane.number
        voice, request = speech.conditioning, speech.request
        sent = voice.digest in lane.voices
        lane.voices.add(voice.digest)
        return Opening(
            request.text, voice.digest, request.speed, request.seed, request.first, None if sent else voice
        )

    async def _rest(self, lane: _Lane) -> None:
        """Sleep until something can be served here."""
        lane.wake.clear()
        ready_at = self._queue.ready_at(lane.number)
        pause = None if ready_at is None else max(0.0, ready_at - self._clock.now())
        try:
            async with asyncio.timeout(pause):
                await lane.wake.wait()
        except TimeoutError:
            pass

    def _settle(self, lane: _Lane, speech: _Speech, outcome: Outcome) -> None:
        if speech.key not in self._speeches:
            return  # its reader has gone meanwhile
        match outcome:
            case PcmBlock():
                speech.take(outcome, self._clock.now())
                if speech.unread < self._lead:
                    self._enqueue(speech)
            case None:
                speech.end()
            case Setback.VOICE_UNKNOWN:
                lane.voices.discard(speech.conditioning.digest)
                speech.lane = None
                self._enqueue(speech)
            case Setback.SPEECH_UNKNOWN:
                self._begin_again(speech)
            case Failure():
                speech.end(_failed(outcome.error()))

    def _mourn(self, speeches: list[_Speech], died: WorkerDied) -> None:
        """Note that these were being spoken when their worker ended."""
        for speech in speeches:
            speech.deaths += 1
            if speech.deaths >= DEATHS:
                failed = SynthesisFailed(f"{speech.deaths} workers ended over this text: {died.message}")
                failed.__cause__ = died
                speech.end(failed)

    def _release(self, lane: _Lane) -> None:
        """The worker is gone, and all it knew: let its utterances go on elsewhere."""
        lane.voices.clear()
        lane.dropped.clear()
        for speech in list(self._speeches.values()):
            if speech.lane == lane.number and not speech.ended:
                self._begin_again(speech)

    async def _await_successor(self, lane: _Lane) -> None:
        while True:
            try:
                await lane.worker.available()
            except WorkerDied as died:
                if not any(other.worker.alive for other in self._lanes):
                    self._fail_all(EngineUnavailable(died.message))
                await asyncio.sleep(RETRY)
            else:
                return

    def _begin_again(self, speech: _Speech) -> None:
        try:
            speech.begin_again()
        except SynthesisFailed as failed:
            speech.end(failed)
            return
        if not speech.request.text:
            speech.end()
        elif speech.unread < self._lead:
            self._enqueue(speech)
        else:
            self._queue.discard(speech.key)

    def _enqueue(self, speech: _Speech) -> None:
        self._queue.push(speech.key, deadline=speech.dry_at, lane=speech.lane)
        for lane in self._lanes if speech.lane is None else (self._lanes[speech.lane],):
            lane.wake.set()

    def _forget(self, speech: _Speech) -> None:
        del self._speeches[speech.key]
        self._queue.discard(speech.key)
        if speech.lane is not None and not speech.ended:
            lane = self._lanes[speech.lane]
            lane.dropped.append(speech.key)
            lane.wake.set()

    def _fail_all(self, error: SpeechError) -> None:
        for speech in self._speeches.values():
            if not speech.ended:
                self._queue.discard(speech.key)
                speech.end(error)


def _failed(error: Exception) -> SpeechError:
    """As a speech error, whatever it was."""
    if isinstance(error, SpeechError):
        return error
    failed = SynthesisFailed(f"the engine failed: {error}")
    failed.__cause__ = error
    return failed
