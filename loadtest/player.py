"""What a caller hears of frames that arrive when they arrive: a player with a small buffer."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

BUFFER = 0.100
"""Seconds a player waits before its first sample; softphones and carriers hold 60 to 120 ms."""


@dataclass(slots=True)
class Player:
    """
    Starts ``buffer`` seconds after the first arrival and plays without a pause while it has something.

    Running dry in the middle of speech is silence the sender inserted; playing goes on with the next
    arrival, at once.

    Args:
        buffer: Seconds from the first arrival to the first sample.
    """

    buffer: float = BUFFER
    silence: float = 0.0
    """Seconds of silence heard where speech should have been."""
    worst: float = 0.0
    """The longest of the gaps, seconds."""
    gaps: int = 0
    played: float = 0.0
    """Seconds of audio received."""
    cushion: float = math.inf
    """The least that was ever left in the buffer, seconds; negative where it ran dry."""
    _dry_at: float | None = field(default=None, repr=False)

    def arrive(self, at: float, seconds: float) -> None:
        """Take ``seconds`` of audio that arrived at ``at``, in order."""
        self.played += seconds
        if self._dry_at is None:
            self._dry_at = at + self.buffer + seconds
            return
        left = self._dry_at - at
        self.cushion = min(self.cushion, left)
        if left < 0:
            self.silence -= left
            self.worst = max(self.worst, -left)
            self.gaps += 1
            self._dry_at = at
        self._dry_at += seconds

    @property
    def dry_at(self) -> float:
        """When the last of what arrived will have been played; 0 before anything did."""
        return self._dry_at or 0.0

    def pause(self) -> None:
        """The speaker stopped on purpose: what comes next starts a new talk spurt."""
        self._dry_at = None
