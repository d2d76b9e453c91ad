"""
Decide whether a sound over our speech means "stop": duck first, stop when sure, resume after a false alarm.

Three stages, all in audio time of the caller's stream, and only while we speak:

1. *Duck.* After ``duck_after`` of speech the playout is held: nothing is lost yet, and the caller hears at
   once that they were noticed.
2. *Stop.* Sure when the voice has gone on for ``stop_after``, or at once when it says a word that means it
   ("stop", "wait", "no").
3. *Resume.* When the sound ends before that, and stays away for ``resume_after``.

Keys and doors score low with the VAD, coughs and back-channels ("mm-hm", "yeah") are short: length tells
them from a caller who wants the floor. What words may add depends on the recogniser: one that makes words of
every hum can only be believed for a few, one that hears well may stop us with any word; see ``words``.
Spectral tilt was tried as a sign of closed-mouth hums, and does not tell them from the vowels of men.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from runtime.media.frame import LISTENING_RATE
from runtime.turn.events import BargedIn, BargeInEvent, Ducked, FalseAlarm, VadWindow

_MAX_BACK_CHANNEL_WORDS: Final = 4
_WORD: Final = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class BargeInSettings:
    """Every threshold of barge-in. Raises ValueError for a setting out of range."""

    threshold: float = 0.6
    """Speech probability from which a window counts; above the endpointer's, as our own echo may leak in."""
    min_level: float = -50.0
    """dBFS below which a window never counts: far voices, and what an echo canceller leaves over."""
    duck_after: float = 0.064
    """Seconds of speech after which our audio is held. Longer ignores more coughs, and holds later."""
    stop_after: float = 0.7
    """Seconds of speech after which we are sure without any words. Back-channels last up to 0.7 s."""
    resume_after: float = 0.25
    """Seconds of silence, before we were sure, after which it was a false alarm."""
    words: Literal["off", "commands", "any"] = "commands"
    """
    Which words stop us before length does: none; those that ask for the floor (right for the embedded
    recogniser, which makes words of hums and coughs); or all but back-channels (for a good one).
    """
    words_after: float = 0.16
    """Seconds of speech from which on words decide."""
    back_channel_limit: float = 1.2
    """Seconds of speech after which even words that are all back-channels stop us; not with ``off``."""

    @classmethod
    def for_sensitivity(cls, sensitivity: str | float) -> BargeInSettings:
        """
        The settings behind one knob.

        Args:
            sensitivity: ``low`` (a noisy place: only who goes on for a second stops us), ``normal``,
                ``high`` (a quiet line: half a second does), or the level in dBFS below which nothing counts.

        Raises:
            ValueError: Another word, or a level that is not between -96 and 0.
        """
        if isinstance(sensitivity, int | float):
            return cls(min_level=sensitivity)
        if sensitivity not in _SENSITIVITIES:
            raise ValueError(
                f"sensitivity should be low, normal, high or a level in dBFS, not {sensitivity!r}"
            )
        return cls(**_SENSITIVITIES[sensitivity])

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("threshold", self.threshold, 0.0, 1.0),
            ("min_level", self.min_level, -96.0, 0.0),
            ("duck_after", self.duck_after, 0.0, 2.0),
            ("stop_after", self.stop_after, self.duck_after, 5.0),
            ("resume_after", self.resume_after, 0.0, 5.0),
            ("words_after", self.words_after, 0.0, self.stop_after),
            ("back_channel_limit", self.back_channel_limit, self.stop_after, 10.0),
        ):
            if not low <= value <= high:
                raise ValueError(f"{name} must be between {low:g} and {high:g}, not {value:g}")


_SENSITIVITIES: Final[Mapping[str, Mapping[str, Any]]] = {
    "low": {"threshold": 0.75, "min_level": -40.0, "duck_after": 0.16, "stop_after": 1.0},
    "normal": {},
    "high": {"threshold": 0.5, "min_level": -60.0, "stop_after": 0.45},
}


class BargeInDetector:
    """
    Watches one caller's windows while we speak.

    Args:
        settings: See :class:`BargeInSettings`.
    """

    def __init__(self, settings: BargeInSettings | None = None) -> None:
        self.settings = settings or BargeInSettings()
        self._onset: int | None = None
        self._speech = 0
        self._last_speech = 0
        self._ducked = False
        self._decided = False
        self._words = ""
        self._commanded = False

    @property
    def ducked(self) -> bool:
        """Whether our audio is held and nothing is decided yet."""
        return self._ducked

    def push(self, window: VadWindow) -> BargeInEvent | None:
        """
        Judge the next window, of a time in which we are speaking or held.

        One sound is decided once: after :class:`BargedIn`, the next can only begin after ``resume_after``
        of silence, or a :meth:`reset`.
        """
        settings = self.settings
        if window.probability >= settings.threshold and window.level >= settings.min_level:
            if self._onset is None:
                self._onset = window.start
            self._speech += window.end - window.start
            self._last_speech = window.end
        if self._onset is None:
            return None
        if not self._decided and self._sure():
            self._decided, self._ducked = True, False
            return BargedIn(self._onset, window.end)
        if window.end - self._last_speech >= _samples(settings.resume_after):
            false_alarm = FalseAlarm(self._onset, window.end) if self._ducked else None
            self.reset()
            return false_alarm
        if not self._ducked and not self._decided and self._speech >= _samples(settings.duck_after):
            self._ducked = True
            return Ducked(self._onset)
        return None

    def transcribed(self, text: str) -> None:
        """
        Tell the words recognised since the onset; they count from the next window on.

        A command counts even when the recogniser thinks better of it: partial results say "stop" and then
        "stuff", and the one who said it meant it.
        """
        self._words = text
        self._commanded |= has_command(text)

    def reset(self) -> None:
        """We have stopped speaking by ourselves, or started anew: forget what was heard."""
        self._onset, self._speech, self._words = None, 0, ""
        self._ducked = self._decided = self._commanded = False

    def _sure(self) -> bool:
        settings = self.settings
        needed = settings.stop_after
        if settings.words != "off":
            if self._commanded:
                needed = settings.words_after
            elif is_back_channel(self._words):
                needed = settings.back_channel_limit
            elif settings.words == "any" and self._words.strip():
                needed = settings.words_after
        return self._speech >= _samples(needed)


def has_command(text: str) -> bool:
    """Whether a word in it asks for the floor (English): "stop", "wait", "no", "excuse me"."""
    return not _COMMANDS.isdisjoint(_WORD.findall(text.lower()))


def is_back_channel(text: str) -> bool:
    """Whether the words only say "I am listening" (English): at most four of them, each a known one."""
    words = _WORD.findall(text.lower())
    return 0 < len(words) <= _MAX_BACK_CHANNEL_WORDS and all(word in _BACK_CHANNELS for word in words)


def _samples(seconds: float) -> int:
    return round(seconds * LISTENING_RATE)


# What the embedded recogniser makes of "mm-hm" is spelled out, too: "m", "h".
_BACK_CHANNELS: Final = frozenset(
    """
    mm mhm mm-hm mmhm mmm m h hm hmm uh huh uh-huh uhhuh ah aha oh um er right yeah yep yup yes ok okay sure
    good great nice cool wow really see i understand exactly absolutely totally alright all true indeed gotcha
    got get it thing
    """.split()  # noqa: SIM905 - a list of words reads better as words
)

_COMMANDS: Final = frozenset(
    """
    stop wait no nope hold excuse sorry pardon hello hey listen actually cancel quiet enough
    """.split()  # noqa: SIM905
)
