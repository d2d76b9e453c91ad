"""Any OpenAI-compatible ``/audio/transcriptions`` endpoint as a recogniser: one request an utterance."""

from __future__ import annotations

import asyncio
import io
import wave
from collections.abc import Sequence
from typing import Any, Final

import openai
from openai import AsyncOpenAI

from runtime.errors import RecognitionError
from runtime.media.frame import LISTENING_RATE, Pcm
from sessions.recognizer import HeardWord, RecognizerStream, Transcript

TIMEOUT: Final = 15.0
"""Seconds a request may take."""

_TIMED_MODELS: Final = ("whisper",)
"""Models whose ``verbose_json`` has word times; the others only know ``json``."""


class OpenAIRecognizer:
    """
    A remote recogniser behind :class:`sessions.recognizer.Recognizer`. It gives no partial results.

    Args:
        client: Carries base URL, key and connection pool; not closed by us.
        model: What the endpoint calls its model.
        word_times: Ask for ``verbose_json`` with words; None does so for models that are known to have it.
        timeout: Seconds a request may take.
    """

    name = "openai"
    adapts = False

    def __init__(
        self,
        client: AsyncOpenAI,
        *,
        model: str = "whisper-1",
        word_times: bool | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        self._client = client.with_options(timeout=timeout, max_retries=1)
        self._model = model
        self._word_times = model.startswith(_TIMED_MODELS) if word_times is None else word_times

    async def start(self) -> None:
        """Nothing to load."""

    async def close(self) -> None:
        """Nothing to stop."""

    def open(
        self,
        language: str = "en",
        *,
        after: RecognizerStream | None = None,
        expects: Sequence[str] = (),
    ) -> OpenAIStream:
        """Begin an utterance. What is expected goes along as the ``prompt``."""
        return OpenAIStream(self, language, ", ".join(expects))

    async def transcribe(self, pcm: bytes, language: str, prompt: str = "") -> Transcript:
        """
        Send one utterance.

        Args:
            pcm: 16 kHz little-endian int16.
            language: BCP-47.
            prompt: Words that are likely to occur.

        Raises:
            RecognitionError: Refused, unreachable, or too slow.
        """
        options: dict[str, Any] = {"response_format": "json"}
        if self._word_times:
            options = {"response_format": "verbose_json", "timestamp_granularities": ["word"]}
        if prompt:
            options["prompt"] = prompt
        try:
            answer = await self._client.audio.transcriptions.create(
                file=("utterance.wav", _wav(pcm), "audio/wav"),
                model=self._model,
                language=language.partition("-")[0],
                **options,
            )
        except openai.APIError as error:
            raise RecognitionError(f"the transcription endpoint failed: {error}") from error
        words: Sequence[Any] = getattr(answer, "words", None) or ()
        return Transcript(
            answer.text.strip(),
            tuple(HeardWord(word.word, word.start, word.end, 1.0) for word in words),
            len(pcm) / 2 / LISTENING_RATE,
            language,
        )


class OpenAIStream:
    """One utterance, collected and sent at its end."""

    text = ""

    def __init__(self, recognizer: OpenAIRecognizer, language: str, prompt: str) -> None:
        self._recognizer = recognizer
        self._language = language
        self._prompt = prompt
        self._audio = bytearray()
        self._over = asyncio.Event()

    def push(self, pcm: Pcm) -> None:
        """Add mono int16 at 16 kHz."""
        if not self._over.is_set():
            self._audio += pcm.astype("<i2", copy=False).tobytes()

    async def partial(self) -> str | None:
        """Wait for the end: there are no partial results."""
        await self._over.wait()
        return None

    async def finish(self) -> Transcript:
        """
        Send the utterance and wait for its transcript.

        Raises:
            RecognitionError: Refused, unreachable, or too slow.
        """
        self._over.set()
        if not self._audio:
            return Transcript("", (), 0.0, self._language)
        pcm = bytes(self._audio)
        self._audio.clear()
        return await self._recognizer.transcribe(pcm, self._language, self._prompt)

    def abandon(self) -> None:
        """Drop the utterance."""
        self._over.set()
        self._audio.clear()


def _wav(pcm: bytes) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(LISTENING_RATE)
        writer.writeframes(pcm)
    return file.getvalue()
