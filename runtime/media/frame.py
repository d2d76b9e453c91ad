"""The one audio value that flows through the house."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

PTIME = 0.020
"""Seconds of audio in a packet: what RTP profiles, Twilio and WebRTC agree on."""

LISTENING_RATE = 16_000
"""Hz at which every caller is heard, whatever their wire carries."""

SPEAKING_RATE = 24_000
"""Hz that engines make unless they say otherwise."""

Pcm: TypeAlias = NDArray[np.int16]
"""Mono linear PCM, shape ``(n,)``."""


@dataclass(frozen=True, slots=True)
class AudioFrame:
    """A block of mono PCM. Never written to again after it is made."""

    samples: Pcm
    rate: int
    """Hz."""
    pts: int
    """Position of the first sample on its own stream, in samples."""

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """One packet's worth of audio, ready for a peer's wire."""

    payload: bytes
    """The complete message or packet, so that sending it is one write."""
    pts: int
    """Position of its first sample on the outgoing stream, in samples at the stream's rate."""
    samples: int
    """How many samples it carries."""
