"""The verdict: which measurements are held against which limits, and in what order they are told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from runtime.errors import EnrolmentError
from runtime.media.container import Recording
from tts.voices.gate.report import GateReport

Profile: TypeAlias = Literal["strict", "best_window"]


class Gate:
    """
    Judges recordings. Pure: the same bytes give the same report.

    Args:
        profile: ``strict`` holds one file to 6-15 s and full band; ``best_window`` takes several files of
            any length and chooses the best 6-15 s of one speaker in them.
    """

    def __init__(self, profile: Profile = "strict") -> None:
        self.profile = profile

    def judge(self, *recordings: Recording) -> GateReport:
        """Measure, compare, and answer with everything that is wrong at once."""
        raise NotImplementedError

    def refuse(self, error: EnrolmentError, *, sha256: str) -> GateReport:
        """The report on an upload that could not even be opened."""
        raise NotImplementedError


