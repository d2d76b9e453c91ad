"""``response.*`` and ``output_audio_buffer.*``: what the agent says, and how much of it has sounded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from runtime.errors import InvalidRequest, RequestError
from runtime.wire.conversation import Conversation, Item, WordTime, new_id
from runtime.wire.realtime import messages, refusals
from runtime.wire.realtime.actions import CancelResponse, ClearPlayback, CreateResponse, Response
from runtime.wire.realtime.answer import Answer, FinalStatus, Reason
from runtime.wire.realtime.history import History
from runtime.wire.realtime.outbox import Outbox
from runtime.wire.realtime.request import read_response
from runtime.wire.realtime.session import SessionSettings
from runtime.wire.realtime.usage import Tokens, items_tokens, text_tokens

MAX_RESPONSES = 16
"""Made at once in one session, all but one of them out of band."""


class Responses:
    """
    The responses of one session that are being made, and the one that is being played.

    Facts about a response that is over (a client cancelled it a moment ago) are ignored, so races need no
    care.

    Args:
        playback: Who plays the agent's audio: ``client`` on a WebSocket (audio goes out as events),
            ``server`` on WebRTC (it goes out as media; ``output_audio_buffer.*`` events report it).
    """

    def __init__(
        self,
        session: SessionSettings,
        history: History,
        outbox: Outbox,
        *,
        playback: Literal["client", "server"],
    ) -> None:
        self._session = session
        self._history = history
        self._outbox = outbox
        self._playback = playback
        self._answers: dict[str, Answer] = {}
        self._active_id: str | None = None
        self._newest_spoken: tuple[str, str] | None = None
        """The response and the item of the agent's newest speech."""
        self._playing_id: str | None = None
        self._deferred: dict[str, Any] | None = None
        """The ``response.create`` that waits for the active response's end."""

    def __len__(self) -> int:
        """Responses being made."""
        return len(self._answers)

    def __contains__(self, response_id: object) -> bool:
        return response_id in self._answers

    @property
    def ids(self) -> tuple[str, ...]:
        """Of the responses being made."""
        return tuple(self._answers)

    @property
    def active(self) -> Response | None:
        """The response now being made in the conversation."""
        return self._answers[self._active_id].response if self._active_id else None

    @property
    def called(self) -> bool:
        """Whether the active response has called a function of the client's."""
        return self._active_id is not None and self._answers[self._active_id].has_called

    @property
    def deferring(self) -> bool:
        """Whether a ``response.create`` waits already."""
        return self._deferred is not None

    @property
    def playing(self) -> bool:
        """``playback="server"``: whether the agent's audio sounds now."""
        return self._playing_id is not None

    def get(self, response_id: str) -> Response:
        """A response being made. Raises KeyError."""
        return self._answers[response_id].response

    def history(self, response: Response) -> Sequence[Item]:
        """What the brain is shown for ``response``."""
        return self._history.conversation.items if response.history is None else response.history

    # Facts

    def begin(self, *, instructions: str | None = None) -> Response:
        """
        The call answers of its own accord (the turn ended, a greeting, an idle prompt): ``response.created``.

        No action is made for it. Raises RuntimeError while :attr:`active` is not None.
        """
        if self._active_id is not None:
            raise RuntimeError(f"{self._active_id} is still being made in this conversation")
        response = self._read({} if instructions is None else {"instructions": instructions})
        self._begin(response)
        return response

    def begin_deferred(self) -> Response | None:
        """
        Take the ``response.create`` that waited, now that the response before is over: ``response.created``.

        None where none waits or somebody else has begun to answer, which the client is told. No action is
        made for it.
        """
        event, self._deferred = self._deferred, None
        if event is None:
            return None
        try:
            if self._active_id is not None:
                raise InvalidRequest(
                    "The caller has spoken meanwhile, and is being answered.", code=refusals.ALREADY_ACTIVE
                )
            response = self._read(event.get("response") or {})
        except RequestError as refusal:
            self._outbox.refuse(refusal, messages.event_id(event))
            return None
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
            self._history.sound.append(answer.spoken_id, audio, answer.response.output_format)

    def media_delta(self, response_id: str, seconds: float, *, words: Sequence[WordTime] = ()) -> None:
        """``playback="server"``: so much more of the agent's audio has left as media."""
        answer = self._answers.get(response_id)
        if answer is None or not answer.media(seconds, words):
            return
        self._spoke(answer)
        if self._playing_id != response_id:
            self._playing_id = response_id
            self._outbox.emit("output_audio_buffer.started", response_id=response_id)

    def message_done(self, response_id: str) -> None:
        """
        All audio (or text) of the current message was given: its ``done`` chain.

        Optional before :meth:`finished`; needed where another message follows in the same response.
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

    def finished(
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
        """``playback="server"``: the last of its audio has left. Comes after :meth:`finished`."""
        if self._playing_id == response_id:
            self._playing_id = None
            self._outbox.emit("output_audio_buffer.stopped", response_id=response_id)

    def playback_cleared(self, response_id: str, *, heard: float) -> None:
        """
        The agent's audio was stopped after ``heard`` seconds of its message had been heard (barge-in).

        Cuts the history. With ``playback="server"`` the client is told (``output_audio_buffer.cleared``,
        ``conversation.item.truncated``); on a WebSocket it is our estimate until the client truncates.
        """
        if self._playing_id == response_id:
            self._playing_id = None
            self._outbox.emit("output_audio_buffer.cleared", response_id=response_id)
        if self._newest_spoken is not None and self._newest_spoken[0] == response_id:
            self._history.cut(self._newest_spoken[1], heard, told=self._playback == "server")

    def forget(self, item: Item) -> None:
        """The client deleted an item."""
        for answer in self._answers.values():
            answer.forget(item)

    # What clients say

    def on_create(self, event: dict[str, Any]) -> None:
        response = self._read(event.get("response") or {})
        self._begin(response)
        self._outbox.ask(CreateResponse(response))

    def defer(self, event: dict[str, Any]) -> None:
        """Keep a ``response.create`` for :meth:`begin_deferred`."""
        self._deferred = event

    def on_cancel(self, event: dict[str, Any]) -> None:
        response_id = event.get("response_id") or self._active_id
        assert response_id is not None
        self.finished(response_id, "cancelled", reason="client_cancelled")
        self._outbox.ask(CancelResponse(response_id))

    def on_playback_clear(self, event: dict[str, Any]) -> None:
        assert self._playing_id is not None
        self._outbox.ask(ClearPlayback(self._playing_id))

    def _read(self, request: dict[str, Any]) -> Response:
        session = self._session
        return read_response(
            request, session.config, self._history.conversation, agent_voice=session.agent_voice
        )

    def _begin(self, response: Response) -> None:
        conversation = self._history.conversation if response.in_conversation else Conversation()
        answer = Answer(
            response,
            conversation=conversation,
            read=items_tokens(self.history(response)) + Tokens(text_tokens(len(response.instructions))),
            emit=self._outbox.emit,
        )
        self._answers[response.id] = answer
        if response.in_conversation:
            self._active_id = response.id
        answer.begin()

    def _spoke(self, answer: Answer) -> None:
        assert answer.spoken_id is not None
        self._session.voice_used = True
        self._newest_spoken = (answer.response.id, answer.spoken_id)
