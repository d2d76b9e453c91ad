"""
Who has answered our call: a person says "Hello?" and waits, a machine goes on.

The bounds are those that carriers' own detection begins with: Twilio's ``MachineDetectionSpeechThreshold``,
``MachineDetectionSpeechEndThreshold`` and ``MachineDetectionSilenceTimeout``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from runtime.media.frame import LISTENING_RATE
from runtime.turn.events import VadWindow

Answerer: TypeAlias = Literal["person", "machine", "nobody"]
"""``nobody``: not a word was said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweringSettings:
    """Seconds of audio. Raises ValueError for one that is out of range."""

    greeting: float = 2.4
    """A first utterance as long as this is a machine's."""
    pause: float = 1.2
    """Silence that ends the first utterance; shorter ones are between words."""
    silence: float = 5.0
    """Without a word, nobody has spoken."""
    threshold: float = 0.5
    """Speech probability from which a window counts."""

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("greeting", self.greeting, 0.5, 20.0),
            ("pause", self.pause, 0.2, 5.0),
            ("silence", self.silence, 1.0, 30.0),
            ("threshold", self.threshold, 0.0, 1.0),
        ):
            if not low <= value <= high:
                raise ValueError(f"{name} must be between {low:g} and {high:g}, not {value:g}")


class AnsweringDetector:
    """
    Watches the windows of a call from when it was answered; decides once.

    Args:
        settings: See :class:`AnsweringSettings`.
    """

    def __init__(self, settings: AnsweringSettings | None = None) -> None:
        self.settings = settings or AnsweringSettings()
        self._began: int | None = None
        self._onset: int | None = None
        self._last_speech = 0
        self.answerer: Answerer | None = None

    def push(self, window: VadWindow) -> Answerer | None:
        """The verdict, at the window with which it falls; None before, and after."""
        if self.answerer is not None:
            self._note(window)
            return None
        self._began = window.start if self._began is None else self._began
        self._note(window)
        self.answerer = self._verdict(window.end)
        return self.answerer

    def quiet_for(self, position: int) -> float:
        """Seconds of silence up to a position."""
        return max(0.0, (position - self._last_speech) / LISTENING_RATE)

    def _note(self, window: VadWindow) -> None:
        if window.probability >= self.settings.threshold:
            self._onset = window.start if self._onset is None else self._onset
            self._last_speech = window.end

    def _verdict(self, now: int) -> Answerer | None:
        settings = self.settings
        assert self._began is not None
        if self._onset is None:
            return "nobody" if now - self._began >= settings.silence * LISTENING_RATE else None
        if self._last_speech - self._onset >= settings.greeting * LISTENING_RATE:
            return "machine"
        return "person" if self.quiet_for(now) >= settings.pause else None
