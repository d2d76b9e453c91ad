"""
faster-whisper as the recogniser: far better words than the embedded one, in a hundred languages.

Whisper hears utterances of up to 30 s as a whole. Partial results are made by hearing what there is so far
again, every so often, while the model has nothing else to do; finishing an utterance always goes before.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Sequence
from typing import Final

from runtime.errors import RecognitionError, WorkerDied
from runtime.media.frame import LISTENING_RATE, Pcm
from runtime.workers import WorkerProcess
from sessions.recognizer import HeardWord, RecognizerStream, Transcript
from sessions.recognizers.whisper_model import Recognised, WhisperModel

PARTIAL_EVERY: Final = 0.8
"""Seconds of further speech after which an utterance is heard again as far as it goes."""

TIMEOUT: Final = 60.0
"""Seconds after which a model that gives no answer is killed."""


class WhisperRecognizer:
    """
    faster-whisper behind :class:`sessions.recognizer.Recognizer`.

    Args:
        model, device, compute_type, threads: See :class:`WhisperModel`.
        niceness: Of the process, 0 to 19.
    """

    name = "faster-whisper"
    adapts = False

    def __init__(
        self,
        model: str,
        *,
        device: str = "auto",
        compute_type: str = "default",
        threads: int = 0,
        niceness: int = 0,
    ) -> None:
        self._worker = WorkerProcess(
            functools.partial(WhisperModel, model, device=device, compute_type=compute_type, threads=threads),
            name="whisper",
            niceness=niceness,
        )
        self._busy = asyncio.Lock()
        self._finishing = 0

    async def start(self) -> None:
        """
        Load the model, or download it.

        Raises:
            RecognitionError: It cannot be had; the message says what to do.
        """
        try:
            await self._worker.start()
        except (WorkerDied, ImportError, RuntimeError) as error:
            await self.close()
            raise RecognitionError(
                f"faster-whisper does not start: {error}",
                fix="Set whisper_model to a model that can be loaded, or leave it out for the embedded one.",
            ) from error

    def open(
        self,
        language: str = "en",
        *,
        after: RecognizerStream | None = None,
        expects: Sequence[str] = (),
    ) -> WhisperStream:
        """Begin an utterance. What is expected goes along as the prompt."""
        return WhisperStream(self, language, ", ".join(expects))

    async def close(self) -> None:
        """Stop the process."""
        await self._worker.close()

    @property
    def idle(self) -> bool:
        """Whether nobody waits for a transcript, and the model does nothing."""
        return not self._finishing and not self._busy.locked()

    async def glance(self, pcm: bytes, language: str, prompt: str) -> str:
        """The words of an utterance that goes on."""
        return (await self._transcribe(pcm, language, prompt, times=False)).text

    async def finish(self, pcm: bytes, language: str, prompt: str) -> Recognised:
        """
        All of an utterance.

        Raises:
            RecognitionError: The process died.
        """
        self._finishing += 1
        try:
            return await self._transcribe(pcm, language, prompt, times=True)
        except WorkerDied as died:
            raise RecognitionError(f"the utterance was not transcribed: {died.message}") from died
        finally:
            self._finishing -= 1

    async def _transcribe(self, pcm: bytes, language: str, prompt: str, *, times: bool) -> Recognised:
        spoken = language.partition("-")[0] or None
        async with self._busy:
            found: Recognised = await self._worker.call(
                "transcribe", pcm, spoken, prompt, times, timeout=TIMEOUT
            )
            return found


class WhisperStream:
    """One utterance; see :class:`sessions.recognizer.RecognizerStream`."""

    def __init__(self, recognizer: WhisperRecognizer, language: str, prompt: str) -> None:
        self.text = ""
        """The words so far."""
        self._recognizer = recognizer
        self._language = language
        self._prompt = prompt
        self._audio = bytearray()
        self._glanced = 0
        self._glancing: asyncio.Task[None] | None = None
        self._told = ""
        self._changed = asyncio.Event()
        self._over = False

    def push(self, pcm: Pcm) -> None:
        """Add mono int16 at 16 kHz. Ignored once the stream is finished or abandoned."""
        if self._over or not len(pcm):
            return
        self._audio += pcm.astype("<i2", copy=False).tobytes()
        due = len(self._audio) - self._glanced >= PARTIAL_EVERY * LISTENING_RATE * 2
        if due and self._glancing is None and self._recognizer.idle:
            self._glanced = len(self._audio)
            self._glancing = asyncio.create_task(self._glance(bytes(self._audio)), name="partial words")

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
            RecognitionError: The process died.
        """
        self._end()
        seconds = len(self._audio) / 2 / LISTENING_RATE
        if not self._audio:
            return Transcript("", (), seconds, self._language)
        found = await self._recognizer.finish(bytes(self._audio), self._language, self._prompt)
        words = tuple(HeardWord(*word) for word in found.words)
        return Transcript(found.text, words, seconds, found.language)

    def abandon(self) -> None:
        """Drop the utterance. Harmless twice."""
        self._end()
        self._audio.clear()

    def _end(self) -> None:
        self._over = True
        self._changed.set()

    async def _glance(self, pcm: bytes) -> None:
        try:
            text = await self._recognizer.glance(pcm, self._language, self._prompt)
        except (WorkerDied, RuntimeError):
            # Whoever finishes the utterance is told.
            return
        finally:
            self._glancing = None
        if text != self.text and not self._over:
            self.text = text
            self._changed.set()
