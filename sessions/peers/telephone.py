"""A caller on a telephone line, behind a carrier's media stream."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from runtime import metrics
from runtime.clock import Clock
from runtime.errors import MalformedMessage, PeerError
from runtime.media.conceal import Concealer
from runtime.media.dtmf import DtmfDetector
from runtime.media.frame import EncodedFrame
from runtime.media.heard import HeardPosition
from runtime.media.line_codec import LineCodec, line_codec
from runtime.transport.line import Line
from runtime.turn.barge_in import BargeInSettings
from runtime.turn.echo import EchoDetector
from runtime.turn.endpointing import ServerVad
from runtime.wire.conversation import Conversation, WordTime
from runtime.wire.telephony import (
    CallStarted,
    CallStopped,
    CarrierStream,
    FlowChanged,
    KeyPressed,
    MarkReturned,
    MediaReceived,
    WireMessage,
)
from sessions.agent import AgentProfile
from sessions.brains.brain import ToolCall
from sessions.peers.ledger import Ledger
from sessions.peers.peer import Call, HangUp, Outcome, ReplyOrder, TurnTaking
from sessions.recognizer import Transcript
from tts.phrases import WireFormat

log = logging.getLogger(__name__)

MARK_SECONDS = 0.5
"""Audio between two marks. Between them the schedule tells what was heard; each costs as much as a packet."""

SAME_KEY_SECONDS = 1.0
"""A key that was found in the sound and is signalled within this was pressed once."""

FIRST = 0.06
"""Seconds in an utterance's first packet, where the carrier lets us choose, so that it starts early."""

LAST_WORDS = 64
"""Words of a message, the latest, whose times are kept: some 20 s, and it is never cut back as far."""

START_PATIENCE = 10.0
"""Seconds a carrier has for its start; Twilio takes some milliseconds."""

TOO_MANY_FAULTS = 20
"""Messages that break the protocol before the call is given up: a line that garbles one may recover."""

FASTEST = 10.0
"""Seconds by which audio may run ahead of the clock; what comes faster is no telephone, and is dropped."""

PCMU = line_codec("pcmu", 8_000)
"""What a line is taken to carry until its start says otherwise."""

MOST_HELD = 500
"""Messages kept for a carrier whose buffer is full: half a minute. What comes after is not sent at all."""

FAREWELL = 2.0
"""Seconds a carrier that was told to hang up has to do so."""

OUTGOING = "outgoing"
"""Direction of a call that we have placed: there may be a machine at the other end."""

CLOSE_CODES = {"completed": 1000, "draining": 1001, "fault": 1011, "expired": 1000}
"""IANA WebSocket Close Code registry."""


class Desk(Protocol):
    """Where a carrier is asked for what its stream has no word for. Failures are told, and never raised."""

    async def hang_up(self, call: CallStarted) -> bool:
        """End the call; whether the carrier says that it did."""
        ...

    async def transfer(self, call: CallStarted, to: str) -> bool:
        """Hand the caller on; whether the carrier says that it did."""
        ...


class TelephonePeer:
    """
    One call. Audio is coded both ways as the stream's start says.

    Outgoing packets are encoded, packed in the carrier's message and in its WebSocket frame when the voice
    is made; when they are due they are only written. Marks ride behind every :data:`MARK_SECONDS` and behind
    the last packet, and what they tell corrects the schedule's idea of what was heard; where the carrier has
    none, the schedule is all there is.

    Args:
        line: Accepted.
        stream: The carrier's protocol, fresh.
        profile: Who answers.
        clock: Monotonic time.
        lead: Seconds by which audio may leave before it is due.
        on_start: Told who calls, before the first audio.
        desk: Ends the call at the carrier, and hands it on, where that can be done there; else closing the
            socket must do.
        outgoing: Whether we have placed the call; the stream's start may say so, too, by a parameter
            ``direction`` that is :data:`OUTGOING`.
        keys_in_band: Whether to listen for keys in the sound, until the carrier signals one.
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
        desk: Desk | None = None,
        outgoing: bool = False,
        keys_in_band: bool = False,
    ) -> None:
        self._outgoing = outgoing
        self._keys_heard = DtmfDetector(PCMU.rate) if keys_in_band else None
        # The last key found in the sound, and when.
        self._key_heard: tuple[str, float] | None = None
        self._line = line
        self._stream = stream
        self._profile = profile
        self._clock = clock
        self._lead = lead
        self._on_start = on_start
        self._desk = desk
        self._ledger = Ledger(profile)
        self._codec = PCMU
        self._sample_bytes = PCMU.sample_bytes
        self._heard = HeardPosition(rate=PCMU.rate)
        self._echo = EchoDetector(PCMU.rate, PCMU.decode)
        self._concealer = Concealer(PCMU.rate)
        self._call: Call | None = None
        self._started: CallStarted | None = None
        # Set when the carrier has ended the call, or the line is gone.
        self._gone = asyncio.Event()
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
        # Positions behind the last packet that left, and behind the last mark.
        self._sent = 0
        self._marked = 0
        # What waits while the carrier's buffer is full; None while it is not.
        self._held: deque[bytes] | None = None

    # sessions.peers.peer.Peer: what the session reads

    transport = "telephone"

    @property
    def conversation(self) -> Conversation:
        return self._ledger.conversation

    @property
    def lead(self) -> float:
        most = self._stream.packing.most_ahead
        return self._lead if most is None else min(self._lead, most)

    @property
    def turn_taking(self) -> TurnTaking:
        return TurnTaking(
            rate=self._codec.rate,
            language=self._profile.language,
            detection=ServerVad(idle_timeout=self._profile.idle_timeout),
            barge_in=BargeInSettings() if self._profile.interruptible else None,
            echo=self._echo,
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

    def words_so_far(self, text: str) -> None:
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

    def encoder(self, order: ReplyOrder, position: int) -> CarrierEncoder:
        self._base = self._sent = self._marked = position
        return CarrierEncoder(self._line, self._stream, self._codec, position=position)

    def words(self, order: ReplyOrder, delta: str) -> str:
        return self._ledger.words(order, delta)

    def send_frames(
        self, order: ReplyOrder, frames: Sequence[EncodedFrame], words: Sequence[WordTime]
    ) -> None:
        last = frames[-1]
        packets = last.payload if len(frames) == 1 else b"".join([frame.payload for frame in frames])
        position = self._sent = last.pts + last.samples
        samples = position - frames[0].pts
        rate = self._codec.rate
        self._sounds_until = max(self._sounds_until, self._clock.now()) + samples / rate
        self._note_for_echo(frames)
        self._unwritten_samples += samples
        if words:
            self._unwritten_words.extend(words)
        if position - self._marked >= MARK_SECONDS * rate:
            packets += self._mark(position)
        self._write(packets)

    def _note_for_echo(self, frames: Sequence[EncodedFrame]) -> None:
        """What the line will play until :attr:`_sounds_until`."""
        rate = self._codec.rate
        end = frames[-1].pts + frames[-1].samples
        for frame in frames:
            if isinstance(frame, CarrierFrame):
                at = self._sounds_until - (end - frame.pts) / rate
                self._echo.plays(frame.coded, at, frame.samples / rate)

    def tool_called(self, order: ReplyOrder, call: ToolCall) -> None:
        self._ledger.tool_called(order, call)

    def playback_cut(self, order: ReplyOrder, heard: float) -> None:
        if self._held is not None:
            self._held.clear()
        self._send(self._stream.clear())
        self._send_replies()
        self._write_down(order)
        fused = self._heard.at(self._base + round(heard * self._codec.rate), start=self._base)
        self._heard.cleared()
        self._marked = self._sent
        self._sounds_until = 0.0
        self._ledger.playback_cut(order, (fused.samples - self._base) / self._codec.rate)

    def reply_finished(self, order: ReplyOrder, outcome: Outcome, error: Exception | None = None) -> None:
        if error is not None:
            log.warning("a reply failed: %s", error)
        if self._sent > self._marked:
            self._write(self._mark(self._sent))
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
            self._gone.set()
            if (lost := self._heard.overdue(float("inf"))) > 0:
                metrics.lost_marks.inc(lost)
            if self._closing is not None:
                await self._closing

    def transfer(self, to: str) -> None:
        """
        By the stream where it has a word for it, else at the carrier's desk. Where neither can, the stream is
        closed and the call left to what follows in the carrier's document or dialplan.
        """
        self._close("completed", lambda: self._hand_on(to))

    def hang_up(self, reason: HangUp) -> None:
        self._close(reason, self._take_leave)

    def _close(self, reason: HangUp, leave: Callable[[], Awaitable[None]]) -> None:
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._end(reason, leave), name="hang up")

    async def _end(self, reason: HangUp, leave: Callable[[], Awaitable[None]]) -> None:
        if reason == "completed":
            # The schedule says that all was heard, and the line lags behind the schedule.
            await asyncio.sleep(self._heard.delay)
        if self._started is not None and self._line.closed is None and not self._gone.is_set():
            await leave()
        await self._line.close(CLOSE_CODES[reason], reason)

    async def _take_leave(self) -> None:
        """Hang up, in the stream's own words where it has some, and let the carrier close it."""
        await self._say_last(self._stream.hang_up())
        if self._desk is not None and self._started is not None:
            await self._desk.hang_up(self._started)

    async def _hand_on(self, to: str) -> None:
        assert self._started is not None
        word = self._stream.transfer(to)
        if word is not None:
            await self._say_last(word)
        elif self._desk is None or not await self._desk.transfer(self._started, to):
            log.warning("call %s is not handed on; it is left to its carrier", self._started.call_id)

    async def _say_last(self, message: WireMessage | None) -> None:
        """Send it, and let the carrier close the call for it."""
        if message is not None:
            self._send(message)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FAREWELL):
                    await self._gone.wait()

    def _expect_start(self) -> None:
        if self._started is None:
            self._give_up(MalformedMessage(f"no start within {START_PATIENCE:g} s"))

    # Messages

    def _receive(self, message: str | bytes) -> None:
        try:
            event = self._stream.receive(message)
        except PeerError as error:
            metrics.malformed_messages.labels("telephony").inc()
            self._faults += 1
            if self._started is None or self._faults > TOO_MANY_FAULTS:
                self._give_up(error)
            return
        for reply in self._stream.replies():
            self._send(reply)
        if isinstance(event, MediaReceived):  # fifty times a second
            if self._profile.listens:
                self._hear(event.payload, event.missing)
            return
        assert self._call is not None
        match event:
            case MarkReturned(name):
                lag = self._heard.returned(name, self._clock.now())
                if lag is not None:
                    metrics.mark_lag_seconds.observe(max(0.0, lag))
            case KeyPressed(digit):
                # Who signals keys has them in the sound, too, at times: they are not listened for any more,
                # and the one that was heard already is not pressed twice.
                heard, self._key_heard, self._keys_heard = self._key_heard, None, None
                if heard is None or heard[0] != digit or self._clock.now() - heard[1] > SAME_KEY_SECONDS:
                    self._call.press(digit)
            case CallStarted():
                self._start(event, self._call)
            case FlowChanged(open=flows):
                self._change_flow(flows)
            case CallStopped():
                self._gone.set()
                self.hang_up("completed")

    def _start(self, started: CallStarted, call: Call) -> None:
        self._started = started
        codec = line_codec(started.coding, started.rate)
        if codec != self._codec:
            self._codec = codec
            self._sample_bytes = codec.sample_bytes
            self._heard = HeardPosition(rate=codec.rate)
            self._echo = EchoDetector(codec.rate, codec.decode)
            self._concealer = Concealer(codec.rate)
            if self._keys_heard is not None:
                self._keys_heard = DtmfDetector(codec.rate)
            call.take_turns(self.turn_taking)
        self._on_start(started)
        if self._outgoing or started.parameters.get("direction") == OUTGOING:
            call.screen()
        else:
            call.greet()

    def _change_flow(self, flows: bool) -> None:
        if not flows and self._held is None:
            self._held = deque()
        elif flows and self._held is not None:
            held, self._held = self._held, None
            self._line.write(b"".join(held))

    def _hear(self, payload: bytes, missing: int) -> None:
        assert self._call is not None
        samples = len(payload) // self._sample_bytes + missing
        self._received_samples += samples
        if self._received_samples > (self._clock.now() - self._began + FASTEST) * self._codec.rate:
            self._received_samples -= samples
            return
        self._echo.came_in(self._clock.now())
        if missing:
            self._call.hear(self._concealer.lost(missing))
        heard = self._concealer.heard(self._codec.decode(payload))
        self._call.hear(heard)
        if self._keys_heard is not None:
            for key in self._keys_heard.push(heard):
                self._key_heard = (key, self._clock.now())
                self._call.press(key)

    def _give_up(self, error: PeerError) -> None:
        log.warning("the carrier broke its protocol: %s", error)
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(
                self._line.close(error.close_code, error.code), name="close after a fault"
            )

    def _mark(self, position: int) -> bytes:
        """The message, framed; empty where the carrier has no marks."""
        self._marked = position
        name = str(position)
        message = self._stream.mark(name)
        if message is None:
            return b""
        self._heard.sent(name, position, due=self._sounds_until)
        return self._line.framed(message)

    def _write(self, framed: bytes) -> None:
        """Send what is played in its turn: it waits where the carrier's buffer is full."""
        if self._held is None:
            self._line.write(framed)
        elif len(self._held) < MOST_HELD:
            self._held.append(framed)

    def _send(self, message: WireMessage | None) -> None:
        if message is not None:
            self._line.write(self._line.framed(message))

    def _send_replies(self) -> None:
        for reply in self._stream.replies():
            self._send(reply)

    def _write_down(self, order: ReplyOrder) -> None:
        samples, self._unwritten_samples = self._unwritten_samples, 0
        words = tuple(self._unwritten_words)
        self._unwritten_words.clear()
        if samples:
            self._ledger.sounded(order, samples / self._codec.rate, words)


@dataclass(frozen=True, slots=True)
class CarrierFrame(EncodedFrame):
    """A packet that can still be heard: what an echo of it is known by."""

    coded: bytes
    """Its samples as the line carries them."""


class CarrierEncoder:
    """
    One utterance, from coded samples to a carrier's packets, each one whole WebSocket frame.

    The last packet is as short as it happens to be, or filled up with silence to the carrier's grain; the
    silence counts as audio, so that positions stay true.

    Args:
        position: Of the utterance's first sample on the outgoing stream.
    """

    def __init__(self, line: Line, stream: CarrierStream, codec: LineCodec, *, position: int) -> None:
        packing = stream.packing
        self.wire = WireFormat(codec.name, codec.rate, codec.encode)
        self.ptime = packing.seconds
        self._framed = line.framed
        self._play = stream.play
        self._codec = codec
        self._packet_bytes = _bytes_in(packing.seconds, codec)
        self._next_bytes = _bytes_in(max(min(FIRST, packing.seconds), packing.grain), codec)
        self._grain_bytes = _bytes_in(packing.grain, codec)
        self._position = position
        self._rest = b""

    def push(self, coded: bytes) -> Sequence[EncodedFrame]:
        """Take coded audio of any length, and return the packets it completes."""
        waiting = self._rest + coded
        frames = []
        start = 0
        while len(waiting) - start >= self._next_bytes:
            frames.append(self._frame(waiting[start : start + self._next_bytes]))
            start += self._next_bytes
            self._next_bytes = self._packet_bytes
        self._rest = waiting[start:]
        return frames

    def flush(self) -> Sequence[EncodedFrame]:
        """The last packet; empty where nothing is left."""
        rest, self._rest = self._rest, b""
        if not rest:
            return []
        if self._grain_bytes:
            missing = -len(rest) % self._grain_bytes
            rest += self._codec.silence * (missing // self._codec.sample_bytes)
        return [self._frame(rest)]

    def _frame(self, coded: bytes) -> EncodedFrame:
        samples = len(coded) // self._codec.sample_bytes
        frame = CarrierFrame(self._framed(self._play(coded)), self._position, samples, coded)
        self._position += samples
        return frame


def _bytes_in(seconds: float, codec: LineCodec) -> int:
    return round(seconds * codec.rate) * codec.sample_bytes
