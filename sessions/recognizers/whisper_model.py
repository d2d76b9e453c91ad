"""
The child's side of faster-whisper: one model, one utterance at a time.

It lives in a worker process because CTranslate2 keeps every core it is given busy for as long as it decodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

INSTALL: Final = "Install it: pip install 'vivavoce[whisper]'."


@dataclass(frozen=True, slots=True)
class Recognised:
    """What the model made of an utterance."""

    text: str
    words: tuple[tuple[str, float, float, float], ...]
    """Word, start and end in seconds, probability; empty where no times were asked for."""
    language: str


class WhisperModel:
    """
    A model of faster-whisper.

    Args:
        model: A folder in CTranslate2's format, a size (``small.en``), or a repository of the Hugging Face
            hub.
        device: ``cpu``, ``cuda`` or ``auto``.
        compute_type: As CTranslate2 has it: ``int8``, ``float16``, ``float32``, ``default`` and others.
        threads: On the CPU; 0 lets CTranslate2 choose.

    Raises:
        RuntimeError: It cannot be had; the message says what to do.
    """

    def __init__(self, model: str, *, device: str, compute_type: str, threads: int) -> None:
        try:
            import faster_whisper  # type: ignore[import-untyped, import-not-found, unused-ignore]
        except ImportError as error:
            raise RuntimeError(f"faster-whisper is not installed ({error}). {INSTALL}") from error
        _require_folder(model)
        try:
            self._model = faster_whisper.WhisperModel(
                model, device=device, compute_type=compute_type, cpu_threads=threads
            )
        except Exception as error:  # the hub, the files and CTranslate2 each have errors of their own
            raise RuntimeError(_why_not(model, error)) from error

    def transcribe(self, pcm: bytes, language: str | None, prompt: str, times: bool) -> Recognised:
        """
        Args:
            pcm: 16 kHz little-endian int16.
            language: ISO 639-1; None finds out, which takes longer.
            prompt: Words that are likely to occur.
            times: Whether the words' times are wanted, which costs another pass.
        """
        samples = np.frombuffer(pcm, "<i2").astype(np.float32) / 32768
        found, about = self._model.transcribe(
            samples,
            language=language if self._model.model.is_multilingual else "en",
            initial_prompt=prompt or None,
            beam_size=1,
            temperature=0.0,
            condition_on_previous_text=False,
            without_timestamps=not times,
            word_timestamps=times,
        )
        text: list[str] = []
        words: list[tuple[str, float, float, float]] = []
        for segment in found:
            text.append(segment.text.strip())
            words += [_word(word) for word in segment.words or ()]
        return Recognised(" ".join(filter(None, text)), tuple(words), about.language)


def _word(word: Any) -> tuple[str, float, float, float]:
    return word.word.strip(), float(word.start), float(word.end), float(word.probability)


def _require_folder(model: str) -> None:
    """What is written like a path is one: the hub would only say that it has no such name."""
    if model.startswith((".", "/", "~")) and not (Path(model).expanduser() / "model.bin").is_file():
        raise RuntimeError(
            f"there is no model in {model}: it must hold model.bin, config.json and tokenizer.json, as "
            "ct2-transformers-converter writes them"
        )


def _why_not(model: str, error: Exception) -> str:
    kind = type(error).__name__
    if kind == "GatedRepoError":
        return f"{model} is gated: accept its terms at the hub, and set HF_TOKEN to a token that may read it"
    if kind == "RepositoryNotFoundError":
        return f"the hub has no public model {model}: check its name, or set HF_TOKEN if it is private"
    if kind in ("LocalEntryNotFoundError", "ConnectError", "ConnectionError", "OfflineModeIsEnabled"):
        return f"{model} could not be downloaded ({error}): fetch it elsewhere, and give the folder it is in"
    return f"the model {model} could not be loaded ({kind}: {error})"
