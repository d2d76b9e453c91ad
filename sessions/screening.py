"""The first seconds of a call that we have placed: a person, or a machine that will beep?"""

from __future__ import annotations

import logging
from collections.abc import Callable

from runtime.media.beep import BeepDetector
from runtime.media.frame import LISTENING_RATE, Pcm
from runtime.media.resample import StreamResampler
from runtime.turn.answering import AnsweringDetector
from runtime.turn.events import VadWindow
from sessions.hearing import Hearing

log = logging.getLogger(__name__)

NO_BEEP = 3.0
"""Seconds of silence after a machine's greeting from which on it is taken to record without a beep."""

LONGEST_GREETING = 60.0
"""Seconds after which nothing more is waited for."""

REPLAYED = 6.0
"""Seconds of a person's first words that are given back, to be answered."""


class Screening:
    """
    Listen in the place of the listener until it is clear who has answered.

    Args:
        hearing: The VAD shared by all calls.
        rate: Hz of what is heard.
        on_person: Told once: somebody is there, and this is what they have said so far.
        on_recording: Told once: the machine records now; whether there was a beep.
    """

    def __init__(
        self,
        hearing: Hearing,
        rate: int,
        *,
        on_person: Callable[[list[Pcm]], None],
        on_recording: Callable[[bool], None],
        on_fault: Callable[[Exception], None],
    ) -> None:
        self._rate = rate
        self._ear = hearing.open(self._on_window, on_fault=on_fault)
        self._resampler = StreamResampler(rate, LISTENING_RATE, quality="QQ")
        self._beeps = BeepDetector(rate)
        self._detector = AnsweringDetector()
        self._on_person = on_person
        self._on_recording = on_recording
        self._heard: list[Pcm] = []
        self._samples = 0
        self.over = False

    def hear(self, pcm: Pcm) -> None:
        """The line's next audio, mono int16."""
        if self.over:
            return
        self._samples += len(pcm)
        if self._detector.answerer is None and self._samples < REPLAYED * self._rate:
            self._heard.append(pcm)
        if self._beeps.push(pcm):
            self._records(beeped=True)
            return
        self._ear.push(self._resampler.push(pcm))
        if self._samples > LONGEST_GREETING * self._rate:
            self._records(beeped=False)

    def close(self) -> None:
        """Listen no more. Harmless twice."""
        self.over = True
        self._ear.close()

    def _on_window(self, window: VadWindow) -> None:
        verdict = self._detector.push(window)
        if verdict in ("person", "nobody"):
            log.info("the call was answered by %s", verdict)
            self.close()
            self._on_person(self._heard)
        elif self._detector.answerer == "machine" and self._detector.quiet_for(window.end) >= NO_BEEP:
            self._records(beeped=False)

    def _records(self, *, beeped: bool) -> None:
        log.info("the call was answered by a machine, %s", "with a beep" if beeped else "without a beep")
        self.close()
        self._on_recording(beeped)
