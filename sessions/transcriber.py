"""Transcribe recordings with the recogniser of the calls, without getting in the calls' way."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any, Final

from runtime.errors import AtCapacity, RecognitionError
from runtime.media.container import DecodeLimits
from runtime.workers import WorkerProcess
from sessions.recognizer import Recognizer, RecognizerStream, Transcript
from sessions.recordings import Passage, Passages, RecordingCutter

CUTTING_TIMEOUT: Final = 120.0
"""Seconds; ten minutes of audio take about ten."""

NICENESS: Final = 10


@dataclass(frozen=True, slots=True)
class Segment:
    """What was said in one passage of a recording."""

    start: float
    """Seconds from the recording's beginning."""
    end: float
    transcript: Transcript
    """Its words are timed from the recording's beginning, too."""


class Transcriber:
    """
    Cuts recordings into passages and has them recognised one after another.

    One recording at a time: it holds one of the recogniser's decoders, the others stay with the calls.
    The process that cuts is started for the first recording.

    Args:
        recognizer: Started by its owner; None refuses everything.
        limits: What an upload may cost.
        waiting: Recordings that may wait; more are refused.
    """

    def __init__(self, recognizer: Recognizer | None, *, limits: DecodeLimits, waiting: int = 8) -> None:
        self._recognizer = recognizer
        self._cutter = WorkerProcess(
            functools.partial(RecordingCutter, limits), name="recordings", niceness=NICENESS
        )
        self._cutter_started = False
        self._most_waiting = waiting
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def close(self) -> None:
        """Stop the process. Harmless before any recording."""
        if self._cutter_started:
            await self._cutter.close()

    def require_recognizer(self) -> None:
        """
        Raises:
            RecognitionError: There is no recogniser.
        """
        if self._recognizer is None:
            raise RecognitionError(
                "this server recognises no speech", fix="start it with recognizer_workers of 1 or more"
            )

    async def cut(self, data: bytes) -> Passages:
        """
        Decode a recording and cut it; its channels are mixed.

        Args:
            data: A file of any container and codec that is read.

        Raises:
            AtCapacity: Too many recordings wait.
            RecognitionError: There is no recogniser.
            UploadTooLarge, Undecodable: As :meth:`RecordingCutter.cut`.
        """
        cut: Passages = await self._ask_cutter("cut", data)
        return cut

    async def cut_channels(self, data: bytes) -> tuple[Passages, ...]:
        """As :meth:`cut`, each channel by itself: one speaker each."""
        cut: tuple[Passages, ...] = await self._ask_cutter("cut_channels", data)
        return cut

    async def _ask_cutter(self, method: str, data: bytes) -> Any:
        self.require_recognizer()
        if self._cutter.pending + self._waiting >= self._most_waiting:
            raise AtCapacity("as many recordings wait as may", retry_after=10.0)
        if not self._cutter_started:
            self._cutter_started = True
            await self._cutter.start()
        return await self._cutter.call(method, data, timeout=CUTTING_TIMEOUT)

    async def segments(self, cut: Passages, *, language: str = "en") -> AsyncIterator[Segment]:
        """
        Recognise a recording's passages, in order; those without words are left out.

        Args:
            language: BCP-47.

        Raises:
            RecognitionError: The recogniser failed; what was yielded stands.
        """
        assert self._recognizer is not None, "cut() would have refused"
        self._waiting += 1
        try:
            await self._turn.acquire()
        finally:
            self._waiting -= 1
        try:
            before: RecognizerStream | None = None
            if self._recognizer.adapts and cut.passages:
                # Nobody waits on a line here, so the first words are heard twice: once to learn the voice.
                before, _ = await _recognise(self._recognizer, cut.passages[0], language, None)
            for passage in cut.passages:
                before, transcript = await _recognise(self._recognizer, passage, language, before)
                if transcript.text:
                    yield _segment(passage, transcript)
        finally:
            self._turn.release()


async def _recognise(
    recognizer: Recognizer, passage: Passage, language: str, after: RecognizerStream | None
) -> tuple[RecognizerStream, Transcript]:
    stream = recognizer.open(language, after=after)
    try:
        stream.push(passage.pcm)
        return stream, await stream.finish()
    finally:
        stream.abandon()


def _segment(passage: Passage, transcript: Transcript) -> Segment:
    words = tuple(
        replace(word, start=word.start + passage.start, end=word.end + passage.start)
        for word in transcript.words
    )
    end = passage.start + transcript.seconds
    return Segment(
        words[0].start if words else passage.start,
        words[-1].end if words else end,
        replace(transcript, words=words),
    )
