"""What a base voice hands over: everything about the sentence except whose voice it is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tts.engine import SpokenWord
from tts.engines.clone.phones import SILENCE, STATES

Floats: TypeAlias = NDArray[np.float32]

HOP = 0.005
"""Seconds between analysis frames, everywhere in this engine."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One phone in time."""

    phone: int
    start: float
    """Seconds."""
    end: float


@dataclass(frozen=True, slots=True)
class Labels:
    """Which sound each frame belongs to."""

    phone: NDArray[np.uint8]
    """Shape ``(frames,)``: index into :data:`~tts.engines.clone.phones.PHONES`."""
    state: NDArray[np.uint8]
    """Shape ``(frames,)``: 0, 1, 2 for the beginning, middle and end third of the phone."""

    @classmethod
    def of(cls, segments: tuple[Segment, ...], frames: int) -> Labels:
        """Spread segments over ``frames`` frames; what no segment covers is silence."""
        phone = np.full(frames, SILENCE, np.uint8)
        state = np.ones(frames, np.uint8)
        for segment in segments:
            begin = min(frames, max(0, round(segment.start / HOP)))
            end = min(frames, max(begin, round(segment.end / HOP)))
            phone[begin:end] = segment.phone
            state[begin:end] = np.arange(end - begin) * STATES // max(1, end - begin)
        return cls(phone, state)


@dataclass(frozen=True, slots=True)
class Score:
    """A sentence as a base voice would say it, on the 5 ms grid."""

    f0: Floats
    """Shape ``(frames,)``, Hz; 0 where unvoiced."""
    cepstra: Floats
    """Shape ``(frames, CEPSTRA)``: :mod:`~tts.engines.clone.spectrum`'s low band."""
    segments: tuple[Segment, ...]
    words: tuple[SpokenWord, ...]

    @property
    def labels(self) -> Labels:
        return Labels.of(self.segments, len(self.f0))

    def between(self, begin: int, end: int) -> Score:
        """The frames ``[begin, end)`` with phones and words timed from the first of them."""
        shift, last = begin * HOP, min(end, len(self.f0)) * HOP
        words = [word for word in self.words if word.end > shift and word.start < last]
        segments = [segment for segment in self.segments if segment.end > shift and segment.start < last]
        return Score(
            f0=self.f0[begin:end],
            cepstra=self.cepstra[begin:end],
            segments=tuple(Segment(s.phone, max(0.0, s.start - shift), s.end - shift) for s in segments),
            words=tuple(replace(w, start=max(0.0, w.start - shift), end=w.end - shift) for w in words),
        )


class BaseVoice(Protocol):
    """A speaker that needs no recording of its own: supplies words, timing, melody and articulation."""

    name: str
    """Such as ``flite:slt``."""
    gender: str
    """``female`` or ``male``."""

    statistical: bool
    """Whether its frames are means of many: then its loudness moves too smoothly."""

    def __hash__(self) -> int: ...

    def score(self, text: str, *, pace: float = 1.0) -> Score:
        """
        Say ``text``.

        Args:
            text: Words and punctuation; characters the voice cannot say are passed over.
            pace: Speaking rate relative to the voice's own.

        Raises:
            SynthesisFailed: The library refused the text.
        """
        ...
