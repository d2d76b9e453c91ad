"""What turn taking reports. Every position counts samples of the caller's stream at 16 kHz."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from runtime.media.frame import LISTENING_RATE

WINDOW_SAMPLES = 512
"""What one VAD decision covers: 32 ms at 16 kHz, the size Silero's 16 kHz model was trained on."""

WINDOW_SECONDS = WINDOW_SAMPLES / LISTENING_RATE

EndReason: TypeAlias = Literal["silence", "complete", "length"]
"""Why a turn was over: silence alone, silence after a finished sentence, or the bound on a turn's length."""


@dataclass(frozen=True, slots=True)
class VadWindow:
    """One window of a caller's stream, judged."""

    start: int
    """First sample."""
    probability: float
    """That somebody speaks in it, 0 to 1."""
    level: float
    """RMS in dBFS (a full-scale square wave is 0), not below -96."""

    @property
    def end(self) -> int:
        return self.start + WINDOW_SAMPLES


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The caller has begun a turn."""

    at: int
    """Where the turn's audio begins: the onset less the pre-roll."""
    onset: int
    """First sample of the first window that was speech."""


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """The caller has fallen silent; the turn may go on. A good moment to ask for the transcript so far."""

    at: int
    """End of the last window that was speech."""


@dataclass(frozen=True, slots=True)
class SpeechResumed:
    """The caller went on before the turn was over."""

    at: int
    """First sample of the window with which speech came back."""


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """It is our turn."""

    start: int
    """As in :class:`SpeechStarted`: pre-roll included."""
    end: int
    """Where the decision fell: hangover included."""
    speech_end: int
    """End of the last window that was speech; the response gap is counted from here."""
    reason: EndReason


@dataclass(frozen=True, slots=True)
class IdleTimedOut:
    """Nobody has spoken for the idle timeout."""

    start: int
    """Where the wait began."""
    end: int


@dataclass(frozen=True, slots=True)
class Ducked:
    """Something that may be speech covers ours: hold or lower our audio, but lose nothing yet."""

    at: int
    """Onset."""


@dataclass(frozen=True, slots=True)
class BargedIn:
    """The caller means to speak: drop what we were saying."""

    at: int
    """Onset, so that the stop can be timed from it."""
    decided_at: int
    """Where the caller's stream stood when we were sure."""


@dataclass(frozen=True, slots=True)
class FalseAlarm:
    """It was a back-channel, a cough or a noise: go on from the very sample at which we ducked."""

    at: int
    """Onset of what it was."""
    decided_at: int


TurnEvent: TypeAlias = SpeechStarted | SpeechStopped | SpeechResumed | TurnEnded | IdleTimedOut
BargeInEvent: TypeAlias = Ducked | BargedIn | FalseAlarm
