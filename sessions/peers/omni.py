"""A caller on PyAI's Omni WebSocket."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np

from runtime.clock import Clock
from runtime.errors import MalformedMessage, TransportClosed, VivavoceError
from runtime.media.frame import EncodedFrame, Pcm
from runtime.transport.websocket import WebSocketWriter
from runtime.turn.barge_in import BargeInSettings
from runtime.turn.endpointing import ServerVad
from runtime.wire.conversation import Conversation, FunctionCallOutput, Message, TextPart, WordTime, new_id
from runtime.wire.omni import (
    Action,
    AudioReceived,
    Configured,
    Ending,
    KeysPressed,
    OmniProtocol,
    TextTyped,
    ToolAnswered,
)
from sessions.agent import AgentProfile, notice
from sessions.brains.brain import ToolCall
from sessions.brains.knowledge import KnowledgeBase
from sessions.peers.blocks import BlockEncoder
from sessions.peers.ledger import Ledger
from sessions.peers.peer import Call, HangUp, Outcome, ReplyOrder, TurnTaking
from sessions.recognizer import Transcript
from tts.phrases import WireFormat

log = logging.getLogger(__name__)

CLOSE_CODES = {"completed": 1000, "draining": 1001, "fault": 1011, "expired": 1000}
"""IANA WebSocket Close Code registry."""

TOO_MANY_FAULTS = 20
"""Messages that make no sense before the call is given up."""


class Socket(Protocol):
    """The part of Starlette's ``WebSocket`` that is used."""

    async def receive(self) -> Any: ...

    async def send(self, message: Any) -> None: ...


class OmniPeer:
    """
    One call. Audio is PCM16 both ways, in blocks of about a tenth of a second, ahead of its time.

    Args:
        socket: Accepted.
        protocol: Fresh, or having read the first ``configure``.
        profile: Who answers, as configured.
        rate: Hz both ways.
        clock: Monotonic time, for the times of transcripts.
        lead: Seconds by which audio may leave before it is due.
    """

    transport = "omni"

    def __init__(
        self,
        socket: Socket,
        protocol: OmniProtocol,
        profile: AgentProfile,
        *,
        rate: int,
        clock: Clock,
        lead: float,
    ) -> None:
        self._socket = socket
        self._protocol = protocol
        self._profile = profile
        self._clock = clock
        self._began = clock.now()
        self._writer = WebSocketWriter(socket, on_closed=self._gone)
        self._wire = WireFormat(f"pcm/{rate}", rate, _pcm_bytes)
        self._ledger = Ledger(profile)
        self._call: Call | None = None
        self._closing: asyncio.Task[None] | None = None
        self._reading: asyncio.Timeout | None = None
        self._faults = 0
        self._instructions = profile.instructions
        self._voice = ""
        # Of the reply that is being made: what was said so far, as it is told when the reply is over.
        self._said: dict[str, str] = {}
        self._cut: dict[str, str] = {}
        self._tools_asked: set[str] = set()
        self.lead = lead

    # What the session reads

    @property
    def conversation(self) -> Conversation:
        return self._ledger.conversation

    @property
    def turn_taking(self) -> TurnTaking:
        return TurnTaking(
            rate=self._wire.rate,
            language=self._profile.language,
            detection=ServerVad(),
            barge_in=BargeInSettings() if self._profile.interruptible else None,
        )

    # The caller

    def speech_started(self, at: float) -> None:
        pass

    def speech_stopped(self, at: float) -> None:
        pass

    def turn_taken(self, seconds: float) -> str:
        self._control(event="turn", role="user")
        return self._ledger.turn_taken(seconds)

    def caller_idle(self, start: float, end: float) -> None:
        pass

    def words_so_far(self, text: str) -> None:
        pass

    def transcribed(self, item_id: str, transcript: Transcript) -> None:
        self._ledger.transcribed(item_id, transcript)
        self._transcript("user", transcript.text, final=True)

    def not_transcribed(self, item_id: str, error: Exception) -> None:
        self._warn("not_transcribed", f"A turn could not be transcribed: {_message(error)}")

    def keys_pressed(self, digits: str) -> str:
        return self._ledger.keys_pressed(digits)

    # The agent

    def begin_reply(self) -> ReplyOrder:
        self._control(event="turn", role="assistant")
        return replace(self._ledger.begin_reply(), instructions=self._instructions, voice=self._voice)

    def encoder(self, order: ReplyOrder, position: int) -> BlockEncoder:
        return BlockEncoder(self._wire, sample_bytes=2, position=position)

    def words(self, order: ReplyOrder, delta: str) -> str:
        said = self._ledger.words(order, delta)
        if said:
            self._said[order.id] = self._said.get(order.id, "") + said
            self._transcript("assistant", said, final=False)
        return said

    def send_frames(
        self, order: ReplyOrder, frames: Sequence[EncodedFrame], words: Sequence[WordTime]
    ) -> None:
        pcm = b"".join(frame.payload for frame in frames)
        self._ledger.sounded(order, len(pcm) / 2 / self._wire.rate, words)
        self._writer.send_bytes(self._protocol.audio(pcm))

    def message_said(self, order: ReplyOrder) -> None:
        self._ledger.message_said(order)

    def tool_called(self, order: ReplyOrder, call: ToolCall) -> None:
        self._ledger.tool_called(order, call)
        self._tools_asked.add(call.call_id)
        self._control(event="tool_call", call_id=call.call_id, name=call.name, arguments=call.arguments)

    def playback_cut(self, order: ReplyOrder, heard: float) -> None:
        self._control(event="flush")
        self._control(event="barge_in")
        self._ledger.playback_cut(order, heard)
        last = self.conversation.items[-1] if len(self.conversation) else None
        if isinstance(last, Message) and last.role == "assistant":
            self._cut[order.id] = last.text

    def reply_finished(self, order: ReplyOrder, outcome: Outcome, error: Exception | None = None) -> None:
        self._ledger.reply_finished(order, outcome)
        said = self._cut.pop(order.id, None)
        whole = self._said.pop(order.id, "")
        if whole:
            # After a barge-in this is what was heard, and no word more.
            self._transcript("assistant", whole if said is None else said, final=True)
        if error is not None:
            self._control(event="error", code=_code(error), message=_message(error))

    # The call

    async def read(self, call: Call) -> None:
        self._call = call
        call.greet()
        try:
            async with asyncio.timeout(None) as self._reading:
                while (message := await self._socket.receive())["type"] == "websocket.receive":
                    await self._take(message.get("text") or message.get("bytes") or b"", call)
        except TimeoutError:
            return
        finally:
            if self._closing is not None:
                await self._closing

    def transfer(self, to: str) -> None:
        self._control(event="transfer_to_human", to=to)

    def hang_up(self, reason: HangUp) -> None:
        if self._closing is None:
            self._control(event="session_end", reason=reason)
            self._closing = asyncio.get_running_loop().create_task(self._end(reason), name="hang up")

    async def _end(self, reason: HangUp) -> None:
        await self._writer.close(CLOSE_CODES[reason], reason)
        self._stop_reading()

    # Frames

    async def _take(self, frame: str | bytes, call: Call) -> None:
        try:
            action = self._protocol.receive(frame)
        except MalformedMessage as error:
            self._faults += 1
            self._control(event="error", code="malformed_message", message=error.message)
            if self._faults > TOO_MANY_FAULTS:
                self.hang_up("fault")
            return
        self._flush_warnings()
        if action is not None:
            await self._obey(action, call)

    async def _obey(self, action: Action, call: Call) -> None:
        match action:
            case AudioReceived(pcm):
                call.hear(np.frombuffer(pcm, "<i2"))
                await call.caught_up()
            case Configured():
                await self._configure(action, call)
            case KeysPressed(digits):
                for digit in digits:
                    call.press(digit)
            case TextTyped(text):
                self.conversation.append(Message(new_id("item"), "user", (TextPart(text),)))
                call.order(self.begin_reply())
            case ToolAnswered(call_id, output):
                self._answer_tool(call_id, output, call)
            case Ending():
                self.hang_up("completed")

    async def _configure(self, configured: Configured, call: Call) -> None:
        """In the middle of a call: from the next reply on."""
        fields = configured.fields
        honored = []
        if "persona" in fields:
            self._instructions = fields["persona"] or ""
            honored.append("persona")
        if voice := fields.get("voice_id"):
            before = self._voice or self._profile.voice_ref
            try:
                await call.resolve_voice(voice)
            except VivavoceError as error:
                self._control(event="error", code=error.code, message=error.message)
            else:
                self._voice = voice
                honored.append("voice_id")
                self._control(event="voice_changed", **{"from": before, "to": voice, "at_ms": self._now_ms()})
        ignored = sorted({*configured.ignored, *(set(fields) - set(honored))})
        for name in sorted(set(fields) - set(honored) - {"voice_id"}):
            self._warn(f"too_late:{name}", f"{name} counts in the first configure only.")
        self._control(
            event="config_ack",
            voice_id=self._voice or self._profile.voice_ref,
            honored=honored,
            ignored=ignored,
        )

    def _answer_tool(self, call_id: str, output: str, call: Call) -> None:
        if call_id not in self._tools_asked:
            self._warn("unknown_tool_call", f"No tool call {call_id[:50]!r} is open; its result was ignored.")
            return
        self._tools_asked.discard(call_id)
        self.conversation.append(FunctionCallOutput(new_id("item"), call_id, output))
        if not self._tools_asked:
            call.order(self.begin_reply())

    def _control(self, **body: Any) -> None:
        self._send(self._protocol.control(body))

    def _transcript(self, role: str, text: str, *, final: bool) -> None:
        self._send(self._protocol.transcript(role, text, final=final, at_ms=self._now_ms()))

    def _warn(self, code: str, message: str) -> None:
        self._protocol.warn(code, message)
        self._flush_warnings()

    def _flush_warnings(self) -> None:
        for warning in self._protocol.warnings():
            self._send(warning)

    def _send(self, frame: str | bytes) -> None:
        if isinstance(frame, str):
            self._writer.send_text(frame)
        else:
            self._writer.send_bytes(frame)

    def _now_ms(self) -> int:
        return round((self._clock.now() - self._began) * 1000)

    def _gone(self, _reason: TransportClosed) -> None:
        self._stop_reading()

    def _stop_reading(self) -> None:
        if self._reading is not None and not self._reading.expired():
            self._reading.reschedule(asyncio.get_running_loop().time())


def configured_profile(profile: AgentProfile, fields: Mapping[str, Any]) -> AgentProfile:
    """The agent as a first ``configure`` wants it on this call."""
    changes: dict[str, Any] = {}
    if fields.get("voice_id"):
        changes |= {"voice_ref": fields["voice_id"], "voice_fallback": None}
    if "persona" in fields:
        changes["instructions"] = fields["persona"] or ""
    if "greeting" in fields:
        changes["greeting"] = fields["greeting"] or None
    if fields.get("consent_line"):
        changes["notice"] = notice(profile.disclosure, fields["consent_line"])
    if fields.get("language"):
        changes["language"] = fields["language"]
    if "tools" in fields:
        changes["tools"] = tuple({"type": "function"} | tool for tool in fields["tools"] or ())
    if fields.get("kb_endpoint"):
        base = KnowledgeBase(fields["kb_endpoint"], fields.get("kb_token"), profile.id)
        changes["brain_options"] = MappingProxyType({**profile.brain_options, "knowledge": base})
    return replace(profile, **changes)


def _pcm_bytes(samples: Pcm) -> bytes:
    return samples.astype("<i2", copy=False).tobytes()


def _code(error: Exception) -> str:
    return error.code if isinstance(error, VivavoceError) else "internal_error"


def _message(error: Exception) -> str:
    return error.message if isinstance(error, VivavoceError) else "something went wrong on our side"
