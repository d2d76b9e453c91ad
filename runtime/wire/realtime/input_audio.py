"""``input_audio_buffer.*``: what the caller says, turn by turn, and what was understood of it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from runtime.errors import InvalidRequest
from runtime.wire.realtime.actions import AppendAudio, ClearAudio, CommitAudio
from runtime.wire.realtime.caller import CallerTurn, TakenTurn
from runtime.wire.realtime.history import History
from runtime.wire.realtime.items import decode_audio
from runtime.wire.realtime.outbox import Outbox
from runtime.wire.realtime.session import SessionSettings

MAX_APPEND_BYTES = 15 * 2**20
"""Of audio in one message, as OpenAI documents it."""

TRANSCRIPTION = "conversation.item.input_audio_transcription"


class InputAudio:
    """
    The caller's side of one session.

    Args:
        keep_bytes: Newest audio kept, so that a turn can be retrieved as it sounded.
    """

    def __init__(
        self, session: SessionSettings, history: History, outbox: Outbox, *, keep_bytes: int
    ) -> None:
        self._session = session
        self._history = history
        self._outbox = outbox
        self._turn = CallerTurn(keep_bytes=keep_bytes)
        # How much of each turn's transcript was told in deltas.
        self._told: dict[str, str] = {}
        # The last partial result, and the turn it was of.
        self._partial: tuple[str | None, Sequence[str]] = (None, ())

    @property
    def milliseconds(self) -> int:
        """Of caller audio since the session began."""
        return round(self._turn.seconds * 1000)

    @property
    def uncommitted(self) -> float:
        """Seconds appended since the last commit or clear."""
        return self._turn.uncommitted

    @property
    def turn_id(self) -> str | None:
        """The item that the turn now being spoken will be."""
        return self._turn.id

    # Facts

    def received(self, seconds: float) -> None:
        """The caller's audio came as media (WebRTC) and not as ``append``: so much more may be committed."""
        self._turn.pass_over(seconds)

    def speech_started(self, audio_start_ms: int) -> str:
        """
        The caller began to speak, ``audio_start_ms`` (with prefix padding) after the session's first audio.

        Returns the id the turn's item will have. If this interrupts, report
        ``responses.finished(…, "cancelled", reason="turn_detected")`` right after.
        """
        item_id = self._turn.start(audio_start_ms / 1000)
        self._outbox.emit(
            "input_audio_buffer.speech_started", item_id=item_id, audio_start_ms=max(0, audio_start_ms)
        )
        return item_id

    def speech_stopped(self, audio_end_ms: int) -> None:
        """The caller fell silent. Without a commit, speech that starts again goes on with the same turn."""
        if self._turn.id is not None:
            self._turn.stop(audio_end_ms / 1000)
            self._outbox.emit(
                "input_audio_buffer.speech_stopped", item_id=self._turn.id, audio_end_ms=max(0, audio_end_ms)
            )

    def committed(self) -> str:
        """The detector ended the caller's turn: ``committed`` and the user item. Returns the item's id."""
        return self._commit(self._turn.take())

    def timeout_triggered(self, audio_start_ms: int, audio_end_ms: int) -> str:
        """Nobody spoke for ``idle_timeout_ms``. Commits the silence; begin a response next."""
        item_id = self._turn.start(audio_start_ms / 1000)
        self._turn.stop(audio_end_ms / 1000)
        self._outbox.emit(
            "input_audio_buffer.timeout_triggered",
            item_id=item_id,
            audio_start_ms=audio_start_ms,
            audio_end_ms=audio_end_ms,
        )
        return self._commit(self._turn.take())

    def transcription_partial(self, text: str) -> None:
        """
        The words of the turn that is being spoken, as recognised so far.

        A recogniser changes its mind and a delta cannot be taken back: so those words are told which two
        results in a row agree on, but for the last of them.
        """
        turn_id, before = self._partial
        words = text.split()
        self._partial = (self._turn.id, words)
        if self._turn.id is None or turn_id != self._turn.id:
            return
        agreed = [
            word
            for word, again in takewhile(lambda pair: pair[0] == pair[1], zip(before, words, strict=False))
        ]
        stable, told = " ".join(agreed[:-1]), self._told.get(turn_id, "")
        if stable.startswith(told):
            self.transcription_delta(turn_id, stable[len(told) :])

    def transcription_delta(self, item_id: str, delta: str) -> None:
        """More words of a turn were recognised. Reported only if the client asked for transcription."""
        if self._session.config.transcription and delta:
            self._told[item_id] = self._told.get(item_id, "") + delta
            self._outbox.emit(f"{TRANSCRIPTION}.delta", item_id=item_id, content_index=0, delta=delta)

    def transcription_completed(self, item_id: str, transcript: str, *, seconds: float) -> None:
        """
        The turn was recognised. The history has it in any case; the client if it asked for it.

        Where words were told in deltas and the recogniser did not change its mind, the rest of them comes
        first: joined they are the transcript.
        """
        told = self._told.get(item_id, "")
        if told and transcript.startswith(told):
            self.transcription_delta(item_id, transcript[len(told) :])
        self._told.pop(item_id, None)
        self._history.conversation.hear(item_id, transcript)
        if self._session.config.transcription:
            self._outbox.emit(
                f"{TRANSCRIPTION}.completed",
                item_id=item_id,
                content_index=0,
                transcript=transcript,
                usage={"type": "duration", "seconds": round(seconds, 3)},
            )

    def transcription_failed(self, item_id: str, message: str, *, code: str = "transcription_failed") -> None:
        """The recogniser gave up on the turn."""
        self._told.pop(item_id, None)
        if self._session.config.transcription:
            error = {"type": "server_error", "code": code, "message": message, "param": None}
            self._outbox.emit(f"{TRANSCRIPTION}.failed", item_id=item_id, content_index=0, error=error)

    # What clients say

    def on_append(self, event: dict[str, Any]) -> None:
        audio_format = self._session.config.input_format
        audio = decode_audio(event["audio"], "audio", audio_format)
        if len(audio) > MAX_APPEND_BYTES:
            raise InvalidRequest(
                f"'audio' holds {len(audio)} bytes; append at most {MAX_APPEND_BYTES} at a time.",
                code="invalid_value",
                param="audio",
            )
        if audio:
            self._turn.append(audio, audio_format)
            self._outbox.ask(AppendAudio(audio))

    def on_commit(self, event: dict[str, Any]) -> None:
        seconds = self._turn.uncommitted
        item_id = self._commit(self._turn.take_uncommitted())
        self._outbox.ask(CommitAudio(item_id, seconds))

    def on_clear(self, event: dict[str, Any]) -> None:
        self._turn.clear()
        self._outbox.emit("input_audio_buffer.cleared")
        self._outbox.ask(ClearAudio())

    def _commit(self, turn: TakenTurn) -> str:
        item = turn.item
        if turn.sound is not None:
            self._history.sound.append(item.id, turn.sound, self._session.config.input_format)
        before = self._history.conversation.append(item)
        self._outbox.emit("input_audio_buffer.committed", item_id=item.id, previous_item_id=before)
        self._history.announce(item, before)
        return item.id
