"""A peer that is listened in on: what was meant to be said and when, and both sides put on tape."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import cast

from runtime.clock import Clock
from runtime.media.frame import EncodedFrame, Pcm
from runtime.wire.conversation import Conversation, Message, WordTime
from sessions.brains.brain import ToolCall
from sessions.peers.peer import Call, FrameEncoder, HangUp, Outcome, Peer, ReplyOrder, TurnTaking
from sessions.recognizer import Transcript
from sessions.tape import CODINGS, Coding, Sound, Tape, coded_bytes

log = logging.getLogger(__name__)


class NotedPeer:
    """
    Passes everything on to ``peer``, in both directions.

    Args:
        peer: The other side.
        clock: Monotonic time.
        tape: Where both sides' sound goes; None records nothing.
    """

    def __init__(self, peer: Peer, *, clock: Clock, tape: Tape | None = None) -> None:
        self._peer = peer
        self._clock = clock
        self._now = clock.now
        self._tape = tape
        self._began = clock.now()
        self._encoder: TapedEncoder | None = None
        self._rate = 1
        # The message that each reply is saying.
        self._saying: dict[str, str] = {}
        self.times: dict[str, tuple[float, float]] = {}
        """When each item of the conversation began and ended to sound, in seconds of the call."""
        self.meant: dict[str, str] = {}
        """The whole text of each message of the agent, whatever was heard of it."""

    # The caller

    def speech_started(self, at: float) -> None:
        self._peer.speech_started(at)

    def speech_stopped(self, at: float) -> None:
        self._peer.speech_stopped(at)

    def turn_taken(self, seconds: float) -> str:
        item_id = self._peer.turn_taken(seconds)
        end = self._now() - self._began
        self.times[item_id] = (max(0.0, end - seconds), end)
        return item_id

    def caller_idle(self, start: float, end: float) -> None:
        self._peer.caller_idle(start, end)

    def words_so_far(self, text: str) -> None:
        self._peer.words_so_far(text)

    def transcribed(self, item_id: str, transcript: Transcript) -> None:
        self._peer.transcribed(item_id, transcript)

    def not_transcribed(self, item_id: str, error: Exception) -> None:
        self._peer.not_transcribed(item_id, error)

    def keys_pressed(self, digits: str) -> str:
        return self._peer.keys_pressed(digits)

    # The agent

    def begin_reply(self) -> ReplyOrder:
        return self._peer.begin_reply()

    def encoder(self, order: ReplyOrder, position: int) -> FrameEncoder:
        encoder = self._peer.encoder(order, position)
        self._rate = encoder.wire.rate
        if self._tape is None:
            return encoder
        if encoder.wire.name.partition("/")[0] not in CODINGS:
            log.warning("the agent's side is not recorded: nobody here decodes %s", encoder.wire.name)
            self._encoder = None
            return encoder
        self._encoder = TapedEncoder(encoder, position=position)
        return self._encoder

    def words(self, order: ReplyOrder, delta: str) -> str:
        said = self._peer.words(order, delta)
        if said and (item_id := self._last_message()) is not None:
            self._saying[order.id] = item_id
        if (item_id := self._saying.get(order.id)) is not None:
            self.meant[item_id] = self.meant.get(item_id, "") + delta
        return said

    def send_frames(
        self, order: ReplyOrder, frames: Sequence[EncodedFrame], words: Sequence[WordTime]
    ) -> None:
        self._peer.send_frames(order, frames, words)
        now = self._now()
        if (item_id := self._saying.get(order.id)) is not None:
            begin, end = self.times.get(item_id, (now - self._began, now - self._began))
            seconds = (frames[-1].pts + frames[-1].samples - frames[0].pts) / self._rate
            self.times[item_id] = (begin, max(end, now - self._began) + seconds)
        if self._tape is not None and self._encoder is not None:
            self._tape.say(self._encoder.left(frames), now)

    def tool_called(self, order: ReplyOrder, call: ToolCall) -> None:
        self._peer.tool_called(order, call)

    def playback_cut(self, order: ReplyOrder, heard: float) -> None:
        self._peer.playback_cut(order, heard)
        now = self._now()
        if (item_id := self._saying.get(order.id)) is not None and item_id in self.times:
            begin, end = self.times[item_id]
            self.times[item_id] = (begin, min(end, max(now - self._began, begin)))
        if self._tape is not None and self._encoder is not None:
            self._tape.unsay(max(0.0, self._encoder.seconds_left - heard), now)

    def reply_finished(self, order: ReplyOrder, outcome: Outcome, error: Exception | None = None) -> None:
        self._peer.reply_finished(order, outcome, error)
        self._saying.pop(order.id, None)

    # The call

    @property
    def transport(self) -> str:
        return self._peer.transport

    @property
    def conversation(self) -> Conversation:
        return self._peer.conversation

    @property
    def lead(self) -> float:
        return self._peer.lead

    @property
    def turn_taking(self) -> TurnTaking:
        return self._peer.turn_taking

    async def read(self, call: Call) -> None:
        if self._tape is not None:
            call = TapedCall(call, self._tape, rate=self._peer.turn_taking.rate, clock=self._clock)
        await self._peer.read(call)

    def transfer(self, to: str) -> None:
        self._peer.transfer(to)

    def hang_up(self, reason: HangUp) -> None:
        self._peer.hang_up(reason)

    def _last_message(self) -> str | None:
        last = self._peer.conversation.last_id
        if last is None:
            return None
        item = self._peer.conversation.get(last)
        return item.id if isinstance(item, Message) and item.role == "assistant" else None


class TapedEncoder:
    """
    An utterance's encoder that remembers what it was given until that has left.

    Args:
        encoder: Of the peer.
        position: Of the utterance's first sample on the outgoing stream.
    """

    def __init__(self, encoder: FrameEncoder, *, position: int) -> None:
        self._encoder = encoder
        self.wire = encoder.wire
        self.ptime = encoder.ptime
        self._coding = cast(Coding, encoder.wire.name.partition("/")[0])
        self._coded = bytearray()
        self._first = self._position = position

    def push(self, coded: bytes) -> Sequence[EncodedFrame]:
        """See :class:`FrameEncoder`."""
        self._coded += coded
        return self._encoder.push(coded)

    def flush(self) -> Sequence[EncodedFrame]:
        """See :class:`FrameEncoder`."""
        return self._encoder.flush()

    def left(self, frames: Sequence[EncodedFrame]) -> Sound:
        """The sound of packets that leave now."""
        end = frames[-1].pts + frames[-1].samples
        samples = end - self._position
        size = coded_bytes(self._coding, self._coded, samples, self.wire.rate)
        coded = bytes(self._coded[:size])
        del self._coded[:size]
        self._position = end
        return Sound(self.wire.rate, samples, coded, self._coding)

    @property
    def seconds_left(self) -> float:
        """How much of the utterance has left."""
        return (self._position - self._first) / self.wire.rate


class TapedCall:
    """The session, as a peer's reader sees it, with the caller's sound put on tape."""

    def __init__(self, call: Call, tape: Tape, *, rate: int, clock: Clock) -> None:
        self._call = call
        self._tape = tape
        self._rate = rate
        self._now = clock.now

    def hear(self, pcm: Pcm) -> None:
        self._tape.hear(Sound(self._rate, len(pcm), pcm.astype("<i2", copy=False).tobytes()), self._now())
        self._call.hear(pcm)

    def take_turns(self, how: TurnTaking) -> None:
        self._rate = how.rate
        self._call.take_turns(how)

    async def caught_up(self) -> None:
        await self._call.caught_up()

    def commit(self, item_id: str) -> None:
        self._call.commit(item_id)

    def discard(self) -> None:
        self._call.discard()

    def recognise(self, item_id: str, pcm: Pcm) -> None:
        self._call.recognise(item_id, pcm)

    def press(self, digit: str) -> None:
        self._call.press(digit)

    def greet(self) -> None:
        self._call.greet()

    def screen(self) -> None:
        self._call.screen()

    def order(self, order: ReplyOrder) -> None:
        self._call.order(order)

    def stop(self, order_id: str) -> None:
        self._call.stop(order_id)

    def clear_playback(self) -> None:
        self._call.clear_playback()

    def hold_line(self) -> None:
        self._call.hold_line()

    def release_line(self) -> None:
        self._call.release_line()

    async def resolve_voice(self, ref: str) -> None:
        await self._call.resolve_voice(ref)
