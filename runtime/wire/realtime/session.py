"""``session.*``: what a session is set to, and the one change that must wait for an answer from outside."""

from __future__ import annotations

from typing import Any

from runtime.errors import InvalidRequest
from runtime.wire.realtime import messages, refusals
from runtime.wire.realtime.actions import ResolveVoice, SessionChanged
from runtime.wire.realtime.config import BUILT_IN_VOICES, SessionConfig, Transcription
from runtime.wire.realtime.outbox import Outbox
from runtime.wire.realtime.update import updated


class SessionSettings:
    """
    The configuration of one session.

    Args:
        session_id: Told to the client.
        expires_at: Unix seconds; told to the client.
        agent_voice: The voice the agent was given; built-in names do not replace it.
    """

    def __init__(
        self,
        config: SessionConfig,
        outbox: Outbox,
        *,
        session_id: str,
        expires_at: int | None,
        agent_voice: str | None,
    ) -> None:
        self.config = _complete(config)
        """What it is set to now."""
        self.id = session_id
        self.agent_voice = agent_voice
        self.voice_used = False
        """Whether the agent has spoken; its voice is frozen then."""
        self._expires_at = expires_at
        self._outbox = outbox
        self._pending: SessionConfig | None = None
        self._pending_event_id: str | None = None

    @property
    def pending(self) -> bool:
        """Whether a change waits until its voice is known to exist; nothing is read meanwhile."""
        return self._pending is not None

    def created(self) -> None:
        """``session.created``."""
        self._show("session.created")

    def voice_resolved(self) -> None:
        """The voice of :class:`ResolveVoice` exists and may be spoken with."""
        if self._pending is not None:
            config, self._pending = self._pending, None
            self._apply(config)

    def voice_refused(self, message: str, *, code: str = "voice_not_found") -> None:
        """It may not: the whole update is refused with an error and nothing changes."""
        if self._pending is not None:
            self._pending = None
            refusal = InvalidRequest(message, code=code, param="session.audio.output.voice")
            self._outbox.refuse(refusal, self._pending_event_id)

    def on_update(self, event: dict[str, Any]) -> None:
        config = _complete(updated(self.config, event["session"]))
        if self.agent_voice and config.voice in BUILT_IN_VOICES:
            config = config.model_copy(update={"voice": self.config.voice})
        if config.voice == self.config.voice or config.type == "transcription":
            self._apply(config)
        elif self.voice_used:
            raise InvalidRequest(
                "Cannot update a conversation's voice if assistant audio is present.",
                code=refusals.VOICE_FROZEN,
                param="session.audio.output.voice",
            )
        else:
            self._pending, self._pending_event_id = config, messages.event_id(event)
            self._outbox.ask(ResolveVoice(config.voice))

    def _apply(self, config: SessionConfig) -> None:
        previous, self.config = self.config, config
        self._show("session.updated")
        self._outbox.ask(SessionChanged(config, previous))

    def _show(self, event_type: str) -> None:
        self._outbox.emit(
            event_type, session=self.config.to_json(session_id=self.id, expires_at=self._expires_at)
        )


def _complete(config: SessionConfig) -> SessionConfig:
    """A transcription session always transcribes."""
    if config.type == "transcription" and config.transcription is None:
        return config.model_copy(update={"transcription": Transcription()})
    return config
