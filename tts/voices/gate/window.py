"""Which part of a recording becomes the voice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tts.voices.gate.limits import WINDOW_SECONDS
from tts.voices.gate.sound import HOP_SECONDS, Sound
from tts.voices.voice import Span

_MARGIN = 0.25
"""Seconds of room kept before the first word and after the last."""

_STEP = 1.0
"""Seconds between two candidates."""

_APART = 3.0
"""Candidates that start closer than this say the same about the recording."""


def speech_window(sound: Sound) -> Span:
    """The whole recording less the silence at both ends."""
    if not sound.speech:
        return 0.0, sound.seconds
    return (
        max(0.0, sound.speech[0][0] - _MARGIN),
        min(sound.seconds, sound.speech[-1][1] + _MARGIN),
    )


def candidate_windows(sound: Sound, *, most: int = 4) -> Sequence[Span]:
    """
    Windows of at most 15 s worth judging, the most promising first.

    A recording that fits is its own only candidate. Of a longer one, those come first that hold the most
    speech and begin in a pause.
    """
    longest = WINDOW_SECONDS[1]
    start, end = speech_window(sound)
    if end - start <= longest:
        return [(start, end)]
    spoken = np.concatenate([[0.0], np.cumsum(sound.speaking) * HOP_SECONDS])
    begins = [
        max(0.0, pause_end - _MARGIN)
        for pause_end in (stretch[0] for stretch in sound.speech)
        if pause_end < end - longest
    ]
    begins += list(np.arange(start, end - longest, _STEP))
    frame = [round(begin / HOP_SECONDS) for begin in begins]
    width = round(longest / HOP_SECONDS)
    worth = [spoken[min(at + width, len(spoken) - 1)] - spoken[at] for at in frame]
    chosen: list[Span] = []
    for index in np.argsort(-np.array(worth), kind="stable"):
        begin = begins[index]
        if all(abs(begin - other) >= _APART for other, _ in chosen):
            chosen.append((begin, min(begin + longest, sound.seconds)))
        if len(chosen) == most:
            break
    return chosen
