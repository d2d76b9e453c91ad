"""A caller on a telephone line, behind a carrier's media stream."""

from __future__ import annotations

import asyncio
import binascii
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

import numpy as np

from runtime import metrics
from runtime.clock import Clock
from runtime.errors import MalformedMessage, PeerError
from runtime.media.frame import PTIME, EncodedFrame
from runtime.media.g711 import G711_RATE, decode_mulaw, encode_mulaw
from runtime.media.heard import HeardPosition
from runtime.transport.line import Line
from runtime.turn.barge_in import BargeInSettings
from runtime.turn.endpointing import ServerVad
from runtime.wire.conversation import Conversation, WordTime
from runtime.wire.telephony import (
    CallStarted,
    CallStopped,
    CarrierStream,
    KeyPressed,
    MarkReturned,
    MediaReceived,
)
from sessions.agent import AgentProfile
from sessions.brains.brain import ToolCall
from sessions.peers.ledger import Ledger
from sessions.peers.peer import Call, HangUp, Outcome, ReplyOrder, TurnTaking
from sessions.recognizer import Transcript
from tts.phrases import WireFormat

log = logging.getLogger(__name__)

MARK_SAMPLES = round(0.2 * G711_RATE)
"""Audio between two marks."""

LAST_WORDS = 512
"""Words of a message, the latest, whose times are kept: it is never cut further back than some seconds."""

START_PATIENCE = 10.0
"""Seconds a carrier has for its start; Twilio takes some milliseconds."""

TOO_MANY_FAULTS = 20
"""Messages that break the protocol before the call is given up: a line that garbles one may recover."""

FASTEST = 10.0
"""Seconds by which audio may run ahead of the clock; what comes faster is no telephone, and is dropped."""

MULAW = WireFormat("pcmu/8000", G711_RATE, encode_mulaw)

PACKET = 3 * PTIME
"""Seconds in a message. Carriers take any length and play it in order, and few messages cost less than many."""

PACKET_SAMPLES = round(PACKET * G711_RATE)

MULAW = WireFormat("pcmu/8000", G711_RATE, encode_mulaw)

CLOSE_CODES = {"completed": 1000, "draining": 1001, "fault": 1011, "expired": 1000}
"""IANA WebSocket Close Code registry."""


class TelephonePeer:
    """
    One call. Audio is mu-law at 8 kHz both ways.

    Outgoing packets are encoded, packed in the carrier's message and in its WebSocket frame when the voice
    is made; when they are due they are only written. Marks ride behind every :data:`MARK_SAMPLES`, and
    what they tell corrects the schedule's idea of what was heard.

    Args:
        line: Accepted.
        stream: The carrier's protocol, fresh.
        profile: Who answers.
        clock: Monotonic time.
        lead: Seconds by which audio may leave before it is due.
        on_start: Told who calls, before the first audio.
        end_call: Ends the call at the carrier, where that can be done; else closing the socket must do.
    """

    def __init__(
        self,
        line: Line,
        stream: CarrierStream,
        profile: AgentProfile,
        *,
        clock: Clock,
        lead: float,
        on_start: Callable[[CallStarted], None] = lambda _started: None,
        end_call: Callable[[CallStarted], Awaitable[None]] | None = None,
    ) -> None:
        self._line = line
        self._stream = stream
        self._profile = profile
        self._clock = clock
        self._lead = lead
        self._on_start = on_start
        self._end_call = end_call
        self._ledger = Ledger(profile)
        self._heard = HeardPosition(rate=G711_RATE)
        self._call: Call | None = None
        self._started: CallStarted | None = None
        self._closing: asyncio.Task[None] | None = None
        self._faults = 0
        self._received_samples = 0
        self._began = 0.0
        # The message that is sounding: its first sample's position, and what of it has left since it was
        # last written down.
        self._base = 0
        self._unwritten_samples = 0
        self._unwritten_words: deque[WordTime] = deque(maxlen=LAST_WORDS)
        # When the carrier, playing without delay, will have played everything sent.
        self._sounds_until = 0.0
        self._marked = 0

    # sessions.peers.peer.Peer: what the session reads

    transport = "telephone"

    @property
    def conversation(self) -> Conversation:
        return self._ledger.conversation

    @property
    def lead(self) -> float:
        return self._lead

    @property
    def turn_taking(self) -> TurnTaking:
        return TurnTaking(
            rate=G711_RATE,
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
        return self._ledger.turn_taken(seconds)

    def caller_idle(self, start: float, end: float) -> None:
        pass

    def transcribed(self, item_id: str, transcript: Transcript) -> None:
        self._ledger.transcribed(item_id, transcript)

    def not_transcribed(self, item_id: str, error: Exception) -> None:
        log.warning("a turn could not be transcribed: %s", error)

    def keys_pressed(self, digits: str) -> str:
        return self._ledger.keys_pressed(digits)

    # The agent

    def begin_reply(self) -> ReplyOrder:
        return self._ledger.begin_reply()

    def encoder(self, order: ReplyOrder, position: int) -> MulawEncoder:
        self._base = self._marked = position
        return MulawEncoder(self._line, self._stream, position=position)

    def words(self, order: ReplyOrder, delta: str) -> str:
        return self._ledger.words(order, delta)

    def send_frames(
        self, order: ReplyOrder, frames: Sequence[EncodedFrame], words: Sequence[WordTime]
    ) -> None:
        last = frames[-1]
        packets = last.payload if len(frames) == 1 else b"".join([frame.payload for frame in frames])
        position = last.pts + last.samples
        samples = position - frames[0].pts
        self._sounds_until = max(self._sounds_until, self._clock.now()) + samples / G711_RATE
        self._unwritten_samples += samples
        if words:
            self._unwritten_words.extend(words)
        if position - self._marked >= MARK_SAMPLES:
            packets += self._mark(position)
        self._line.write(packets)

    def tool_called(self, order: ReplyOrder, call: ToolCall) -> None:
        self._ledger.tool_called(order, call)

    def playback_cut(self, order: ReplyOrder, heard: float) -> None:
        self._line.send_text(self._stream.clear())
        self._write_down(order)
        fused = self._heard.at(self._base + round(heard * G711_RATE), start=self._base)
        self._heard.cleared()
        self._sounds_until = 0.0
        self._ledger.playback_cut(order, (fused.samples - self._base) / G711_RATE)

    def reply_finished(self, order: ReplyOrder, outcome: Outcome, error: Exception | None = None) -> None:
        if error is not None:
            log.warning("a reply failed: %s", error)
        self._write_down(order)
        self._ledger.reply_finished(order, outcome)

    # The call

    async def read(self, call: Call) -> None:
        self._call = call
        self._began = self._clock.now()
        patience = asyncio.get_running_loop().call_later(START_PATIENCE, self._expect_start)
        try:
            await self._line.read(self._receive)
        finally:
            patience.cancel()
            if (lost := self._heard.overdue(float("inf"))) > 0:
                metrics.lost_marks.inc(lost)
            if self._closing is not None:
                await self._closing

    def transfer(self, to: str) -> None:
        """The stream has no word for it: what follows in the dialling document must."""
        self.hang_up("completed")

    def hang_up(self, reason: HangUp) -> None:
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._end(reason), name="hang up")

    async def _end(self, reason: HangUp) -> None:
        if reason == "completed":
            # The schedule says that all was heard, and the line lags behind the schedule.
            await asyncio.sleep(self._heard.delay)
        if self._end_call is not None and self._started is not None and self._line.closed is None:
            await self._end_call(self._started)
        await self._line.close(CLOSE_CODES[reason], reason)

    def _expect_start(self) -> None:
        if self._started is None:
            self._give_up(MalformedMessage(f"no start within {START_PATIENCE:g} s"))

    # Messages

    def _receive(self, message: str | bytes) -> None:
        try:
            if not isinstance(message, str):
                raise MalformedMessage("carriers speak text")
            event = self._stream.receive(message)
        except PeerError as error:
            metrics.malformed_messages.labels("telephony").inc()
            self._faults += 1
            if self._started is None or self._faults > TOO_MANY_FAULTS:
                self._give_up(error)
            return
        assert self._call is not None
        match event:
            case MediaReceived(payload, missing):
                self._hear(payload, missing)
            case MarkReturned(name):
                lag = self._heard.returned(name, self._clock.now())
                if lag is not None:
                    metrics.mark_lag_seconds.observe(max(0.0, lag))
            case KeyPressed(digit):
                self._call.press(digit)
            case CallStarted():
                self._started = event
                self._on_start(event)
                self._call.greet()
            case CallStopped():
                self.hang_up("completed")

    def _hear(self, payload: bytes, missing: int) -> None:
        assert self._call is not None
        self._received_samples += len(payload) + missing
        if self._received_samples > (self._clock.now() - self._began + FASTEST) * G711_RATE:
            self._received_samples -= len(payload) + missing
            return
        heard = decode_mulaw(payload)
        if not self._profile.listens:
            return
        if missing:
            self._call.hear(np.zeros(missing, np.int16))
        self._call.hear(heard)

    def _give_up(self, error: PeerError) -> None:
        log.warning("the carrier broke its protocol: %s", error)
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(
                self._line.close(error.close_code, error.code), name="close after a fault"
            )

    def _mark(self, position: int) -> bytes:
        """The message, framed."""
        self._marked = position
        name = str(position)
        self._heard.sent(name, position, due=self._sounds_until)
        return self._line.framed(self._stream.mark(name))

    def _write_down(self, order: ReplyOrder) -> None:
        samples, self._unwritten_samples = self._unwritten_samples, 0
        words = tuple(self._unwritten_words)
        self._unwritten_words.clear()
        if samples:
            self._ledger.sounded(order, samples / G711_RATE, words)


class MulawEncoder:
    """
    One utterance, from mu-law to packets of 60 ms, each one whole WebSocket frame.

    The last packet is as short as it happens to be; nothing is padded.

    Args:
        position: Of the utterance's first sample on the outgoing stream.
    """

    wire = MULAW
    ptime = PACKET

    def __init__(self, line: Line, stream: CarrierStream, *, position: int) -> None:
        self._framed = line.framed
        self._media = stream.media
        self._position = position
        self._rest = b""

    def push(self, coded: bytes) -> Sequence[EncodedFrame]:
        """Take coded audio of any length, and return the packets it completes."""
        coded = self._rest + coded
        whole = len(coded) // PACKET_SAMPLES * PACKET_SAMPLES
        self._rest = coded[whole:]
        return [self._frame(coded[at : at + PACKET_SAMPLES]) for at in range(0, whole, PACKET_SAMPLES)]

    def flush(self) -> Sequence[EncodedFrame]:
        """The last packet; empty where nothing is left."""
        rest, self._rest = self._rest, b""
        return [self._frame(rest)] if rest else []

    def _frame(self, coded: bytes) -> EncodedFrame:
        message = self._media(binascii.b2a_base64(coded, newline=False).decode("ascii"))
        frame = EncodedFrame(self._framed(message), self._position, len(coded))
        self._position += len(coded)
        return frame
