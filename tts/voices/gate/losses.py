"""Pieces missing from inside the speech: lost packets, glitches, a gate that bites."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tts.voices.gate.sound import HOP_SECONDS, Sound
from tts.voices.voice import Span

_STEP_SECONDS = 0.001
_DROP_DB = 30.0
"""A voice falls by no more than about 15 dB in 2 ms even where a stop closes; a cut falls at once."""
_SHORTEST, _LONGEST = 8, 250
"""Milliseconds: a lost packet is 10 to 60, a lost burst up to a quarter of a second. Between two pulses of a
low voice in a silent room there are 4 to 6 ms of nothing."""


@dataclass(frozen=True, slots=True)
class Losses:
    count: int
    seconds: float
    spans: tuple[Span, ...]


def measure_losses(sound: Sound) -> Losses:
    """Holes within speech whose level falls and returns by 30 dB within 2 ms."""
    step = max(1, round(_STEP_SECONDS * sound.rate))
    samples = sound.samples[: len(sound.samples) // step * step].reshape(-1, step)
    peak = np.abs(samples).max(axis=1)
    level = 20 * np.log10(peak + 1e-5)
    speaking = np.repeat(sound.speaking, round(HOP_SECONDS / _STEP_SECONDS))[: len(level)]
    if not speaking.any():
        return Losses(0, 0.0, ())
    loud = float(np.percentile(level[: len(speaking)][speaking], 90))
    silent = level < loud - 45
    edges = np.flatnonzero(np.diff(np.concatenate([[False], silent, [False]]).astype(np.int8)))
    found = []
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        if not _SHORTEST <= end - start <= _LONGEST or end + 3 > len(speaking) or start < 3:
            continue
        before, after = level[start - 3 : start].max(), level[end : end + 3].max()
        inside = float(np.median(level[start + 1 : end - 1]))
        if (
            speaking[start:end].any()
            and min(before, after) - inside >= _DROP_DB
            and min(before, after) > loud - 35
        ):
            found.append((float(start * _STEP_SECONDS), float(end * _STEP_SECONDS)))
    return Losses(
        count=len(found),
        seconds=float(sum(end - start for start, end in found)),
        spans=tuple((round(start, 3), round(end, 3)) for start, end in found),
    )
