"""Who answers a call: the frozen snapshot of an agent that a session lives by to its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypeAlias

from runtime.turn.barge_in import BargeInSettings

NOTHING: Mapping[str, object] = MappingProxyType({})

SELF_OPENING = frozenset({"flow", "steady"})
"""Brains that speak first without being spoken to."""


Disclosure: TypeAlias = Literal["spoken", "event", "off"]

DISCLOSURE = "You are talking to an artificial voice."
"""Said first where an agent's ``disclosure`` is ``spoken``. See Regulation (EU) 2024/1689, article 50 (1)."""


def notice(disclosure: Disclosure, consent: str | None) -> str | None:
    """What a caller must be told before anything else: that nobody real speaks, that the call is recorded."""
    return " ".join(filter(None, (DISCLOSURE if disclosure == "spoken" else None, consent))) or None


@dataclass(frozen=True, slots=True)
class AgentProfile:
    """
    Everything a session needs to know of its agent, read once when the call opens.

    A change of the agent in the store reaches the next session, never a running one.
    """

    id: str
    tenant_id: str
    name: str
    voice_ref: str
    """Whose voice: a ``voice_…`` id, a stock id or a preset alias. Resolved when the session opens."""
    voice_fallback: str | None = None
    """A stock voice to use, with an event, where ``voice_ref`` cannot be had; None refuses the call."""
    instructions: str = ""
    """What the brain is told about its part."""
    greeting: str | None = None
    """Said as soon as the call is up; None waits for the caller."""
    disclosure: Disclosure = "event"
    """How callers learn that an artificial voice speaks: said first, told by the wire, or not at all."""
    notice: str | None = None
    """Said before anything else, by every kind of brain: what :func:`notice` says."""
    recorded: bool = False
    """Whether the call is recorded."""
    brain: str = "echo"
    """Name of the brain: ``echo``, ``flow``, ``openai`` or ``steady``."""
    brain_options: Mapping[str, object] = field(default_factory=lambda: NOTHING)
    """What that brain is built with: a flow's document, a chat model's name, a temperature."""
    tools: tuple[Mapping[str, object], ...] = ()
    """Functions the brain may call, in the shape of the OpenAI Realtime API."""
    language: str = "en"
    """BCP-47: what callers are expected to speak."""
    speed: float = 1.0
    """Pace of speech, 0.25 to 4; 1 is the voice's own."""
    fillers: tuple[str, ...] = ()
    """Short phrases said in turn when the brain keeps the caller waiting; none stays silent."""
    filler_after: float = 1.5
    """Seconds without a first word from the brain before a filler is said."""
    brain_timeout: float = 20.0
    """Seconds without a word from the brain before its answer counts as failed."""

    listens: bool = True
    """Whether anybody wants to know what the caller says; False spares detector and recogniser."""
    interruptible: bool = True
    """Whether a caller who speaks over the agent stops it, where the wire leaves that to us."""
    barge_in: BargeInSettings = BargeInSettings()
    """What counts as speaking over the agent, where that stops it."""
    idle_timeout: float | None = None
    """Seconds after a reply in which a caller on the telephone must speak, or is spoken to again."""
    voicemail: str | None = None
    """Left after the beep where a machine answers a call that we placed; None speaks to machines, too."""

    @property
    def opens(self) -> bool:
        """Whether the agent speaks first: it has something to say, or a brain that begins by itself."""
        return self.greeting is not None or self.notice is not None or self.brain in SELF_OPENING
