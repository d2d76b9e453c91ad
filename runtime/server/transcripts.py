"""A transcript in the forms people ask for: JSON, text, SubRip, WebVTT, and events."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator, Sequence
from typing import Any

from sessions.recognizer import HeardWord
from sessions.transcriber import Segment

LANGUAGE_NAMES = {"en": "english", "de": "german", "fr": "french", "es": "spanish", "it": "italian"}
"""OpenAI spells languages out here."""


def full_text(segments: Sequence[Segment]) -> str:
    """All words, segments joined by a space."""
    return " ".join(segment.transcript.text for segment in segments)


def short_json(segments: Sequence[Segment], seconds: float) -> dict[str, Any]:
    """``response_format=json``."""
    return {"text": full_text(segments), "usage": {"type": "duration", "seconds": math.ceil(seconds)}}


def verbose_json(
    segments: Sequence[Segment], seconds: float, *, language: str, words: bool, parts: bool
) -> dict[str, Any]:
    """
    ``response_format=verbose_json``.

    Args:
        words: Whether ``words`` with times are wanted.
        parts: Whether ``segments`` are wanted.
    """
    answer: dict[str, Any] = {
        "task": "transcribe",
        "language": LANGUAGE_NAMES.get(language.partition("-")[0], language),
        "duration": round(seconds, 3),
        "text": full_text(segments),
        "usage": {"type": "duration", "seconds": math.ceil(seconds)},
    }
    if parts:
        answer["segments"] = [_segment_json(number, segment) for number, segment in enumerate(segments)]
    if words:
        answer["words"] = [_word_json(word) for segment in segments for word in segment.transcript.words]
    return answer


def subrip(segments: Sequence[Segment]) -> str:
    """``response_format=srt``: numbered cues, a comma before the milliseconds."""
    cues = [
        f"{number}\n{_clock(segment.start, ',')} --> {_clock(segment.end, ',')}\n{segment.transcript.text}\n"
        for number, segment in enumerate(segments, start=1)
    ]
    return "\n".join(cues)


def web_vtt(segments: Sequence[Segment]) -> str:
    """``response_format=vtt``, W3C WebVTT."""
    cues = [
        f"{_clock(segment.start, '.')} --> {_clock(segment.end, '.')}\n{segment.transcript.text}\n"
        for segment in segments
    ]
    return "\n".join(["WEBVTT\n", *cues])


async def events(segments: AsyncIterator[Segment], seconds: float) -> AsyncIterator[str]:
    """``stream=true``: a delta per segment as it is recognised, then the whole."""
    said: list[str] = []
    async for segment in segments:
        delta = (" " if said else "") + segment.transcript.text
        said.append(segment.transcript.text)
        yield _event({"type": "transcript.text.delta", "delta": delta})
    usage = {"type": "duration", "seconds": math.ceil(seconds)}
    yield _event({"type": "transcript.text.done", "text": " ".join(said), "usage": usage})


def _event(value: dict[str, Any]) -> str:
    return f"data: {json.dumps(value)}\n\n"


def _segment_json(number: int, segment: Segment) -> dict[str, Any]:
    words = segment.transcript.words
    confidences = [max(word.confidence, 1e-6) for word in words]
    return {
        "id": number,
        "seek": 0,
        "start": round(segment.start, 3),
        "end": round(segment.end, 3),
        "text": segment.transcript.text,
        # Fields of Whisper's decoder that clients' types insist on. Of ours, the mean log probability is
        # that of the words; the others have no meaning here.
        "avg_logprob": round(sum(map(math.log, confidences)) / len(confidences), 4) if confidences else 0.0,
        "tokens": [],
        "temperature": 0.0,
        "compression_ratio": 1.0,
        "no_speech_prob": 0.0,
    }


def _word_json(word: HeardWord) -> dict[str, Any]:
    return {"word": word.word, "start": round(word.start, 3), "end": round(word.end, 3)}


def _clock(seconds: float, point: str) -> str:
    milliseconds = round(seconds * 1000)
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}{point}{rest % 1000:03}"
