"""The caller's side of the input buffer: what was appended, and which turn it belongs to."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.wire.conversation import HeardPart, Message, new_id
from runtime.wire.realtime.config import AudioFormat
from runtime.wire.realtime.sound import CallerSound


@dataclass(frozen=True, slots=True)
class TakenTurn:
    """A turn that was committed."""

    item: Message
    sound: bytes | None
    """Its audio, where that is still kept."""


class CallerTurn:
    """
    The turn the caller is in, from its first sound to its commit.

    Its item's id is given out when speech starts, long before the item exists.

    Args:
        keep_bytes: Newest audio kept, so that a turn can be given back as it sounded.
    """

    def __init__(self, *, keep_bytes: int) -> None:
        self.id: str | None = None
        """Of the item this turn will be; None between turns."""
        self.uncommitted = 0.0
        """Seconds appended since the last commit or clear."""
        self._sound = CallerSound(keep_bytes)
        self._start = 0.0
        self._end: float | None = None

    @property
    def seconds(self) -> float:
        """Of the caller's audio since the session began."""
        return self._sound.seconds

    def append(self, audio: bytes, audio_format: AudioFormat) -> None:
        self._sound.append(audio, audio_format)
        self.uncommitted += audio_format.seconds(len(audio))

    def pass_over(self, seconds: float) -> None:
        """Audio went by that we are not given."""
        self._sound.pass_over(seconds)
        self.uncommitted += seconds

    def start(self, at: float) -> str:
        """Speech began, ``at`` seconds into the audio, or went on in the same turn. Returns the turn's id."""
        if self.id is None:
            self.id = new_id("item")
            self._start = at
        self._end = None
        return self.id

    def stop(self, at: float) -> None:
        """Speech ended."""
        self._end = at

    def take(self) -> TakenTurn:
        """End the turn where speech did, or now."""
        return self._take(self._start, self.seconds if self._end is None else self._end)

    def take_uncommitted(self) -> TakenTurn:
        """End the turn by hand: it is all that was appended since the last."""
        return self._take(self.seconds - self.uncommitted, self.seconds)

    def clear(self) -> None:
        """Forget the turn, and what was appended."""
        self.id = self._end = None
        self.uncommitted = 0.0

    def _take(self, start: float, end: float) -> TakenTurn:
        item = Message(self.id or new_id("item"), "user", (HeardPart(max(0.0, end - start)),))
        taken = TakenTurn(item, self._sound.between(start, end))
        self.clear()
        return taken
