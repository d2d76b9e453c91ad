"""
Decide when the caller's turn begins and ends. Time is counted in audio, never read from a clock.

A turn opens when the VAD has called enough windows speech, and it reaches back over the pre-roll, so that
soft first consonants are not lost. It ends after a silence whose length depends on the policy:

- :class:`ServerVad` waits the same hangover always;
- :class:`SemanticVad` waits briefly after what sounds like a finished thought, longer after anything
  else, and up to a bound when the words so far announce more. It hears of the words through
  :meth:`Endpointer.transcribed`; without any it waits the middle time.

Names, defaults and bounds follow ``turn_detection`` of the OpenAI Realtime API.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from runtime.media.frame import LISTENING_RATE
from runtime.turn.completeness import Completeness, judge_completeness
from runtime.turn.events import (
    WINDOW_SAMPLES,
    IdleTimedOut,
    SpeechResumed,
    SpeechStarted,
    SpeechStopped,
    TurnEnded,
    TurnEvent,
)

Eagerness: TypeAlias = Literal["low", "medium", "high", "auto"]

HYSTERESIS = 0.15
"""A turn stays speech down to the threshold less this: Silero's own ``neg_threshold``."""

LONGEST_WAIT: Mapping[Eagerness, float] = {"low": 8.0, "medium": 4.0, "high": 2.0, "auto": 4.0}
"""Seconds of silence after which semantic VAD ends any turn. Source: OpenAI's reference of ``eagerness``."""

_WAITS: Mapping[Eagerness, Mapping[Completeness, float]] = {
    # Seconds. "finished" sets how quick answers feel; "unclear" is the price when the words say nothing.
    "low": {"finished": 0.8, "unclear": 1.6, "unfinished": 8.0},
    "medium": {"finished": 0.35, "unclear": 0.8, "unfinished": 4.0},
    "high": {"finished": 0.2, "unclear": 0.5, "unfinished": 2.0},
    "auto": {"finished": 0.35, "unclear": 0.8, "unfinished": 4.0},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerVad:
    """End a turn after a fixed silence. Raises ValueError for a setting out of range."""

    threshold: float = 0.5
    """Speech probability from which a window counts as speech, 0 to 1. Raise it for noisy lines."""
    prefix_padding: float = 0.3
    """Pre-roll: seconds of audio before the onset that belong to the turn."""
    silence_duration: float = 0.5
    """Hangover: seconds of silence that end the turn."""
    idle_timeout: float | None = None
    """Seconds after our reply was played in which the caller must speak; None waits for ever."""
    min_speech: float = 0.064
    """Seconds of speech in a row that open a turn; shorter blips are ignored."""
    max_turn: float = 60.0
    """Seconds after which a turn ends even if the voice goes on: bounds memory, and the reply to a radio."""

    def __post_init__(self) -> None:
        _check("threshold", self.threshold, 0.0, 1.0)
        _check("prefix_padding", self.prefix_padding, 0.0, 10.0)
        _check("silence_duration", self.silence_duration, 0.0, 10.0)
        if self.idle_timeout is not None:
            _check("idle_timeout", self.idle_timeout, 0.5, 600.0)
        _check("min_speech", self.min_speech, 0.0, 2.0)
        _check("max_turn", self.max_turn, 1.0, 600.0)

    def wait(self, transcript: str) -> tuple[float, Completeness]:
        """Seconds of silence that end the turn, and what the words were taken for."""
        return self.silence_duration, "unclear"


@dataclass(frozen=True, slots=True, kw_only=True)
class SemanticVad:
    """End a turn after a silence that depends on the words. Raises ValueError for a setting out of range."""

    eagerness: Eagerness = "auto"
    """How soon to answer; ``auto`` is ``medium``."""
    threshold: float = 0.5
    prefix_padding: float = 0.3
    idle_timeout: None = None
    """The Realtime API has an idle timeout for server VAD only."""
    min_speech: float = 0.064
    max_turn: float = 60.0

    def __post_init__(self) -> None:
        if self.eagerness not in _WAITS:
            raise ValueError(f"eagerness must be low, medium, high or auto, not {self.eagerness!r}")
        _check("threshold", self.threshold, 0.0, 1.0)
        _check("prefix_padding", self.prefix_padding, 0.0, 10.0)
        _check("min_speech", self.min_speech, 0.0, 2.0)
        _check("max_turn", self.max_turn, 1.0, 600.0)

    def wait(self, transcript: str) -> tuple[float, Completeness]:
        """Seconds of silence that end the turn, and what the words were taken for."""
        completeness = judge_completeness(transcript)
        return _WAITS[self.eagerness][completeness], completeness


TurnDetection: TypeAlias = ServerVad | SemanticVad


class Endpointer:
    """
    Turns VAD windows into turns.

    Args:
        settings: The policy; change it in mid-call with :meth:`configure`.

    Feed every window, in order, in speech and in silence. It never looks back: what it says is final.
    """

    PAUSE = 0.096
    """Seconds of silence from which on the voice counts as stopped (not the turn)."""

    def __init__(self, settings: TurnDetection | None = None) -> None:
        self._settings: TurnDetection = settings or ServerVad()
        self._position = 0
        self._not_before = 0
        self._onset: int | None = None
        self._transcript = ""
        self._turn_start: int | None = None
        self._speech_end = 0
        self._paused = False
        self._idle_from: int | None = None

    @property
    def settings(self) -> TurnDetection:
        return self._settings

    @property
    def position(self) -> int:
        """Samples judged so far."""
        return self._position

    @property
    def turn_start(self) -> int | None:
        """Where the open turn began, pre-roll included; None between turns."""
        return self._turn_start

    @property
    def speaking(self) -> bool:
        """Whether a turn is open and the voice has not stopped."""
        return self._turn_start is not None and not self._paused

    def push(self, probability: float, samples: int = WINDOW_SAMPLES) -> list[TurnEvent]:
        """
        Judge the next window.

        Args:
            probability: That it is speech, 0 to 1.
            samples: Its length.

        Returns:
            What happened, oldest first; mostly nothing.
        """
        start = self._position
        self._position = end = start + samples
        if self._turn_start is None:
            return self._between_turns(probability, start, end)
        return self._within_turn(probability, start, end)

    def transcribed(self, text: str) -> None:
        """Tell the words so far of the open turn; they count from the next window on."""
        self._transcript = text

    def wait_for_caller(self) -> None:
        """Our reply has been played: the idle timeout runs from here until speech or :meth:`stop_waiting`."""
        self._idle_from = self._position

    def stop_waiting(self) -> None:
        """We speak, or will: no idle timeout."""
        self._idle_from = None

    def configure(self, settings: TurnDetection) -> None:
        """Change the policy. An open turn stays open and is judged by the new one."""
        self._settings = settings

    def reset(self) -> None:
        """Forget the open turn (its audio was cleared or committed by hand); positions go on."""
        self._turn_start = None
        self._onset = None
        self._transcript = ""
        self._paused = False
        self._not_before = self._position

    def _between_turns(self, probability: float, start: int, end: int) -> list[TurnEvent]:
        settings = self._settings
        if probability < settings.threshold:
            self._onset = None
            return self._idle(end)
        if self._onset is None:
            self._onset = start
        if end - self._onset < _samples(settings.min_speech):
            return []
        onset = self._onset
        # Pre-roll never takes back audio that an earlier turn has used.
        turn_start = max(onset - _samples(settings.prefix_padding), self._not_before)
        self._turn_start, self._speech_end, self._paused = turn_start, end, False
        self._transcript, self._onset, self._idle_from = "", None, None
        return [SpeechStarted(turn_start, onset)]

    def _within_turn(self, probability: float, start: int, end: int) -> list[TurnEvent]:
        events: list[TurnEvent] = []
        # To go on after a pause takes as much as to begin; only unbroken speech has hysteresis.
        needed = self._settings.threshold - (0.0 if self._paused else HYSTERESIS)
        if probability >= needed:
            if self._paused:
                events.append(SpeechResumed(start))
            self._speech_end, self._paused = end, False
        elif not self._paused and end - self._speech_end >= _samples(self.PAUSE):
            self._paused = True
            events.append(SpeechStopped(self._speech_end))
        wait, completeness = self._settings.wait(self._transcript)
        silence = end - self._speech_end
        if silence > 0 and silence >= _samples(wait):
            if not self._paused:
                events.append(SpeechStopped(self._speech_end))
            events.append(self._end_turn(end, "complete" if completeness == "finished" else "silence"))
        elif self._turn_start is not None and end - self._turn_start >= _samples(self._settings.max_turn):
            events.append(self._end_turn(end, "length"))
        return events

    def _end_turn(self, end: int, reason: Literal["silence", "complete", "length"]) -> TurnEnded:
        assert self._turn_start is not None
        ended = TurnEnded(self._turn_start, end, self._speech_end, reason)
        self.reset()
        return ended

    def _idle(self, end: int) -> list[TurnEvent]:
        timeout = self._settings.idle_timeout
        if timeout is None or self._idle_from is None or end - self._idle_from < _samples(timeout):
            return []
        event = IdleTimedOut(self._idle_from, end)
        self._idle_from = None
        self._not_before = end
        return [event]


def _samples(seconds: float) -> int:
    return round(seconds * LISTENING_RATE)


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name} must be between {low:g} and {high:g}, not {value:g}")
