"""The newest audio of a call, kept so that ``conversation.item.retrieve`` can give it back."""

from __future__ import annotations

from runtime.wire.realtime.config import AudioFormat

RETRIEVABLE_BYTES = 375_000
"""Longest audio served in one event: half a megabyte of base64, so that the frame stays under 1 MiB."""


class CallerSound:
    """
    What the caller said last, found by when it was said.

    Args:
        keep_bytes: How much of it is kept; twice as much may be held for a moment.
    """

    def __init__(self, keep_bytes: int) -> None:
        self._keep = min(keep_bytes, RETRIEVABLE_BYTES)
        self._buffer = bytearray()
        self._format = AudioFormat()
        self.seconds = 0.0
        """Of audio heard so far, kept or not."""

    def append(self, audio: bytes, audio_format: AudioFormat) -> None:
        if audio_format != self._format:
            self._buffer.clear()
            self._format = audio_format
        self.seconds += audio_format.seconds(len(audio))
        self._buffer += audio
        if len(self._buffer) > 2 * self._keep:
            del self._buffer[: len(self._buffer) - self._keep]

    def pass_over(self, seconds: float) -> None:
        """Time went by in audio that we are not given."""
        self._buffer.clear()
        self.seconds += seconds

    def between(self, start: float, end: float) -> bytes | None:
        """The audio from ``start`` to ``end`` seconds, or None where some of it is no longer kept."""
        origin = self.seconds - self._format.seconds(len(self._buffer))
        start, end = max(start, 0.0), min(end, self.seconds)
        if end <= start or start < origin - 1e-6:
            return None
        first, last = (round((at - origin) * self._format.rate) for at in (start, end))
        size = self._format.sample_bytes
        return bytes(self._buffer[first * size : last * size])


class ItemSound:
    """
    The audio of the newest items. When room runs out the oldest item loses all of its, never a part.

    Args:
        keep_bytes: Of all items together.
    """

    def __init__(self, keep_bytes: int) -> None:
        self._keep = keep_bytes
        self._longest = min(keep_bytes, RETRIEVABLE_BYTES)
        self._held: dict[str, tuple[AudioFormat, bytearray]] = {}
        self._given_up: set[str] = set()
        self._size = 0

    def append(self, item_id: str, audio: bytes, audio_format: AudioFormat) -> None:
        """Add to an item's audio, unless that has grown too long to be served or was dropped for others."""
        if item_id in self._given_up:
            return
        held = self._held.setdefault(item_id, (audio_format, bytearray()))[1]
        if len(held) + len(audio) > self._longest:
            self._give_up(item_id)
            return
        held += audio
        self._size += len(audio)
        while self._size > self._keep:
            self._give_up(next(iter(self._held)))

    def cut(self, item_id: str, seconds: float) -> None:
        """Keep the first ``seconds`` of an item's audio."""
        if entry := self._held.get(item_id):
            audio_format, held = entry
            before = len(held)
            del held[round(seconds * audio_format.rate) * audio_format.sample_bytes :]
            self._size -= before - len(held)

    def drop(self, item_id: str) -> None:
        """Forget an item altogether."""
        if entry := self._held.pop(item_id, None):
            self._size -= len(entry[1])
        self._given_up.discard(item_id)

    def of(self, item_id: str) -> bytes | None:
        """An item's audio, or None."""
        entry = self._held.get(item_id)
        return bytes(entry[1]) if entry and entry[1] else None

    def _give_up(self, item_id: str) -> None:
        self.drop(item_id)
        self._given_up.add(item_id)
