"""
The OpenAI Realtime protocol, GA dialect, as a core that is told facts and asked what to send.

The table in :mod:`runtime.wire.realtime.rules` says which client event may come when. What each then does,
and what the call may report, is in a room of its own: the session's settings, the caller's audio, the items
of the conversation, and the responses.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Literal

from runtime.errors import InvalidRequest, RequestError
from runtime.wire.conversation import Conversation, new_id
from runtime.wire.fields import KEYS
from runtime.wire.realtime import messages, refusals
from runtime.wire.realtime.actions import Action, PressKey
from runtime.wire.realtime.config import JsonObject, SessionConfig
from runtime.wire.realtime.history import History
from runtime.wire.realtime.input_audio import InputAudio
from runtime.wire.realtime.outbox import Outbox
from runtime.wire.realtime.responses import MAX_RESPONSES, Responses
from runtime.wire.realtime.rules import Defer, Fact, Ignore, Refuse, verdict
from runtime.wire.realtime.session import SessionSettings

MAX_WAITING_CHARACTERS = 32 * 2**20
"""Of messages kept unread while a voice is looked up."""


class RealtimeProtocol:
    """
    One session's protocol state.

    Client messages go in by :meth:`receive`; facts are reported to the rooms. After either, send what
    :meth:`events` drains and obey what :meth:`actions` drains, in order.

    Args:
        config: What the session starts from; the agent's own settings.
        conversation: The call's history, shared with the rest of the call. Items are added by this object.
        session_id: Defaults to a fresh ``sess_…``.
        expires_at: Unix seconds at which the session will be closed; told to the client.
        playback: Who plays the agent's audio; see :class:`Responses`.
        agent_voice: The voice the agent was given. The built-in names (``alloy`` …) do not replace it, since
            SDKs send one whether or not their user chose it; an id such as ``voice_…`` does.
        keep_audio_bytes: Newest audio kept for ``conversation.item.retrieve``; 0 keeps none.
    """

    def __init__(
        self,
        config: SessionConfig,
        *,
        conversation: Conversation | None = None,
        session_id: str | None = None,
        expires_at: int | None = None,
        playback: Literal["client", "server"] = "client",
        agent_voice: str | None = None,
        keep_audio_bytes: int = 1 << 20,
    ) -> None:
        self.conversation = Conversation() if conversation is None else conversation
        self._outbox = Outbox()
        self.session = SessionSettings(
            config,
            self._outbox,
            session_id=session_id or new_id("sess"),
            expires_at=expires_at,
            agent_voice=agent_voice,
        )
        self.items = History(
            self.conversation,
            self.session,
            self._outbox,
            keep_bytes=keep_audio_bytes // 2,
            on_deleted=lambda item: self.responses.forget(item),
        )
        self.input = InputAudio(self.session, self.items, self._outbox, keep_bytes=keep_audio_bytes // 4)
        self.responses = Responses(self.session, self.items, self._outbox, playback=playback)
        self._waiting: deque[str | bytes] = deque()
        self._waiting_characters = 0
        self._on: Mapping[str, Callable[[dict[str, Any]], None]] = {
            "session.update": self.session.on_update,
            "input_audio_buffer.append": self.input.on_append,
            "input_audio_buffer.commit": self.input.on_commit,
            "input_audio_buffer.clear": self.input.on_clear,
            "conversation.item.create": self.items.on_create,
            "conversation.item.retrieve": self.items.on_retrieve,
            "conversation.item.truncate": self.items.on_truncate,
            "conversation.item.delete": self.items.on_delete,
            "response.create": self.responses.on_create,
            "response.cancel": self.responses.on_cancel,
            "output_audio_buffer.clear": self.responses.on_playback_clear,
            "vivavoce.dtmf": self._on_dtmf,
        }

    @property
    def config(self) -> SessionConfig:
        """What the session is set to now."""
        return self.session.config

    def open(self) -> None:
        """Greet: ``session.created``. Call it once, when the peer can hear us."""
        self.session.created()

    def receive(self, message: str | bytes) -> None:
        """Take one client message. Never raises: what is wrong with it is told to the client."""
        if not self.session.pending:
            self._take(message)
        elif self._waiting_characters + len(message) <= MAX_WAITING_CHARACTERS:
            self._waiting_characters += len(message)
            self._waiting.append(message)
        else:
            self.fail("Too much was sent while the session's voice was looked up; a message was dropped.")

    def voice_resolved(self) -> None:
        """The voice of :class:`ResolveVoice` exists and may be spoken with."""
        self.session.voice_resolved()
        self._read_on()

    def voice_refused(self, message: str, *, code: str = "voice_not_found") -> None:
        """It may not: the whole update is refused with an error and nothing changes."""
        self.session.voice_refused(message, code=code)
        self._read_on()

    def fail(self, message: str, *, code: str = "server_error") -> None:
        """Tell the client of a fault of ours that belongs to no response. The session stays open."""
        self._outbox.fail(message, code)

    def events(self) -> list[JsonObject]:
        """Drain what to send, in order. Each is one JSON object; :func:`encode` writes it."""
        return self._outbox.events()

    def actions(self) -> list[Action]:
        """Drain what the client asks of the call, in order."""
        return self._outbox.actions()

    def _take(self, message: str | bytes) -> None:
        event: dict[str, Any] = {}
        try:
            event = messages.parse(message)
            event_type = messages.check(event)
            match verdict(event_type, self._facts(event)):
                case Refuse(code, text):
                    raise InvalidRequest(text, code=code)
                case Ignore():
                    return
                case Defer():
                    self.responses.defer(event)
                    return
            self._on[event_type](event)
        except RequestError as refusal:
            self._outbox.refuse(refusal, messages.event_id(event))

    def _facts(self, event: Mapping[str, Any]) -> AbstractSet[Fact]:
        asked = event.get("response") if event["type"] == "response.create" else None
        aside = isinstance(asked, dict) and asked.get("conversation") == "none"
        named = event.get("response_id") if event["type"] == "response.cancel" else None
        active = self.responses.active
        so = {
            Fact.TRANSCRIBING: self.config.type == "transcription",
            Fact.DETECTING_TURNS: self.config.turn_detection is not None,
            Fact.BUFFER_EMPTY: self.input.uncommitted <= 0,
            Fact.ANSWERING: active is not None,
            Fact.CALLED: self.responses.called and not self.responses.deferring,
            Fact.FOR_CONVERSATION: not aside,
            Fact.CROWDED: len(self.responses) >= MAX_RESPONSES,
            Fact.NOTHING_TO_CANCEL: (named or (active and active.id)) not in self.responses,
            Fact.SILENT: not self.responses.playing,
        }
        return {fact for fact, holds in so.items() if holds}

    def _on_dtmf(self, event: dict[str, Any]) -> None:
        digit = event["digit"]
        if digit not in KEYS:
            raise refusals.invalid_value("digit", digit, sorted(KEYS))
        self._outbox.ask(PressKey(digit))

    def _read_on(self) -> None:
        while self._waiting and not self.session.pending:
            message = self._waiting.popleft()
            self._waiting_characters -= len(message)
            self._take(message)
