"""The OpenAI Realtime protocol, GA dialect, as a core that is told facts and asked what to send."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any, Literal

from runtime.errors import Conflict, InvalidRequest, NotFound, RequestError
from runtime.wire.conversation import (
    Conversation,
    FunctionCallOutput,
    Item,
    Message,
    TextPart,
    WordTime,
    new_id,
    spoken_part,
)
from runtime.wire.fields import KEYS
from runtime.wire.realtime import messages, refusals
from runtime.wire.realtime.actions import (
    Action,
    AppendAudio,
    CancelResponse,
    ClearAudio,
    ClearPlayback,
    CommitAudio,
    CreateResponse,
    ItemCreated,
    ItemDeleted,
    ItemTruncated,
    PressKey,
    ResolveVoice,
    Response,
    SessionChanged,
)
from runtime.wire.realtime.answer import Answer, FinalStatus, Reason
from runtime.wire.realtime.caller import CallerTurn, TakenTurn
from runtime.wire.realtime.config import BUILT_IN_VOICES, JsonObject, SessionConfig, Transcription
from runtime.wire.realtime.items import decode_audio, item_json, read_item
from runtime.wire.realtime.request import read_response
from runtime.wire.realtime.rules import Fact, Ignore, Refuse, verdict
from runtime.wire.realtime.sound import ItemSound
from runtime.wire.realtime.truncation import heard_ms
from runtime.wire.realtime.update import updated
from runtime.wire.realtime.usage import Tokens, items_tokens, text_tokens

MAX_APPEND_BYTES = 15 * 2**20
"""Of audio in one message, as OpenAI documents it."""

MAX_RESPONSES = 16
"""Made at once in one session, all but one of them out of band."""

MAX_WAITING_CHARACTERS = 32 * 2**20
"""Of messages kept unread while a voice is looked up."""


class RealtimeProtocol:
    """
    One session's protocol state: its configuration, conversation, responses, and every event's order.

    Client messages go in by :meth:`receive`; the other methods are facts the call reports. After either,
    send what :meth:`events` drains and obey what :meth:`actions` drains, in order. Facts about a response
    that is over (a client cancelled it a moment ago) are ignored, so races need no care.

    Args:
        config: What the session starts from; the agent's own settings.
        conversation: The call's history, shared with the rest of the call. Items are added by this object.
        session_id: Defaults to a fresh ``sess_…``.
        expires_at: Unix seconds at which the session will be closed; told to the client.
        playback: Who plays the agent's audio: ``client`` on a WebSocket (audio goes out as events),
            ``server`` on WebRTC (it goes out as media; ``output_audio_buffer.*`` events report it).
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
        self.config = _complete(config)
        """What the session is set to now."""
        self.conversation = Conversation() if conversation is None else conversation
        self.session_id = session_id or new_id("sess")
        self._expires_at = expires_at
        self._playback = playback
        self._agent_voice = agent_voice

        self._events: list[JsonObject] = []
        self._actions: list[Action] = []
        self._event_prefix = new_id("event")
        self._event_count = 0

        self._answers: dict[str, Answer] = {}
        self._active_id: str | None = None
        self._newest_spoken: tuple[str, str] | None = None
        """The response and the item of the agent's newest speech."""
        self._uncut: Message | None = None
        """The agent's message that we cut by our own estimate, whole: the client may know better."""
        self._playing_id: str | None = None
        self._voice_used = False

        self._turn = CallerTurn(keep_bytes=keep_audio_bytes // 4)
        self._item_sound = ItemSound(keep_audio_bytes // 2)

        self._pending: SessionConfig | None = None
        self._pending_event_id: str | None = None
        self._waiting: deque[str | bytes] = deque()
        self._waiting_characters = 0

        self._on: Mapping[str, Callable[[dict[str, Any]], None]] = {
            "session.update": self._on_session_update,
            "input_audio_buffer.append": self._on_append,
            "input_audio_buffer.commit": self._on_commit,
            "input_audio_buffer.clear": self._on_clear,
            "conversation.item.create": self._on_item_create,
            "conversation.item.retrieve": self._on_item_retrieve,
            "conversation.item.truncate": self._on_item_truncate,
            "conversation.item.delete": self._on_item_delete,
            "response.create": self._on_response_create,
            "response.cancel": self._on_response_cancel,
            "output_audio_buffer.clear": self._on_playback_clear,
            "vivavoce.dtmf": self._on_dtmf,
        }

    # The wire

    def open(self) -> None:
        """Greet: ``session.created``. Call it once, when the peer can hear us."""
        self._emit("session.created", session=self._session_json())

    def receive(self, message: str | bytes) -> None:
        """Take one client message. Never raises: what is wrong with it is told to the client."""
        if self._pending is None:
            self._take(message)
        elif self._waiting_characters + len(message) <= MAX_WAITING_CHARACTERS:
            self._waiting_characters += len(message)
            self._waiting.append(message)
        else:
            self.fail("Too much was sent while the session's voice was looked up; a message was dropped.")

    def events(self) -> list[JsonObject]:
        """Drain what to send, in order. Each is one JSON object; :func:`encode` writes it."""
        events, self._events = self._events, []
        return events

    def actions(self) -> list[Action]:
        """Drain what the client asks of the call, in order."""
        actions, self._actions = self._actions, []
        return actions

    # What the call may read

    @property
    def active_response(self) -> Response | None:
        """The response now being made in the conversation."""
        return self._answers[self._active_id].response if self._active_id else None

    @property
    def input_ms(self) -> int:
        """Milliseconds of caller audio appended since the session began (WebSocket)."""
        return round(self._turn.seconds * 1000)

    def history(self, response: Response) -> Sequence[Item]:
        """What the brain is shown for ``response``."""
        return self.conversation.items if response.history is None else response.history

    # Facts about the caller

    def audio_received(self, seconds: float) -> None:
        """The caller's audio came as media (WebRTC) and not as ``append``: so much more may be committed."""
        self._turn.pass_over(seconds)

    def speech_started(self, audio_start_ms: int) -> str:
        """
        The caller began to speak, ``audio_start_ms`` (with prefix padding) after the session's first audio.

        Returns the id the turn's item will have. If this interrupts, report
        ``response_finished(…, "cancelled", reason="turn_detected")`` right after.
        """
        item_id = self._turn.start(audio_start_ms / 1000)
        self._emit(
            "input_audio_buffer.speech_started", item_id=item_id, audio_start_ms=max(0, audio_start_ms)
        )
        return item_id

    def speech_stopped(self, audio_end_ms: int) -> None:
        """The caller fell silent. Without a commit, speech that starts again goes on with the same turn."""
        if self._turn.id is not None:
            self._turn.stop(audio_end_ms / 1000)
            self._emit(
                "input_audio_buffer.speech_stopped", item_id=self._turn.id, audio_end_ms=max(0, audio_end_ms)
            )

    def audio_committed(self) -> str:
        """The detector ended the caller's turn: ``committed`` and the user item. Returns the item's id."""
        return self._commit(self._turn.take())

    def timeout_triggered(self, audio_start_ms: int, audio_end_ms: int) -> str:
        """Nobody spoke for ``idle_timeout_ms``. Commits the silence; begin a response next."""
        item_id = self._turn.start(audio_start_ms / 1000)
        self._turn.stop(audio_end_ms / 1000)
        self._emit(
            "input_audio_buffer.timeout_triggered",
            item_id=item_id,
            audio_start_ms=audio_start_ms,
            audio_end_ms=audio_end_ms,
        )
        return self._commit(self._turn.take())

    def transcription_delta(self, item_id: str, delta: str) -> None:
        """More words of a turn were recognised. Reported only if the client asked for transcription."""
        if self.config.transcription and delta:
            self._emit(
                "conversation.item.input_audio_transcription.delta",
                item_id=item_id,
                content_index=0,
                delta=delta,
            )

    def transcription_completed(self, item_id: str, transcript: str, *, seconds: float) -> None:
        """The turn was recognised. The history has it in any case; the client if it asked for it."""
        self.conversation.hear(item_id, transcript)
        if self.config.transcription:
            self._emit(
                "conversation.item.input_audio_transcription.completed",
                item_id=item_id,
                content_index=0,
                transcript=transcript,
                usage={"type": "duration", "seconds": round(seconds, 3)},
            )

    def transcription_failed(self, item_id: str, message: str, *, code: str = "transcription_failed") -> None:
        """The recogniser gave up on the turn."""
        if self.config.transcription:
            error = {"type": "server_error", "code": code, "message": message, "param": None}
            self._emit(
                "conversation.item.input_audio_transcription.failed",
                item_id=item_id,
                content_index=0,
                error=error,
            )

    def user_said(self, text: str) -> str:
        """Add a typed user message of our own (a DTMF entry, a resumed call). Returns its id."""
        item = Message(new_id("item"), "user", (TextPart(text),))
        self._add_item(item, self.conversation.append(item))
        return item.id

    # Facts about the agent

    def begin_response(self, *, instructions: str | None = None) -> Response:
        """
        The call answers of its own accord (the turn ended, a greeting, an idle prompt): ``response.created``.

        No action is made for it. Raises RuntimeError while :attr:`active_response` is not None.
        """
        if self._active_id is not None:
            raise RuntimeError(f"{self._active_id} is still being made in this conversation")
        request = {} if instructions is None else {"instructions": instructions}
        response = read_response(request, self.config, self.conversation, agent_voice=self._agent_voice)
        self._begin(response)
        return response

    def text_delta(self, response_id: str, text: str) -> str:
        """
        The agent's next words, as the brain makes them: its transcript, or its text in text mode.

        Returns the words that fit ``max_output_tokens``: speak those. The first call opens the message item.
        """
        answer = self._answers.get(response_id)
        return answer.text(text) if answer and text else ""

    def audio_delta(self, response_id: str, audio: bytes, *, words: Sequence[WordTime] = ()) -> None:
        """
        The agent's next audio in the response's output format, 40–200 ms at a time, ready to be sent.

        ``words`` are those that begin in it; times count from the message's first audio, spans index the
        text given to :meth:`text_delta` for this message.
        """
        answer = self._answers.get(response_id)
        if answer is None or not answer.audio(audio, words):
            return
        self._spoke(answer)
        if answer.spoken_id is not None:
            self._item_sound.append(answer.spoken_id, audio, answer.response.output_format)

    def media_delta(self, response_id: str, seconds: float, *, words: Sequence[WordTime] = ()) -> None:
        """``playback="server"``: so much more of the agent's audio has left as media."""
        answer = self._answers.get(response_id)
        if answer is None or not answer.media(seconds, words):
            return
        self._spoke(answer)
        if self._playing_id != response_id:
            self._playing_id = response_id
            self._emit("output_audio_buffer.started", response_id=response_id)

    def message_done(self, response_id: str) -> None:
        """
        All audio (or text) of the current message was given: its ``done`` chain.

        Optional before :meth:`response_finished`; needed where another message follows in the same response.
        """
        if answer := self._answers.get(response_id):
            answer.close_message()

    def function_call(
        self, response_id: str, name: str, arguments: str, *, call_id: str | None = None
    ) -> str:
        """
        The agent calls one of the client's functions; ``arguments`` is a JSON object as text.

        Returns the call id, empty if the response is over.
        """
        if not (answer := self._answers.get(response_id)):
            return ""
        call_id = call_id or new_id("call")
        answer.call(name, arguments, call_id)
        return call_id

    def function_output(self, call_id: str, output: str) -> None:
        """The call ran a function of its own (a server-side tool); puts its output into the history."""
        item = FunctionCallOutput(new_id("item"), call_id, output)
        self._add_item(item, self.conversation.append(item))

    def response_finished(
        self,
        response_id: str,
        status: FinalStatus = "completed",
        *,
        reason: Reason | None = None,
        error: tuple[str, str] | None = None,
    ) -> None:
        """
        The answer is over: closes what is open and sends ``response.done``.

        A message cut short becomes ``incomplete``. ``error`` is (code, message), for ``failed``.
        """
        if answer := self._answers.pop(response_id, None):
            if self._active_id == response_id:
                self._active_id = None
            answer.finish(status, reason, error)

    def playback_drained(self, response_id: str) -> None:
        """``playback="server"``: the last of its audio has left. Comes after :meth:`response_finished`."""
        if self._playing_id == response_id:
            self._playing_id = None
            self._emit("output_audio_buffer.stopped", response_id=response_id)

    def playback_cleared(self, response_id: str, *, heard: float) -> None:
        """
        The agent's audio was stopped after ``heard`` seconds of its message had been heard (barge-in).

        Cuts the history. With ``playback="server"`` the client is told (``output_audio_buffer.cleared``,
        ``conversation.item.truncated``); on a WebSocket it is our estimate until the client truncates.
        """
        if self._playing_id == response_id:
            self._playing_id = None
            self._emit("output_audio_buffer.cleared", response_id=response_id)
        if self._newest_spoken is None or self._newest_spoken[0] != response_id:
            return
        item_id = self._newest_spoken[1]
        if item_id not in self.conversation:
            return
        whole = self.conversation.get(item_id)
        if not isinstance(whole, Message) or not (part := spoken_part(whole)) or part.cut:
            return
        self.conversation.cut(item_id, heard)
        if self._playback == "client":
            self._uncut = whole
        else:
            self._emit_truncated(item_id, min(max(heard, 0.0), part.seconds))

    def voice_resolved(self) -> None:
        """The voice of :class:`ResolveVoice` exists and may be spoken with."""
        if self._pending is not None:
            config, self._pending = self._pending, None
            self._apply(config)
            self._resume()

    def voice_refused(self, message: str, *, code: str = "voice_not_found") -> None:
        """It may not: the whole update is refused with an error and nothing changes."""
        if self._pending is not None:
            self._pending = None
            refusal = InvalidRequest(message, code=code, param="session.audio.output.voice")
            self._refuse(refusal, self._pending_event_id)
            self._resume()

    def fail(self, message: str, *, code: str = "server_error") -> None:
        """Tell the client of a fault of ours that belongs to no response. The session stays open."""
        self._emit(
            "error",
            error={"type": "server_error", "code": code, "message": message, "param": None, "event_id": None},
        )

    # What clients say

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
            self._on[event_type](event)
        except RequestError as refusal:
            self._refuse(refusal, messages.event_id(event))

    def _facts(self, event: Mapping[str, Any]) -> AbstractSet[Fact]:
        asked = event.get("response") if event["type"] == "response.create" else None
        aside = isinstance(asked, dict) and asked.get("conversation") == "none"
        named = event.get("response_id") if event["type"] == "response.cancel" else None
        so = {
            Fact.TRANSCRIBING: self.config.type == "transcription",
            Fact.DETECTING_TURNS: self.config.turn_detection is not None,
            Fact.BUFFER_EMPTY: self._turn.uncommitted <= 0,
            Fact.ANSWERING: self._active_id is not None,
            Fact.FOR_CONVERSATION: not aside,
            Fact.CROWDED: len(self._answers) >= MAX_RESPONSES,
            Fact.NOTHING_TO_CANCEL: (named or self._active_id) not in self._answers,
            Fact.SILENT: self._playing_id is None,
        }
        return {fact for fact, holds in so.items() if holds}

    def _on_session_update(self, event: dict[str, Any]) -> None:
        config = _complete(updated(self.config, event["session"]))
        if self._agent_voice and config.voice in BUILT_IN_VOICES:
            config = config.model_copy(update={"voice": self.config.voice})
        if config.voice == self.config.voice or config.type == "transcription":
            self._apply(config)
        elif self._voice_used:
            raise InvalidRequest(
                "Cannot update a conversation's voice if assistant audio is present.",
                code=refusals.VOICE_FROZEN,
                param="session.audio.output.voice",
            )
        else:
            self._pending, self._pending_event_id = config, messages.event_id(event)
            self._actions.append(ResolveVoice(config.voice))

    def _on_append(self, event: dict[str, Any]) -> None:
        audio_format = self.config.input_format
        audio = decode_audio(event["audio"], "audio", audio_format)
        if len(audio) > MAX_APPEND_BYTES:
            raise InvalidRequest(
                f"'audio' holds {len(audio)} bytes; append at most {MAX_APPEND_BYTES} at a time.",
                code="invalid_value",
                param="audio",
            )
        if audio:
            self._turn.append(audio, audio_format)
            self._actions.append(AppendAudio(audio))

    def _on_commit(self, event: dict[str, Any]) -> None:
        seconds = self._turn.uncommitted
        item_id = self._commit(self._turn.take_uncommitted())
        self._actions.append(CommitAudio(item_id, seconds))

    def _on_clear(self, event: dict[str, Any]) -> None:
        self._turn.clear()
        self._emit("input_audio_buffer.cleared")
        self._actions.append(ClearAudio())

    def _on_item_create(self, event: dict[str, Any]) -> None:
        item, audio = read_item(event["item"], param="item", audio_format=self.config.input_format)
        if item.id in self.conversation:
            raise Conflict(
                f"Error adding item: the item with id '{item.id}' already exists in the conversation.",
                code=refusals.CREATE_DUPLICATE,
                param="item.id",
            )
        after = event.get("previous_item_id") or self.conversation.last_id
        if after == "root":
            after = None
        elif after is not None and after not in self.conversation:
            raise NotFound(
                f"Error adding item: the previous item with id '{after}' does not exist.",
                code=refusals.CREATE_AFTER_UNKNOWN,
                param="previous_item_id",
            )
        self.conversation.require_room(item)
        self._add_item(item, self.conversation.insert(item, after=after))
        if audio:
            self._item_sound.append(item.id, audio, self.config.input_format)
        self._actions.append(ItemCreated(item, audio))

    def _on_item_retrieve(self, event: dict[str, Any]) -> None:
        item = self._find(event["item_id"], "retrieving", refusals.RETRIEVE_UNKNOWN)
        shown = item_json(item, audio=self._item_sound.of(item.id))
        self._emit("conversation.item.retrieved", item=shown)

    def _on_item_truncate(self, event: dict[str, Any]) -> None:
        item = self._find(event["item_id"], "truncating", refusals.TRUNCATE_UNKNOWN)
        if self._uncut is not None and isinstance(item, Message) and self._uncut.id == item.id:
            item = replace(self._uncut, status=item.status)
        index = event["content_index"]
        heard = heard_ms(item, content_index=index, audio_end_ms=event["audio_end_ms"]) / 1000
        self.conversation.replace(item)
        self.conversation.cut(item.id, heard)
        self._uncut = None
        self._emit_truncated(item.id, heard, index=index)
        self._actions.append(ItemTruncated(item.id, heard))

    def _on_item_delete(self, event: dict[str, Any]) -> None:
        item = self._find(event["item_id"], "deleting", refusals.DELETE_UNKNOWN)
        self.conversation.delete(item.id)
        self._item_sound.drop(item.id)
        for answer in self._answers.values():
            answer.forget(item)
        self._emit("conversation.item.deleted", item_id=item.id)
        self._actions.append(ItemDeleted(item.id))

    def _on_response_create(self, event: dict[str, Any]) -> None:
        response = read_response(
            event.get("response") or {}, self.config, self.conversation, agent_voice=self._agent_voice
        )
        self._begin(response)
        self._actions.append(CreateResponse(response))

    def _on_response_cancel(self, event: dict[str, Any]) -> None:
        response_id = event.get("response_id") or self._active_id
        assert response_id is not None
        self.response_finished(response_id, "cancelled", reason="client_cancelled")
        self._actions.append(CancelResponse(response_id))

    def _on_playback_clear(self, event: dict[str, Any]) -> None:
        assert self._playing_id is not None
        self._actions.append(ClearPlayback(self._playing_id))

    def _on_dtmf(self, event: dict[str, Any]) -> None:
        digit = event["digit"]
        if digit not in KEYS:
            raise refusals.invalid_value("digit", digit, sorted(KEYS))
        self._actions.append(PressKey(digit))

    # Parts of the above

    def _begin(self, response: Response) -> None:
        conversation = self.conversation if response.in_conversation else Conversation()
        history = self.history(response)
        answer = Answer(
            response,
            conversation=conversation,
            read=items_tokens(history) + Tokens(text_tokens(len(response.instructions))),
            emit=self._emit,
        )
        self._answers[response.id] = answer
        if response.in_conversation:
            self._active_id = response.id
        answer.begin()

    def _spoke(self, answer: Answer) -> None:
        assert answer.spoken_id is not None
        self._voice_used = True
        self._newest_spoken = (answer.response.id, answer.spoken_id)

    def _commit(self, turn: TakenTurn) -> str:
        item = turn.item
        if turn.sound is not None:
            self._item_sound.append(item.id, turn.sound, self.config.input_format)
        before = self.conversation.append(item)
        self._emit("input_audio_buffer.committed", item_id=item.id, previous_item_id=before)
        self._add_item(item, before)
        return item.id

    def _add_item(self, item: Item, before: str | None) -> None:
        shown = item_json(item)
        self._emit("conversation.item.added", previous_item_id=before, item=shown)
        self._emit("conversation.item.done", previous_item_id=before, item=shown)

    def _emit_truncated(self, item_id: str, heard: float, *, index: int = 0) -> None:
        self._item_sound.cut(item_id, heard)
        self._emit(
            "conversation.item.truncated",
            item_id=item_id,
            content_index=index,
            audio_end_ms=round(heard * 1000),
        )

    def _find(self, item_id: str, doing: str, code: str) -> Item:
        if item_id not in self.conversation:
            raise NotFound(
                f"Error {doing} item: the item with id '{item_id}' does not exist.",
                code=code,
                param="item_id",
            )
        return self.conversation.get(item_id)

    def _apply(self, config: SessionConfig) -> None:
        previous, self.config = self.config, config
        self._emit("session.updated", session=self._session_json())
        self._actions.append(SessionChanged(config, previous))

    def _resume(self) -> None:
        while self._waiting and self._pending is None:
            message = self._waiting.popleft()
            self._waiting_characters -= len(message)
            self._take(message)

    def _session_json(self) -> JsonObject:
        return self.config.to_json(session_id=self.session_id, expires_at=self._expires_at)

    def _refuse(self, refusal: RequestError, event_id: str | None) -> None:
        self._emit(
            "error",
            error={
                "type": "invalid_request_error",
                "code": refusal.code,
                "message": refusal.message,
                "param": refusal.param,
                "event_id": event_id,
            },
        )

    def _emit(self, event_type: str, /, **members: object) -> None:
        self._event_count += 1
        event_id = f"{self._event_prefix}{self._event_count:05x}"
        self._events.append({"type": event_type, "event_id": event_id, **members})


def encode(event: JsonObject) -> str:
    """One event as a JSON text frame."""
    return json.dumps(event, separators=(",", ":"))


def _complete(config: SessionConfig) -> SessionConfig:
    """A transcription session always transcribes."""
    if config.type == "transcription" and config.transcription is None:
        return config.model_copy(update={"transcription": Transcription()})
    return config
