"""When callers' audio is judged: one pass of the VAD per tick, over every call that has audio."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from runtime.media.frame import Pcm
from runtime.turn.events import VadWindow
from runtime.turn.vad import VadBatch, VadStream

log = logging.getLogger(__name__)

TICK = 0.020
"""Seconds from the first audio that waits to the pass that judges it. One packet of telephony: a shorter tick
would judge fewer calls at a time and cost more, a longer one would make every barge-in later."""


class Hearing:
    """
    Judge all calls' audio together, a tick after the first of it came in; no audio, no tick.

    Args:
        batch: The model and the state of every caller.
        tick: Seconds audio may wait for company.
    """

    def __init__(self, batch: VadBatch, *, tick: float = TICK) -> None:
        self._batch = batch
        self._tick = tick
        self._ears: dict[VadStream, Ear] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._ears)

    def open(self, on_window: Callable[[VadWindow], None], *, on_fault: Callable[[Exception], None]) -> Ear:
        """
        Take in a caller.

        Args:
            on_window: Given each of their windows, in order, from the event loop.
            on_fault: Given what ``on_window`` raised; the caller is deaf from then on.
        """
        stream = self._batch.open()
        ear = Ear(self, stream, on_window, on_fault)
        self._ears[stream] = ear
        return ear

    def close(self) -> None:
        """Stop ticking; ears that are still open hear nothing more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._tick, self._on_tick)

    def _on_tick(self) -> None:
        self._timer = None
        self.judge()

    def judge(self) -> None:
        """One pass over all audio that waits."""
        for stream, window in self._batch.step():
            ear = self._ears.get(stream)
            if ear is None:
                continue
            try:
                ear.on_window(window)
            except Exception as fault:
                # One call's fault must not deafen the calls judged after it.
                log.exception("a caller's window could not be taken in")
                ear.close()
                ear.on_fault(fault)

    def _forget(self, stream: VadStream) -> None:
        if self._ears.pop(stream, None) is not None:
            stream.close()


class Ear:
    """One caller's place in the shared pass. Made by :meth:`Hearing.open`."""

    __slots__ = ("_hearing", "_stream", "on_fault", "on_window")

    def __init__(
        self,
        hearing: Hearing,
        stream: VadStream,
        on_window: Callable[[VadWindow], None],
        on_fault: Callable[[Exception], None],
    ) -> None:
        self._hearing = hearing
        self._stream = stream
        self.on_window = on_window
        self.on_fault = on_fault

    def push(self, pcm: Pcm) -> None:
        """Add mono int16 at 16 kHz, any length; judged within a tick."""
        self._stream.push(pcm)
        if self._stream.ready_windows:
            self._hearing._arm()

    def judge(self) -> None:
        """Do not wait for the tick: what was pushed is judged now."""
        self._hearing.judge()

    def close(self) -> None:
        """Leave. Harmless twice."""
        self._hearing._forget(self._stream)
        self.on_window = _deaf


def _deaf(_window: VadWindow) -> None:
    """Who listens to nobody any more holds on to nobody."""
