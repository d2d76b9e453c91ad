"""What all calls of a process share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from runtime.clock import Clock
from runtime.transport.pacer import Pacer
from sessions.agent import AgentProfile
from sessions.brains.brain import Brain
from sessions.hearing import Hearing
from sessions.recognizer import Recognizer
from tts.engine import SpeechEngine
from tts.phrases import PhraseBook


@dataclass(frozen=True, slots=True)
class Equipment:
    """Built once at the roof; a session borrows it."""

    clock: Clock
    hearing: Hearing
    recognizer: Recognizer | None
    """None: callers' words are not recognised."""
    brains: Callable[[AgentProfile], Brain]
    """Makes the brain of one call."""
    engine: SpeechEngine
    phrases: PhraseBook
    """What is said in every call, kept as the wires carry it."""
    pacer: Pacer
