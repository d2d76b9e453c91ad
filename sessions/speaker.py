"""The agent's voice in one call: utterances put on the schedule, and stopped at once when told to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from runtime.clock import Clock
from runtime.media.frame import EncodedFrame
from runtime.media.scheduler import Playout
from runtime.transport.pacer import Pacer
from runtime.wire.conversation import WordTime
from sessions.peers.peer import FrameEncoder, ReplyOrder
from sessions.timeline import Timeline
from sessions.utterance import END, Utterance
from tts.engine import Conditioning, SpeechEngine
from tts.stream import SpeechStream


class AudioOut(Protocol):
    """The part of a peer that carries our voice."""

    @property
    def lead(self) -> float: ...

    def encoder(self, order: ReplyOrder, position: int) -> FrameEncoder: ...

    def send_frames(
        self, order: ReplyOrder, frames: Sequence[EncodedFrame], words: Sequence[WordTime]
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Cut:
    """Where an utterance was stopped."""

    order: ReplyOrder
    heard: float
    """Seconds of it that the caller has heard, by the schedule."""


class Speaker:
    """
    Say one utterance after another on one playout.

    Args:
        engine: Shared by all calls.
        pacer: Shared; decides when packets leave.
        out: Where they go.
        clock: Monotonic time.
    """

    def __init__(self, *, engine: SpeechEngine, pacer: Pacer, out: AudioOut, clock: Clock) -> None:
        self._engine = engine
        self._pacer = pacer
        self._out = out
        self._clock = clock
        self._playout: Playout | None = None
        self._utterance: Utterance | None = None
        self._held = False

    @property
    def audible(self) -> bool:
        """Whether the caller hears us now, or would if we were not held."""
        if self._held or (self._utterance is not None and self._utterance.sounding):
            return True
        quiet_at = self.quiet_at
        return quiet_at is not None and self._clock.now() < quiet_at

    @property
    def held(self) -> bool:
        return self._held

    @property
    def quiet_at(self) -> float | None:
        """When the caller will have heard everything, monotonic seconds; None while nothing plays."""
        return self._playout.dry_at if self._playout is not None else None

    async def begin(self, order: ReplyOrder, conditioning: Conditioning, timeline: Timeline) -> Utterance:
        """Open the utterance of a reply, once the one before has been said or was cleared."""
        while self._utterance is not None and not self._utterance.over:
            await self._utterance.ended()
        position = self._playout.pushed_samples if self._playout is not None else 0
        encoder = self._out.encoder(order, position)
        playout = self._playout
        if playout is None or playout.closed or playout.rate != encoder.rate:
            playout, encoder = self._reopen(encoder), self._out.encoder(order, 0)
        stream = SpeechStream(
            self._engine,
            conditioning,
            clock=self._clock,
            deadline=lambda: playout.dry_at or self._clock.now(),
            speed=order.speed,
        )
        self._utterance = Utterance(order, stream, playout, encoder, timeline, self._clock)
        return self._utterance

    def hold(self) -> None:
        """Fall silent without losing a sample: the caller may want the floor."""
        if self._playout is not None and not self._held:
            self._held = True
            self._playout.pause(self._clock.now())

    def release(self) -> None:
        """Go on from the very sample at which :meth:`hold` stopped."""
        if self._playout is not None and self._held:
            self._held = False
            self._playout.resume(self._clock.now())

    def clear(self) -> Cut | None:
        """
        Stop: nothing more of what was queued leaves, and nothing more is synthesised.

        Returns how much was heard, also where the last packet had left but was still on its way to the
        caller's ear; None where nothing was to be heard any more.
        """
        audible = self.audible
        self._held = False
        if self._playout is None or self._utterance is None:
            return None
        cleared = self._playout.clear(self._clock.now())
        utterance, self._utterance = self._utterance, None
        utterance.cancel()
        return Cut(utterance.order, utterance.heard(cleared.heard)) if audible else None

    def close(self) -> None:
        """Say nothing more. Harmless twice."""
        self.clear()
        if self._playout is not None:
            self._playout.close()

    # The pacer's sink

    def send_frames(self, frames: Sequence[EncodedFrame]) -> None:
        """Packets are due."""
        if self._utterance is not None:
            self._out.send_frames(self._utterance.order, frames, self._utterance.words_of(frames))

    def marks_passed(self, names: Sequence[str]) -> None:
        """The end of an utterance has left."""
        if self._utterance is not None and END in names:
            self._utterance.left()

    def _reopen(self, encoder: FrameEncoder) -> Playout:
        if self._playout is not None:
            self._playout.close()
        self._playout = self._pacer.open(self, rate=encoder.rate, lead=self._out.lead, ptime=encoder.ptime)
        return self._playout
