"""Enrolment as it runs in its own process: open the upload, judge it, make the voice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tts.engine import Conditioning
from tts.voices.gate import GateReport
from tts.voices.gate.gate import Profile
from tts.voices.gate.report import Window


@dataclass(frozen=True, slots=True)
class Upload:
    """One file as it arrived."""

    data: bytes
    declared_mime: str | None = None
    """What the sender said it was; reported, never believed."""


class EnrolmentService:
    """
    The blocking half of enrolment. A worker process holds one; the server calls it by name.

    Judging and cloning are two calls, so that a voice can be seen to go from ``analysing`` to ``enrolling``.

    Args:
        synthesizer: A name in :data:`tts.engines.SYNTHESIZERS`.
    """

    def __init__(self, synthesizer: str) -> None: ...

    def judge(self, uploads: Sequence[Upload], profile: Profile = "strict") -> GateReport:
        """The gate's report. Never raises for what was uploaded: an unreadable file is a rejected one."""
        raise NotImplementedError

    def check(self, uploads: Sequence[Upload], profile: Profile = "strict") -> GateReport:
        """The same report, when nothing is to be stored: the dry run."""
        return self.judge(uploads, profile)

    def picture(self, uploads: Sequence[Upload], report: GateReport) -> bytes:
        """The report as a PNG: spectrogram, cut-off, silences, a second voice, the verdict in words."""
        raise NotImplementedError

    def clone(self, uploads: Sequence[Upload], window: Window, voice_id: str) -> Conditioning:
        """
        Make the voice of the accepted window (``report.window``).

        Raises:
            EnrolmentError: The engine can make nothing of the recording.
        """
        raise NotImplementedError
