"""The OpenAI Realtime protocol, GA dialect, as a core that is told facts and asked what to send."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from runtime.wire.conversation import Conversation, Item, WordTime
from runtime.wire.realtime.actions import Action, Response
from runtime.wire.realtime.config import JsonObject, SessionConfig


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
        raise NotImplementedError

    # The wire

    def open(self) -> None:
        """Greet: ``session.created``. Call it once, when the peer can hear us."""

    def receive(self, message: str | bytes) -> None:
        """Take one client message. Never raises: what is wrong with it is told to the client."""

    def events(self) -> list[JsonObject]:
        """Drain what to send, in order. Each is one JSON object; :func:`encode` writes it."""
        raise NotImplementedError

    def actions(self) -> list[Action]:
        """Drain what the client asks of the call, in order."""
        raise NotImplementedError

    # What the call may read

    config: SessionConfig
    conversation: Conversation

    @property
    def active_response(self) -> Response | None:
        """The response now being made in the conversation."""
        raise NotImplementedError

    @property
    def input_ms(self) -> int:
        """Milliseconds of caller audio appended since the session began (WebSocket)."""
        raise NotImplementedError

    def history(self, response: Response) -> Sequence[Item]:
        """What the brain is shown for ``response``."""
        raise NotImplementedError

    # Facts about the caller

    def speech_started(self, audio_start_ms: int) -> str:
        """
        The caller began to speak, ``audio_start_ms`` (with prefix padding) after the session's first audio.

        Returns the id the turn's item will have. If this interrupts, report
        ``response_finished(…, "cancelled", reason="turn_detected")`` right after.
        """
        raise NotImplementedError

    def speech_stopped(self, audio_end_ms: int) -> None:
        """The caller fell silent. Without a commit, speech that starts again goes on with the same turn."""

    def audio_committed(self) -> str:
        """The detector ended the caller's turn: ``committed`` and the user item. Returns the item's id."""
        raise NotImplementedError

    def timeout_triggered(self, audio_start_ms: int, audio_end_ms: int) -> str:
        """Nobody spoke for ``idle_timeout_ms``. Commits the silence; begin a response next."""
        raise NotImplementedError

    def transcription_delta(self, item_id: str, delta: str) -> None:
        """More words of a turn were recognised. Reported only if the client asked for transcription."""

    def transcription_completed(self, item_id: str, transcript: str, *, seconds: float) -> None:
        """The turn was recognised. The history has it in any case; the client if it asked for it."""

    def transcription_failed(self, item_id: str, message: str, *, code: str = "transcription_failed") -> None:
        """The recogniser gave up on the turn."""

    def user_said(self, text: str) -> str:
        """Add a typed user message of our own (a DTMF entry, a resumed call). Returns its id."""
        raise NotImplementedError

    # Facts about the agent

    def begin_response(self, *, instructions: str | None = None) -> Response:
        """
        The call answers of its own accord (the turn ended, a greeting, an idle prompt): ``response.created``.

        No action is made for it. Raises RuntimeError while :attr:`active_response` is not None.
        """
        raise NotImplementedError

    def text_delta(self, response_id: str, text: str) -> str:
        """
        The agent's next words, as the brain makes them: its transcript, or its text in text mode.

        Returns the words that fit ``max_output_tokens``: speak those. The first call opens the message item.
        """
        raise NotImplementedError

    def audio_delta(self, response_id: str, audio: bytes, *, words: Sequence[WordTime] = ()) -> None:
        """
        The agent's next audio in the response's output format, 40–200 ms at a time, ready to be sent.

        ``words`` are those that begin in it; times count from the message's first audio, spans index the
        text given to :meth:`text_delta` for this message. With ``playback="server"`` nothing is sent; call
        it all the same, when the audio is queued, so that the heard prefix can be known.
        """

    def message_done(self, response_id: str) -> None:
        """All audio (or text) of the current message was given: its ``done`` chain. Optional before
        :meth:`response_finished`; needed only where another message follows in the same response."""

    def function_call(
        self, response_id: str, name: str, arguments: str, *, call_id: str | None = None
    ) -> str:
        """The agent calls one of the client's functions; ``arguments`` is a JSON object as text. Returns
        the call id (empty if the response is over)."""
        raise NotImplementedError

    def function_output(self, call_id: str, output: str) -> None:
        """The call ran a function of its own (a server-side tool); puts its output into the history."""

    def response_finished(
        self,
        response_id: str,
        status: Literal["completed", "cancelled", "incomplete", "failed"] = "completed",
        *,
        reason: Literal["turn_detected", "client_cancelled", "max_output_tokens", "content_filter"]
        | None = None,
        error: tuple[str, str] | None = None,
    ) -> None:
        """
        The answer is over: closes what is open and sends ``response.done``. ``error`` is (code, message), for
        ``failed``. A message cut short becomes ``incomplete``.
        """

    def playback_started(self, response_id: str) -> None:
        """``playback="server"``: the first frame left. No event otherwise."""

    def playback_drained(self, response_id: str) -> None:
        """``playback="server"``: the last frame left."""

    def playback_cleared(self, response_id: str, *, heard: float) -> None:
        """
        The agent's audio was stopped after ``heard`` seconds of its message had been heard (barge-in).

        Cuts the history. With ``playback="server"`` the client is told (``output_audio_buffer.cleared``,
        ``conversation.item.truncated``); on a WebSocket it is our estimate until the client truncates.
        """

    def voice_resolved(self) -> None:
        """The voice of :class:`ResolveVoice` exists and may be spoken with."""

    def voice_refused(self, message: str, *, code: str = "voice_not_found") -> None:
        """It may not: the whole update is refused with an error and nothing changes."""

    def fail(self, message: str, *, code: str = "server_error") -> None:
        """Tell the client of a fault of ours that belongs to no response. The session stays open."""


def encode(event: JsonObject) -> str:
    """One event as a JSON text frame."""
    raise NotImplementedError
