"""One caller, heard: packets in, turns out, and the audio of each turn on its way to the recogniser."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from runtime.media.frame import LISTENING_RATE, Pcm
from runtime.media.resample import Quality, StreamResampler
from runtime.turn.barge_in import BargeInDetector
from runtime.turn.endpointing import Endpointer
from runtime.turn.events import (
    BargedIn,
    Ducked,
    FalseAlarm,
    IdleTimedOut,
    SpeechStarted,
    SpeechStopped,
    TurnEnded,
    TurnEvent,
    VadWindow,
)
from sessions.hearing import TICK, Hearing
from sessions.peers.peer import TurnTaking
from sessions.recognizer import Recognizer, RecognizerStream

MEMORY = 0.75
"""Seconds kept beyond the pre-roll: what the VAD needs to make up its mind, a slice and a tick."""

SLICE = 0.25
"""Seconds of audio taken in before it is judged: eight windows, about a millisecond of work."""

SLICES = 2
"""Slices of one call in a tick: a recording sent at once is heard 25 times faster than it was spoken."""

BACKLOG = 10.0
"""Seconds that may wait before the peer is asked to read no further."""

ECHO_FROM = 0.3
"""Speech probability from which a window is compared with what we say: less opens no turn."""

LONGEST_TURN = 120.0
"""Seconds of a turn that are recognised; what is said beyond is not kept. Bounds memory."""


@dataclass(frozen=True, slots=True)
class CallerTurn:
    """A turn that is over. Its audio is with the recogniser already."""

    ended: TurnEnded
    speech: RecognizerStream | None
    """Finish or abandon it; None where there is no recogniser."""


ListenerEvent: TypeAlias = (
    SpeechStarted | SpeechStopped | CallerTurn | IdleTimedOut | Ducked | BargedIn | FalseAlarm
)


class Listener:
    """
    Listen to one caller from the first packet on.

    While our own voice is in the air (``audible``), speech is not yet a turn: it is withheld until the
    barge-in detector is sure. :class:`Ducked` then asks for our audio to be held; either :class:`BargedIn`
    follows, after the :class:`SpeechStarted` that was withheld, or :class:`FalseAlarm`, and the sound is
    forgotten.

    Args:
        hearing: The VAD shared by all calls.
        recognizer: Shared; None recognises nothing.
        turns: How to listen; may change in mid-call.
        audible: Asked at every window: does the caller hear us now, and is there more than an end to come?
        on_event: Told, from the event loop, what happened.
        on_speech: Given the recogniser's stream of each turn that may be one, as it opens.
        on_fault: Given what any of these raised; nothing is heard from then on.
        expects: Asked as each turn opens: what the caller may well say.
    """

    def __init__(
        self,
        hearing: Hearing,
        recognizer: Recognizer | None,
        *,
        turns: TurnTaking,
        audible: Callable[[], bool],
        on_event: Callable[[ListenerEvent], None],
        on_speech: Callable[[RecognizerStream], None],
        on_fault: Callable[[Exception], None],
        expects: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        self._recognizer = recognizer
        self._expects = expects
        self._turns = turns
        self._audible = audible
        self._on_event = on_event
        self._on_speech = on_speech
        self._ear = hearing.open(self._on_window, on_fault=on_fault)
        self._resampler: StreamResampler | None = None
        # What came in faster than it may be judged, at the wire's rate.
        self._inbox: deque[Pcm] = deque()
        self._inbox_samples = 0
        self._timer: asyncio.TimerHandle | None = None
        self._received = 0
        # The newest audio, with the position of its first sample; pre-roll is taken from here.
        self._recent: deque[Pcm] = deque()
        self._recent_start = 0
        self._speech: RecognizerStream | None = None
        self._speech_before: RecognizerStream | None = None
        self._turn_from = 0
        self._withheld: list[TurnEvent] = []
        self._endpointer = Endpointer(turns.detection)
        self._barge_in = _detector(turns)

    @property
    def received_samples(self) -> int:
        """How much of the caller has come in, at 16 kHz."""
        return self._received

    @property
    def in_turn(self) -> bool:
        """Whether the caller holds a turn that is not over."""
        return self._speech is not None or self._endpointer.turn_start is not None

    def hear(self, pcm: Pcm) -> None:
        """Take the caller's next audio: mono int16 at the wire's rate, any length."""
        self._inbox.append(pcm)
        self._inbox_samples += len(pcm)
        if self._timer is None:
            self._take_in()

    async def caught_up(self) -> None:
        """Wait while more than some seconds of audio wait to be judged."""
        excess = self._inbox_samples / self._turns.rate - BACKLOG
        if excess > 0 and self._timer is not None:
            await asyncio.sleep(excess / (SLICES * SLICE) * TICK)

    def _take_in(self) -> None:
        """Listen to what waits: no more at once than leaves the other calls their time."""
        self._timer = None
        if self._turns.detection is None:
            self._flush_inbox()
            return
        for _ in range(SLICES):
            self._listen(self._at_listening_rate(self._next_slice()))
            if not self._inbox:
                return
            self._ear.judge()
        self._timer = asyncio.get_running_loop().call_later(TICK, self._take_in)

    def _next_slice(self) -> Pcm:
        pcm = self._inbox.popleft()
        longest = round(SLICE * self._turns.rate)
        if len(pcm) > longest:
            self._inbox.appendleft(pcm[longest:])
            pcm = pcm[:longest]
        self._inbox_samples -= len(pcm)
        return pcm

    def _flush_inbox(self) -> None:
        """Take in all that waits, for a cut at the very end of it."""
        for pcm in self._inbox:
            self._listen(self._at_listening_rate(pcm))
        self._inbox.clear()
        self._inbox_samples = 0

    def _listen(self, heard: Pcm) -> None:
        if len(heard) == 0:
            return
        self._received += len(heard)
        self._remember(heard)
        if self._turns.detection is None and self._speech is None:
            self._open_speech(self._turn_from)
        elif self._speech is not None and self._received - self._turn_from <= LONGEST_TURN * LISTENING_RATE:
            self._speech.push(heard)
        if self._turns.detection is not None:
            self._ear.push(heard)

    def commit(self) -> CallerTurn:
        """The peer says that the turn is over."""
        self._flush_inbox()
        speech, self._speech = self._speech, None
        ended = TurnEnded(self._turn_from, self._received, self._received, "silence")
        self._begin_anew()
        return CallerTurn(ended, speech)

    def discard(self) -> None:
        """Forget what was heard since the last turn."""
        self._flush_inbox()
        self._abandon()
        self._begin_anew()

    def take_turns(self, turns: TurnTaking) -> None:
        """Listen like this from the next packet on."""
        before, self._turns = self._turns, turns
        if turns.rate != before.rate:
            self._resampler = None
        if turns.barge_in != before.barge_in:
            self._barge_in = _detector(turns)
        if turns.detection is not None:
            self._endpointer.configure(turns.detection)
        if (turns.detection is None) != (before.detection is None):
            self.discard()

    def transcribed(self, text: str) -> None:
        """The words so far of the open turn, for whoever decides by words."""
        self._endpointer.transcribed(text)
        if self._barge_in is not None:
            self._barge_in.transcribed(text)

    @property
    def speech(self) -> RecognizerStream | None:
        """The open turn's recogniser stream."""
        return self._speech

    def wait_for_caller(self) -> None:
        """Our reply has been heard: the idle timeout runs."""
        self._endpointer.wait_for_caller()

    def stop_waiting(self) -> None:
        """We are about to speak: no idle timeout."""
        self._endpointer.stop_waiting()

    def close(self) -> None:
        """Stop listening. Harmless twice."""
        if self._timer is not None:
            self._timer.cancel()
        self._inbox.clear()
        self._inbox_samples = 0
        self._ear.close()
        self._abandon()

    def _at_listening_rate(self, pcm: Pcm) -> Pcm:
        """
        Resample with what costs the least time, since every turn ends later by it.

        libsoxr works in blocks: at ``HQ`` it holds 20 ms packets back by 64 ms on average from 8 kHz and by
        21 ms from 24 kHz; at ``QQ`` by nothing, at ``LQ`` by 11 ms. ``QQ`` has no filter, which upwards
        leaves faint images above 4 kHz: VAD decisions change in 0.3 % of windows, words not for the worse.
        """
        if self._resampler is None:
            quality: Quality = "QQ" if self._turns.rate < LISTENING_RATE else "LQ"
            self._resampler = StreamResampler(self._turns.rate, LISTENING_RATE, quality=quality)
        return self._resampler.push(pcm)

    def _remember(self, heard: Pcm) -> None:
        self._recent.append(heard)
        keep = round((self._endpointer.settings.prefix_padding + MEMORY) * LISTENING_RATE)
        while self._received - self._recent_start - len(self._recent[0]) >= keep:
            self._recent_start += len(self._recent.popleft())

    def _open_speech(self, start: int) -> None:
        """Give the recogniser what is remembered from ``start`` on; the rest follows as it comes in."""
        self._abandon()
        self._turn_from = max(start, self._recent_start)
        if self._recognizer is None:
            return
        self._speech = self._recognizer.open(
            self._turns.language, after=self._speech_before, expects=self._expects()
        )
        self._speech_before = self._speech
        position = self._recent_start
        for block in self._recent:
            skip = self._turn_from - position
            position += len(block)
            if skip < len(block):
                self._speech.push(block[max(skip, 0) :])
        self._on_speech(self._speech)

    def _abandon(self) -> None:
        if self._speech is not None:
            self._speech.abandon()
            self._speech = None

    def _begin_anew(self) -> None:
        self._turn_from = self._received
        self._withheld.clear()
        self._endpointer.reset()
        if self._barge_in is not None:
            self._barge_in.reset()

    def _on_window(self, window: VadWindow) -> None:
        if self._turns.detection is None:
            return
        window = self._without_echo(window)
        covered = self._barge_in is not None and self._audible()
        if not covered:
            self._release_withheld()
        for event in self._endpointer.push(window.probability):
            if isinstance(event, SpeechStarted):
                self._open_speech(event.at)
            if covered and (self._withheld or isinstance(event, SpeechStarted)):
                self._withheld.append(event)
            else:
                self._tell(event)
        if covered:
            self._watch_for_barge_in(window)

    def _without_echo(self, window: VadWindow) -> VadWindow:
        """The window, silent if it is our own voice that is heard in it."""
        echo = self._turns.echo
        if echo is None or window.probability < ECHO_FROM or not echo.may_return:
            return window
        heard = np.concatenate(self._recent)[: window.end - self._recent_start]
        age = (self._received - window.end) / LISTENING_RATE
        return replace(window, probability=0.0) if echo.is_echo(heard, age=age) else window

    def _watch_for_barge_in(self, window: VadWindow) -> None:
        assert self._barge_in is not None
        decision = self._barge_in.push(window)
        if isinstance(decision, Ducked):
            self._on_event(decision)
        elif isinstance(decision, BargedIn):
            withheld, self._withheld = self._withheld, []
            for event in withheld[:1]:
                self._tell(event)
            self._on_event(decision)
            for event in withheld[1:]:
                self._tell(event)
        elif isinstance(decision, FalseAlarm):
            self._withheld.clear()
            self._abandon()
            self._endpointer.reset()
            self._on_event(decision)

    def _release_withheld(self) -> None:
        """We fell silent while undecided: whatever it was, it covers nothing any more."""
        if self._barge_in is not None:
            self._barge_in.reset()
        withheld, self._withheld = self._withheld, []
        for event in withheld:
            self._tell(event)

    def _tell(self, event: TurnEvent) -> None:
        if isinstance(event, TurnEnded):
            speech, self._speech = self._speech, None
            self._turn_from = event.end
            self._on_event(CallerTurn(event, speech))
        elif isinstance(event, SpeechStarted | SpeechStopped | IdleTimedOut):
            self._on_event(event)


def _detector(turns: TurnTaking) -> BargeInDetector | None:
    return BargeInDetector(turns.barge_in) if turns.barge_in is not None else None
