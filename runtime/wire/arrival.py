"""Put a carrier's audio in order, and say what is missing: by timestamp, by chunk, or as it comes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from runtime.media.jitter import JitterBuffer, Lost
from runtime.media.line_codec import LineCodec
from runtime.wire import fields
from runtime.wire.telephony import MediaReceived

LARGEST_GAP = 2.0
"""Seconds. A longer jump of the timestamp is a clock that was set, not audio that was lost."""

DEPTH = 4
"""Chunks that may wait behind a missing one: 80 ms."""

RESTART = 100
"""Chunks. A longer jump is a new count, not a loss of two seconds."""


class Arrival(Protocol):
    """Puts one stream's media in order."""

    @property
    def late(self) -> int:
        """Media messages that came after they were given up, or twice; they are dropped."""
        ...

    def push(self, media: Mapping[str, Any], payload: bytes) -> MediaReceived | None:
        """
        What can be heard now that ``payload`` has come with these fields; None for nothing.

        Raises:
            MalformedMessage: The field that numbers it is missing, or no number.
        """
        ...


class AsItComes:
    """For carriers whose order is certain, and who number nothing that could be missed."""

    late = 0

    def push(self, media: Mapping[str, Any], payload: bytes) -> MediaReceived | None:
        return MediaReceived(payload, 0)


class ByTimestamp:
    """
    By ``timestamp``, milliseconds since the start: a jump is a gap, and what is older than what was heard is
    late.
    """

    def __init__(self, codec: LineCodec) -> None:
        self.late = 0
        self.missing_samples = 0
        """Lost so far."""
        self._rate = codec.rate
        self._sample_bytes = codec.sample_bytes
        self._largest_gap = round(LARGEST_GAP * codec.rate)
        # Position at which the next message is expected, in samples.
        self._next: int | None = None

    def push(self, media: Mapping[str, Any], payload: bytes) -> MediaReceived | None:
        return self.at(fields.number(media, "timestamp"), payload)

    def at(self, timestamp: int, payload: bytes) -> MediaReceived | None:
        """The same, for a timestamp that was read already."""
        position = timestamp * self._rate // 1000
        missing = 0 if self._next is None else position - self._next
        if -self._largest_gap < missing < 0:
            self.late += 1
            return None
        if abs(missing) >= self._largest_gap:
            missing = 0
        self._next = position + len(payload) // self._sample_bytes
        self.missing_samples += missing
        return MediaReceived(payload, missing)


class ByChunk:
    """By ``chunk``, counted from 1: one that stays away while :data:`DEPTH` later ones wait is given up."""

    def __init__(self, codec: LineCodec) -> None:
        self._codec = codec
        self._order: JitterBuffer[bytes] = JitterBuffer(depth=DEPTH, reset_after=RESTART)

    @property
    def late(self) -> int:
        return self._order.late

    def push(self, media: Mapping[str, Any], payload: bytes) -> MediaReceived | None:
        samples = len(payload) // self._codec.sample_bytes
        missing, heard = 0, b""
        for part in self._order.push(fields.number(media, "chunk"), payload):
            if not isinstance(part, Lost):
                heard += part
            elif heard:
                heard += self._codec.silence * (part.count * samples)
            else:
                missing += part.count * samples
        return MediaReceived(heard, missing) if heard else None
