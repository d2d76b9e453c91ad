"""Callers' words, written down beside the call: what is being recognised, and when it is all there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeAlias

from runtime import metrics
from runtime.errors import RecognitionError, WorkerDied
from runtime.media.frame import LISTENING_RATE, Pcm
from runtime.media.resample import StreamResampler
from sessions.recognizer import Recognizer, RecognizerStream, Transcript

Spawn: TypeAlias = Callable[[Coroutine[Any, Any, None], str], asyncio.Task[None]]
"""Starts a named task that lives no longer than the call."""


class Page(Protocol):
    """Where the words are written: the part of a peer that is told of them."""

    def transcribed(self, item_id: str, transcript: Transcript) -> None: ...

    def not_transcribed(self, item_id: str, error: Exception) -> None: ...


class Scribe:
    """
    Finish callers' turns with the recogniser, any number at a time.

    Args:
        page: Told each turn's words, or why there are none.
        spawn: Starts the tasks.
    """

    def __init__(self, page: Page, recognizer: Recognizer | None, spawn: Spawn) -> None:
        self._page = page
        self._recognizer = recognizer
        self._spawn = spawn
        self._busy: set[asyncio.Task[None]] = set()

    def write_down(
        self, item_id: str, speech: RecognizerStream | None, *, then: Callable[[], None] = lambda: None
    ) -> None:
        """Wait, beside the call, for the words of a turn that is over; call ``then`` when they are there."""
        if speech is None:
            self._page.not_transcribed(item_id, RecognitionError("no recogniser is running"))
            then()
            return
        task = self._spawn(self._finish(item_id, speech, then), f"recognise {item_id}")
        self._busy.add(task)
        task.add_done_callback(self._busy.discard)

    def read_recording(self, item_id: str, pcm: Pcm, *, rate: int, language: str) -> None:
        """The same for speech that came in one piece, at ``rate`` Hz."""
        if self._recognizer is None:
            return self.write_down(item_id, None)
        resampler = StreamResampler(rate, LISTENING_RATE)
        speech = self._recognizer.open(language)
        speech.push(resampler.push(pcm))
        speech.push(resampler.flush())
        return self.write_down(item_id, speech)

    async def settled(self) -> None:
        """Wait until every turn that was given has its words."""
        while self._busy:
            await asyncio.wait(set(self._busy))

    async def _finish(self, item_id: str, speech: RecognizerStream, then: Callable[[], None]) -> None:
        try:
            with metrics.recognition_seconds.time():
                transcript = await speech.finish()
        except (RecognitionError, WorkerDied) as error:
            self._page.not_transcribed(item_id, error)
        else:
            self._page.transcribed(item_id, transcript)
        finally:
            speech.abandon()
        then()
