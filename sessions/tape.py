"""
Both sides of a call on one clock, as they were heard. No clock is read here: callers pass ``now``.

Sound comes in two tracks, the caller's and the agent's. Each block is put where it sounded: the caller's ends
when it came in, the agent's begins when it left, or where the block before it ends. What lies between is
silence. So the tracks stay as long as the call, whoever is quiet, and beside each other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

Coding: TypeAlias = Literal["pcm", "l16", "pcmu", "pcma", "opus"]
CODINGS: frozenset[str] = frozenset(get_args(Coding))

OPUS_PACKET = 0.02
"""Seconds in each packet of a wire that carries Opus."""

PACKET_HEADER_BYTES = 2
"""Before each Opus packet: its length."""

SETTLED = 2.5
"""Seconds after which nothing said is taken back: longer than any wire's lead, with a line's delay."""

JITTER = 0.12
"""Seconds by which the caller's audio may come late before that is a pause of theirs."""

FURTHEST_AHEAD = 30.0
"""Seconds of the caller that may come faster than they were spoken; more is dropped. Bounds memory."""

MOST_HELD = 60.0
"""Seconds of one side that wait to be taken; what comes beyond is kept as silence. Bounds memory."""


@dataclass(frozen=True, slots=True)
class Sound:
    """Some audio of one side; without bytes it is silence."""

    rate: int
    """Hz."""
    samples: int
    coded: bytes = b""
    coding: Coding = "pcm"
    """Of ``coded``: s16le as ``pcm`` or ``l16``; G.711; Opus packets, each after its length in two bytes."""

    @property
    def seconds(self) -> float:
        return self.samples / self.rate

    def split(self, samples: int) -> tuple[Sound, Sound]:
        """The first ``samples`` of it, or of Opus the whole packets in them, and the rest."""
        if self.coding == "opus" and self.coded:
            samples -= samples % round(OPUS_PACKET * self.rate)
        at = coded_bytes(self.coding, self.coded, samples, self.rate)
        return (
            Sound(self.rate, samples, self.coded[:at], self.coding),
            Sound(self.rate, self.samples - samples, self.coded[at:], self.coding),
        )


class Track:
    """One side: blocks that follow each other without a gap."""

    def __init__(self) -> None:
        self._blocks: deque[Sound] = deque()
        self._rate = 8_000
        self.end = 0.0
        """Seconds from the beginning of the call to where the next block goes."""
        self._taken = 0.0

    def lay(self, sound: Sound, *, at: float) -> None:
        """Add a block that begins ``at`` seconds, or where the track ends if that is later."""
        self._rate = sound.rate
        self.fill(at)
        held = self.end - self._taken > MOST_HELD
        self._add(Sound(sound.rate, sound.samples) if held else sound)

    def fill(self, until: float) -> None:
        """Be silent up to there."""
        samples = round((until - self.end) * self._rate)
        if samples > 0:
            self._add(Sound(self._rate, samples))

    def cut(self, back_to: float) -> None:
        """Take back what was laid beyond ``back_to`` and was not taken yet."""
        while self._blocks and self.end > back_to:
            last = self._blocks.pop()
            self.end -= last.seconds
            keep = round((back_to - self.end) * last.rate)
            if keep > 0:
                self._add(last.split(min(keep, last.samples))[0])
                return

    def take(self, until: float) -> Sequence[Sound]:
        """What lies before ``until``; it is no longer held."""
        taken = []
        while self._blocks:
            block = self._blocks[0]
            if self._taken + block.seconds <= until:
                taken.append(self._blocks.popleft())
            else:
                block, rest = block.split(max(0, int((until - self._taken) * block.rate)))
                if block.samples == 0:
                    break
                self._blocks[0] = rest
                taken.append(block)
            self._taken += block.seconds
        return taken

    def _add(self, sound: Sound) -> None:
        self._blocks.append(sound)
        self.end += sound.seconds


class Tape:
    """
    Args:
        began: When the call began, monotonic seconds.
    """

    def __init__(self, *, began: float) -> None:
        self._began = began
        self._caller = Track()
        self._agent = Track()

    def hear(self, sound: Sound, now: float) -> None:
        """The caller's next audio came in."""
        if self._caller.end + sound.seconds - (now - self._began) > FURTHEST_AHEAD:
            return
        spoken = now - self._began - sound.seconds
        self._caller.lay(sound, at=spoken if spoken - self._caller.end > JITTER else 0.0)

    def say(self, sound: Sound, now: float) -> None:
        """The agent's next audio left."""
        self._agent.lay(sound, at=now - self._began)

    def unsay(self, seconds: float, now: float) -> None:
        """The last ``seconds`` that were said never reached the caller's ear."""
        self._agent.cut(max(self._agent.end - seconds, now - self._began - SETTLED))

    def take(self, now: float) -> tuple[Sequence[Sound], Sequence[Sound]]:
        """The caller's and the agent's sound that is settled, both up to the same moment."""
        until = now - self._began - SETTLED
        for track in (self._caller, self._agent):
            track.fill(until)
        return self._caller.take(until), self._agent.take(until)

    def rest(self, now: float) -> tuple[Sequence[Sound], Sequence[Sound]]:
        """The call is over: what is left of both sides, up to now."""
        until = now - self._began
        for track in (self._caller, self._agent):
            track.cut(until)
            track.fill(until)
        return self._caller.take(until + 1.0), self._agent.take(until + 1.0)

    def seconds(self, now: float) -> float:
        """How long the call has lasted."""
        return now - self._began


def coded_bytes(coding: Coding, coded: bytes | bytearray, samples: int, rate: int) -> int:
    """How many bytes of ``coded`` are its first ``samples``; of Opus, the whole packets in them."""
    if coding != "opus":
        return samples * (2 if coding in ("pcm", "l16") else 1)
    at = 0
    for _ in range(samples // round(OPUS_PACKET * rate)):
        at += PACKET_HEADER_BYTES + int.from_bytes(coded[at : at + PACKET_HEADER_BYTES])
    return at
