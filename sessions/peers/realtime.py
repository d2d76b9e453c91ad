"""A caller on the OpenAI Realtime API: its protocol core, driven by a session and a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict

import numpy as np

from runtime.errors import TransportClosed, VivavoceError, VoiceNotFound, VoiceNotReady
from runtime.media.frame import EncodedFrame, Pcm
from runtime.media.g711 import decode_alaw, decode_mulaw
from runtime.media.resample import StreamResampler
from runtime.transport.websocket import WebSocketWriter
from runtime.turn.barge_in import BargeInSettings
from runtime.turn.endpointing import SemanticVad, ServerVad, TurnDetection
from runtime.wire.conversation import Conversation, WordTime
from runtime.wire.realtime import actions, config
from runtime.wire.realtime.outbox import encode
from runtime.wire.realtime.protocol import RealtimeProtocol
from sessions.brains.brain import Tool, ToolCall
from sessions.peers.audio_path import AudioPath
from sessions.peers.line import RESUME_WITHIN, Socket
from sessions.peers.peer import Call, FrameEncoder, HangUp, Outcome, ReplyOrder, TurnTaking
from sessions.recognizer import Transcript
from sessions.voice import VoiceFallback

GREET_AFTER = 0.3
"""Seconds the client has for its first word, usually ``session.update``, before the agent opens the call."""

SESSION_SECONDS = 3600.0
"""How long a session may last, as at the hosted service."""

FAREWELL = 1.0
"""Seconds a client has to answer our close message."""

CLOSE_CODES: Mapping[HangUp, int] = {"completed": 1000, "draining": 1012, "fault": 1011, "expired": 1000}
"""IANA WebSocket Close Code registry. SDKs that reconnect do so on 1011 and 1012."""


class RealtimePeer:
    """
    One client's socket.

    Args:
        socket: Accepted; a WebSocket, or a WebRTC connection that behaves like one.
        protocol: The session's core, fresh.
        audio: How its audio travels.
        fallback: Set where the session does not speak in its agent's voice; told in ``session.created``.
        new_token: Makes the token by which a broken line is taken up again; None says that it is not.
        lasts: Seconds after which the session expires.
    """

    def __init__(
        self,
        socket: Socket,
        protocol: RealtimeProtocol,
        audio: AudioPath,
        *,
        fallback: VoiceFallback | None = None,
        new_token: Callable[[], str] | None = None,
        lasts: float = SESSION_SECONDS,
    ) -> None:
        self._socket = socket
        self._protocol = protocol
        self._audio = audio
        self.transport = audio.transport
        self._fallback = fallback
        self._new_token = new_token
        self._lasts = lasts
        self._writer = WebSocketWriter(socket, on_closed=self._gone)
        self._reading: asyncio.Timeout | None = None
        self._closing: asyncio.Task[None] | None = None
        # Responses being made, for the formats they were asked for in.
        self._responses: dict[str, actions.Response] = {}
        # Other sockets that see and steer the session.
        self._joined: set[WebSocketWriter] = set()
        self._call: Call | None = None
        # Whether somebody has opened the conversation, so that no greeting is wanted.
        self._client_leads = False

    # sessions.peers.peer.Peer: what the session reads

    @property
    def conversation(self) -> Conversation:
        return self._protocol.conversation

    @property
    def lead(self) -> float:
        return self._audio.lead

    @property
    def turn_taking(self) -> TurnTaking:
        return turn_taking(self._protocol.config, rate=self._audio.caller_rate)

    # What the session reports

    def speech_started(self, at: float) -> None:
        self._protocol.input.speech_started(_ms(at))
        self._flush()

    def speech_stopped(self, at: float) -> None:
        self._protocol.input.speech_stopped(_ms(at))
        self._flush()

    def turn_taken(self, seconds: float) -> str:
        item_id = self._protocol.input.committed()
        self._flush()
        return item_id

    def caller_idle(self, start: float, end: float) -> None:
        self._protocol.input.timeout_triggered(_ms(start), _ms(end))
        self._flush()

    def words_so_far(self, text: str) -> None:
        self._protocol.input.transcription_partial(text)
        self._flush()

    def transcribed(self, item_id: str, transcript: Transcript) -> None:
        self._protocol.input.transcription_completed(item_id, transcript.text, seconds=transcript.seconds)
        self._flush()

    def not_transcribed(self, item_id: str, error: Exception) -> None:
        self._protocol.input.transcription_failed(item_id, _message(error))
        self._flush()

    def keys_pressed(self, digits: str) -> str:
        item_id = self._protocol.items.user_said(digits)
        self._flush()
        return item_id

    def begin_reply(self) -> ReplyOrder:
        response = self._protocol.responses.begin()
        self._flush()
        return self._order_for(response)

    def encoder(self, order: ReplyOrder, position: int) -> FrameEncoder:
        response = self._responses.get(order.id)
        wanted = response.output_format if response else self._protocol.config.output_format
        return self._audio.encoder(wanted, position)

    def words(self, order: ReplyOrder, delta: str) -> str:
        words = self._protocol.responses.text_delta(order.id, delta)
        self._flush()
        return words

    def send_frames(
        self, order: ReplyOrder, frames: Sequence[EncodedFrame], words: Sequence[WordTime]
    ) -> None:
        self._audio.send(order.id, frames, words)
        self._flush()

    def tool_called(self, order: ReplyOrder, call: ToolCall) -> None:
        self._protocol.responses.function_call(order.id, call.name, call.arguments, call_id=call.call_id)
        self._flush()

    def playback_cut(self, order: ReplyOrder, heard: float) -> None:
        self._protocol.responses.playback_cleared(order.id, heard=heard)
        self._flush()

    def reply_finished(self, order: ReplyOrder, outcome: Outcome, error: Exception | None = None) -> None:
        match outcome:
            case "completed":
                self._protocol.responses.finished(order.id)
            case "interrupted":
                self._protocol.responses.finished(order.id, "cancelled", reason="turn_detected")
            case "failed":
                code = error.code if isinstance(error, VivavoceError) else "server_error"
                self._protocol.responses.finished(order.id, "failed", error=(code, _message(error)))
        self._responses.pop(order.id, None)
        self._audio.finished(order.id)
        self._flush()
        if self._protocol.responses.deferring:
            # Once the session has let go of this reply.
            asyncio.get_running_loop().call_soon(self._take_deferred)

    def transfer(self, to: str) -> None:
        """This wire has no word for it: whoever is behind the client must be told by a tool."""
        self.hang_up("completed")

    def hang_up(self, reason: HangUp) -> None:
        if self._closing is None:
            self._flush()
            self._closing = asyncio.get_running_loop().create_task(
                self._writer.close(CLOSE_CODES[reason], reason), name="close realtime socket"
            )
            self._stop_reading(within=FAREWELL)

    # The socket

    async def read(self, call: Call) -> None:
        self._call = call
        self._open()
        self._audio.listen(call.hear)
        greeting = asyncio.get_running_loop().call_later(GREET_AFTER, self._greet, call)
        try:
            async with asyncio.timeout(self._lasts) as self._reading:
                await self._take_in(self._socket)
        except TimeoutError:
            if self._writer.closed is None and self._closing is None:
                self._protocol.fail("The session has lasted as long as it may.", code="session_expired")
                self.hang_up("expired")
        except Exception:
            self.hang_up("fault")
            raise
        finally:
            greeting.cancel()
            if self._closing is not None:
                await self._closing
            for writer in list(self._joined):
                await writer.close(CLOSE_CODES["completed"], "the call is over")

    async def join(self, socket: Socket) -> None:
        """
        Let another socket see every event of this session and send its own, until it goes or the call ends.

        It is greeted with ``session.created``, as the session is now.
        """
        writer = WebSocketWriter(socket)
        self._flush()
        self._protocol.open()
        for event in self._protocol.events():
            writer.send_text(encode(event))
        self._joined.add(writer)
        try:
            await self._take_in(socket)
        finally:
            self._joined.discard(writer)

    def line_broke(self) -> None:
        """The client has gone without a word, and may come back."""
        if self._call is not None:
            self._call.hold_line()

    def line_found(self) -> None:
        """It could not be reached for a while, and can again: the call goes on as if nothing had been."""
        if self._call is not None:
            self._call.release_line()

    def line_returned(self) -> None:
        """It is back: it is told ``session.created``, as the session is now, and then what it missed."""
        self._open(resumed=True)
        if self._call is not None:
            self._call.release_line()

    def _open(self, *, resumed: bool = False) -> None:
        """Greet the client; members beyond the standard ones tell it what only we have."""
        self._flush()
        self._protocol.open()
        extras: dict[str, object] = {}
        if self._fallback is not None:
            extras["voice_fallback"] = asdict(self._fallback)
        if self._new_token is not None:
            extras["resume"] = {
                "token": self._new_token(),
                "within_seconds": RESUME_WITHIN,
                "resumed": resumed,
            }
        for event in self._protocol.events():
            told = {**event, "session": {**event["session"], **extras}} if extras else event
            self._writer.send_text(encode(told))

    async def _take_in(self, socket: Socket) -> None:
        while (message := await socket.receive())["type"] == "websocket.receive":
            self._protocol.receive(message.get("text") or message.get("bytes") or "")
            self._flush()
            while self._call is not None and (wanted := self._protocol.actions()):
                for action in wanted:
                    await self._obey(action, self._call)
                self._flush()

    async def _obey(self, action: actions.Action, call: Call) -> None:
        match action:
            case actions.AppendAudio(audio) if self._audio.caller_rate is None:
                call.hear(DECODERS[self._protocol.config.input_format.type](audio))
                await call.caught_up()
            case actions.SessionChanged(now, before):
                rate = self._audio.caller_rate
                if (how := turn_taking(now, rate=rate)) != turn_taking(before, rate=rate):
                    call.take_turns(how)
                self._greet(call)
            case actions.ResolveVoice(voice):
                await self._resolve(voice, call)
            case actions.CommitAudio(item_id=item_id):
                self._client_leads = True
                call.commit(item_id)
            case actions.ClearAudio():
                call.discard()
            case actions.ItemCreated(item, audio):
                self._client_leads = True
                if audio is not None:
                    call.recognise(item.id, self._recording(audio))
            case actions.CreateResponse(response):
                self._client_leads = True
                call.order(self._order_for(response))
            case actions.CancelResponse(response_id=response_id):
                self._responses.pop(response_id, None)
                call.stop(response_id)
            case actions.ClearPlayback():
                call.clear_playback()
            case actions.PressKey(digit):
                call.press(digit)
            case actions.ItemDeleted() | actions.ItemTruncated() | actions.AppendAudio():
                # The conversation is changed already, and a client that truncates plays the audio itself.
                # What is appended beside a microphone track has nobody to hear it.
                pass

    def _take_deferred(self) -> None:
        if self._call is None or self._closing is not None or self._writer.closed is not None:
            return
        response = self._protocol.responses.begin_deferred()
        self._flush()
        if response is not None:
            self._call.order(self._order_for(response))

    def _recording(self, audio: bytes) -> Pcm:
        """Audio of an item, at the rate of the caller's."""
        written = self._protocol.config.input_format
        samples = DECODERS[written.type](audio)
        rate = self._audio.caller_rate
        if rate is None or rate == written.rate:
            return samples
        resampler = StreamResampler(written.rate, rate)
        return np.concatenate((resampler.push(samples), resampler.flush()))

    def _greet(self, call: Call) -> None:
        """Let the agent open the call, unless the client has begun to."""
        if not self._client_leads:
            self._client_leads = True
            call.greet()

    async def _resolve(self, voice: str, call: Call) -> None:
        try:
            await call.resolve_voice(voice)
        except (VoiceNotFound, VoiceNotReady) as error:
            self._protocol.voice_refused(error.message, code=error.code)
        else:
            self._protocol.voice_resolved()

    def _order_for(self, response: actions.Response) -> ReplyOrder:
        self._responses[response.id] = response
        return ReplyOrder(
            id=response.id,
            instructions=response.instructions,
            history=response.history,
            in_conversation=response.in_conversation,
            spoken=response.modality == "audio",
            voice=response.voice,
            speed=self._protocol.config.speed,
            tools=[_tool(tool) for tool in response.tools],
            tool_choice=_tool_choice(response.tool_choice),
            max_tokens=response.max_output_tokens,
            metadata=response.metadata,
        )

    def _flush(self) -> None:
        for event in self._protocol.events():
            text = encode(event)
            self._writer.send_text(text)
            for writer in self._joined:
                writer.send_text(text)

    def _gone(self, reason: TransportClosed) -> None:
        """The client has stopped reading or has gone: stop reading it, too."""
        if self._closing is None:
            self._stop_reading(within=0.0)

    def _stop_reading(self, *, within: float) -> None:
        if self._reading is not None:
            self._reading.reschedule(asyncio.get_running_loop().time() + within)


def turn_taking(session: config.SessionConfig, *, rate: int | None = None) -> TurnTaking:
    """How to listen to a session that is set like this, where audio comes at ``rate`` or as it says."""
    wanted = session.turn_detection
    detection: TurnDetection | None
    match wanted:
        case None:
            detection = None
        case config.SemanticVad(eagerness=eagerness):
            detection = SemanticVad(eagerness=eagerness)
        case config.ServerVad():
            detection = ServerVad(
                threshold=wanted.threshold,
                prefix_padding=wanted.prefix_padding_ms / 1000,
                silence_duration=wanted.silence_duration_ms / 1000,
                idle_timeout=None if wanted.idle_timeout_ms is None else wanted.idle_timeout_ms / 1000,
            )
    language = session.transcription.language if session.transcription else None
    return TurnTaking(
        rate=rate or session.input_format.rate,
        language=language or "en",
        detection=detection,
        barge_in=BargeInSettings() if wanted is not None and wanted.interrupt_response else None,
        answers=wanted is not None and wanted.create_response and session.type == "realtime",
    )


def _pcm(audio: bytes) -> Pcm:
    return np.frombuffer(audio, "<i2", count=len(audio) // 2)


DECODERS: Mapping[str, Callable[[bytes], Pcm]] = {
    "audio/pcm": _pcm,
    "audio/pcmu": decode_mulaw,
    "audio/pcma": decode_alaw,
}


def _tool(tool: Mapping[str, object]) -> Tool:
    parameters = tool.get("parameters")
    return Tool(
        name=str(tool.get("name", "")),
        description=str(tool.get("description") or ""),
        parameters=parameters if isinstance(parameters, Mapping) else {},
    )


def _tool_choice(choice: config.ToolChoice) -> str:
    return choice if isinstance(choice, str) else str(choice.get("name", "auto"))


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _message(error: Exception | None) -> str:
    return error.message if isinstance(error, VivavoceError) else str(error)
