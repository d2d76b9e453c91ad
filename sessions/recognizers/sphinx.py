"""
The embedded recogniser: pocketsphinx in worker processes, streaming, with nothing to download.

US English; fair on clear speech near the microphone, poor on free conversation and bad lines (a third of
the words of 19 real recordings are wrong): a default that works at once, and enough for a dialogue's "yes",
"no" and numbers. Use another engine behind the same protocol for the rest.

Decoders are few, as each takes about 91 MB. An utterance holds one from its first audio to its end; where
none is free its audio waits, and is decoded at ten times the speed of speech once its turn has come. Of
twenty calls some six speak at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from runtime.errors import RecognitionError, WorkerDied
from runtime.media.frame import LISTENING_RATE, Pcm
from runtime.workers import WorkerProcess
from sessions.recognizer import HeardWord, RecognizerStream, Transcript
from sessions.recognizers.sphinx_decoders import Decoded, SphinxDecoders

LEAST: Final = round(0.06 * LISTENING_RATE) * 2
"""Bytes fed at once unless the utterance ends: crossing to the worker for every packet would cost more."""

MOST: Final = round(0.3 * LISTENING_RATE) * 2
"""Bytes fed at once: the longest another caller's last words wait behind (about 20 ms of work)."""

AHEAD: Final = 2
"""Pieces a worker is given at a time, so that it need not wait for the next; the others are still sorted."""

TIMEOUT: Final = 20.0
"""Seconds after which a decoder that gives no answer is killed."""

TRIES: Final = 2


class SphinxRecognizer:
    """
    pocketsphinx behind :class:`sessions.recognizer.Recognizer`.

    Args:
        workers: Processes; decoding holds one core of each.
        decoders: Utterances each decodes at a time. The first is loaded at the start, the others when so many
            speak at once; they stay.
        niceness: Of the processes, 0 to 19.
    """

    name = "pocketsphinx"
    adapts = True

    def __init__(self, *, workers: int = 1, decoders: int = 12, niceness: int = 0) -> None:
        self.workers = [
            WorkerProcess(
                functools.partial(SphinxDecoders, decoders), name=f"recognise-{n}", niceness=niceness
            )
            for n in range(workers)
        ]
        self._free: asyncio.PriorityQueue[_Decoder] = asyncio.PriorityQueue()
        for worker in self.workers:
            turns = Turns(AHEAD)
            for number in range(decoders):
                self._free.put_nowait(_Decoder(number, worker, turns))
        self._streams: set[SphinxStream] = set()

    async def start(self) -> None:
        """
        Start the workers and load one decoder in each.

        Raises:
            RecognitionError: A worker does not come up.
        """
        try:
            await asyncio.gather(*(worker.start() for worker in self.workers))
        except (WorkerDied, ImportError, RuntimeError) as error:
            await self.close()
            raise RecognitionError(
                f"the embedded recogniser does not start: {error}",
                fix="Install pocketsphinx, or set recognizer_workers to 0 to run without transcription.",
            ) from error

    def open(
        self,
        language: str = "en",
        *,
        after: RecognizerStream | None = None,
        expects: Sequence[str] = (),
    ) -> SphinxStream:
        """Begin an utterance; ``language`` is ignored, as this model knows US English only."""
        learnt = after.cepstral_mean if isinstance(after, SphinxStream) else None
        stream = SphinxStream(self, learnt, tuple(expects))
        self._streams.add(stream)
        return stream

    async def close(self) -> None:
        """Abandon what is open and stop the workers."""
        for stream in list(self._streams):
            stream.abandon()
        await asyncio.gather(*(worker.close() for worker in self.workers))

    @contextlib.asynccontextmanager
    async def _lend(self) -> AsyncIterator[_Decoder]:
        decoder = await self._free.get()
        try:
            yield decoder
        finally:
            self._free.put_nowait(decoder)


class Turns:
    """
    Whose audio a worker decodes next: that of callers who have said all and wait for an answer, before that
    of those who still speak; and who came first.

    Args:
        at_once: How many have a turn at a time.
    """

    def __init__(self, at_once: int) -> None:
        self._free = at_once
        self._waiting: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []

    @contextlib.asynccontextmanager
    async def take(self, urgent: Callable[[], bool]) -> AsyncIterator[None]:
        """Wait for a turn; ``urgent`` is asked whenever one is given, as that changes meanwhile."""
        if self._free:
            self._free -= 1
        else:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((urgent, turn))
            try:
                await turn
            except asyncio.CancelledError:
                if not turn.cancelled():
                    self._pass_on()
                raise
        try:
            yield
        finally:
            self._pass_on()

    def _pass_on(self) -> None:
        self._waiting = [waiting for waiting in self._waiting if not waiting[1].done()]
        if not self._waiting:
            self._free += 1
            return
        following = next((waiting for waiting in self._waiting if waiting[0]()), self._waiting[0])
        self._waiting.remove(following)
        following[1].set_result(None)


@dataclass(frozen=True, slots=True, order=True)
class _Decoder:
    """One decoder of one worker. They sort so that every worker's loaded ones are lent first."""

    number: int
    worker: WorkerProcess = field(compare=False)
    turns: Turns = field(compare=False)

    async def call(self, method: str, *args: object) -> Any:
        return await self.worker.call(method, self.number, *args, timeout=TIMEOUT)


class SphinxStream:
    """One utterance; see :class:`sessions.recognizer.RecognizerStream`."""

    def __init__(
        self, recognizer: SphinxRecognizer, cepstral_mean: str | None, expects: tuple[str, ...]
    ) -> None:
        self.text = ""
        """The words so far."""
        self.cepstral_mean = cepstral_mean
        """What is known of the caller's voice and line."""
        self._recognizer = recognizer
        self._expects = expects
        # All of it is kept to the end: if the worker dies, the utterance is decoded again from here.
        self._audio = bytearray()
        self._samples = 0
        self._complete = False
        self._fed = asyncio.Event()
        self._told = ""
        self._changed = asyncio.Event()
        self._decoding: asyncio.Task[Decoded] | None = None
        self._over = False

    def push(self, pcm: Pcm) -> None:
        """Add mono int16 at 16 kHz. Ignored once the stream is finished or abandoned."""
        if self._complete or not len(pcm):
            return
        self._samples += len(pcm)
        self._audio += pcm.astype("<i2", copy=False).tobytes()
        self._fed.set()
        if self._decoding is None:
            self._decoding = asyncio.create_task(self._decode(), name="recognise an utterance")
            self._decoding.add_done_callback(self._decoded)

    async def partial(self) -> str | None:
        """Wait until the words so far change; None once the stream has ended."""
        while self.text == self._told:
            if self._over:
                return None
            self._changed.clear()
            await self._changed.wait()
        self._told = self.text
        return self.text

    async def finish(self) -> Transcript:
        """
        End the utterance and wait for its transcript.

        Raises:
            RecognitionError: The worker died twice over it, or the stream was abandoned.
        """
        self._complete = True
        self._fed.set()
        seconds = self._samples / LISTENING_RATE
        try:
            if self._decoding is None:
                self._end()
                return Transcript("", (), seconds)
            decoded = await self._decoding
        except asyncio.CancelledError:
            if self._over:
                raise RecognitionError("the utterance was abandoned before it was transcribed") from None
            raise
        return Transcript(decoded.text, tuple(HeardWord(*word) for word in decoded.words), seconds)

    def abandon(self) -> None:
        """Drop the utterance and give its decoder back. Harmless twice."""
        self._complete = True
        if self._decoding is not None:
            self._decoding.cancel()
        self._end()

    def _end(self) -> None:
        self._over = True
        self._changed.set()
        self._audio.clear()
        self._recognizer._streams.discard(self)

    def _decoded(self, decoding: asyncio.Task[Decoded]) -> None:
        if not decoding.cancelled() and decoding.exception() is None:
            decoded = decoding.result()
            self.text, self.cepstral_mean = decoded.text, decoded.cepstral_mean
        self._end()

    async def _decode(self) -> Decoded:
        for attempt in range(1, TRIES + 1):
            try:
                async with self._recognizer._lend() as decoder:
                    return await self._decode_on(decoder)
            except WorkerDied as died:
                if attempt == TRIES:
                    raise RecognitionError(f"the utterance was not transcribed: {died.message}") from died
        raise AssertionError("unreachable")

    async def _decode_on(self, decoder: _Decoder) -> Decoded:
        await decoder.call("begin", self.cepstral_mean)
        fed = 0
        while True:
            waiting = len(self._audio) - fed
            if waiting < LEAST and not self._complete:
                self._fed.clear()
                await self._fed.wait()
                continue
            async with decoder.turns.take(lambda: self._complete):
                if fed == len(self._audio):
                    decoded: Decoded = await decoder.call("finish", self._expects)
                    return decoded
                piece = bytes(self._audio[fed : fed + MOST])
                fed += len(piece)
                self._say(await decoder.call("feed", piece))

    def _say(self, text: str) -> None:
        if text != self.text:
            self.text = text
            self._changed.set()
