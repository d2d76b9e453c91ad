"""When each thing of one turn happened, and the gaps between them: what the caller waited for."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum


class Mark(Enum):
    """
    The moments of one turn, in the order in which they normally come.

    All are monotonic seconds on the server's clock.
    """

    SPEECH_END = "speech_end"
    """The caller's last speech arrived (the endpointing hangover still follows it)."""
    ENDPOINT = "endpoint"
    """The turn was judged to be over, or the client committed it or asked for a response."""
    TRANSCRIPT = "transcript"
    """The recogniser's text was there."""
    BRAIN_DELTA = "brain_delta"
    """The brain's first words (or tool call)."""
    FIRST_PCM = "first_pcm"
    """The engine's first block."""
    FIRST_FRAME = "first_frame"
    """The first frame was handed to the playout."""
    LAST_FRAME = "last_frame"
    """The last frame left, or the rest was cleared."""


STAGES: Mapping[str, tuple[Mark, Mark]] = {
    "endpointing": (Mark.SPEECH_END, Mark.ENDPOINT),
    "recognition": (Mark.ENDPOINT, Mark.TRANSCRIPT),
    "brain": (Mark.TRANSCRIPT, Mark.BRAIN_DELTA),
    "synthesis": (Mark.BRAIN_DELTA, Mark.FIRST_PCM),
    "framing": (Mark.FIRST_PCM, Mark.FIRST_FRAME),
}
"""The parts of the response gap; with every mark present they add up to it."""


class Timeline:
    """The marks of one turn. The first time a mark is set counts; later ones are ignored."""

    __slots__ = ("_marks",)

    def __init__(self) -> None:
        self._marks: dict[Mark, float] = {}

    def mark(self, mark: Mark, now: float) -> None:
        """Note that ``mark`` happened at ``now``, monotonic seconds."""
        self._marks.setdefault(mark, now)

    def at(self, mark: Mark) -> float | None:
        """When it happened, or None if it has not."""
        return self._marks.get(mark)

    def gap(self, begin: Mark, end: Mark) -> float | None:
        """Seconds from ``begin`` to ``end``; None while either is missing."""
        first, last = self._marks.get(begin), self._marks.get(end)
        return None if first is None or last is None else last - first

    @property
    def response_gap(self) -> float | None:
        """Seconds from the caller's last speech (or their request) to the first frame: what they feel."""
        begin = Mark.SPEECH_END if Mark.SPEECH_END in self._marks else Mark.ENDPOINT
        return self.gap(begin, Mark.FIRST_FRAME)

    def stages(self) -> dict[str, float]:
        """Seconds spent in each stage that has both its marks."""
        gaps = {name: self.gap(begin, end) for name, (begin, end) in STAGES.items()}
        return {name: gap for name, gap in gaps.items() if gap is not None}
