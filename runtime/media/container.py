"""Open an uploaded recording by what it contains, never by what it claims to be."""

from __future__ import annotations

import hashlib
import io
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from runtime.errors import Undecodable, UploadTooLarge

Samples: TypeAlias = NDArray[np.float32]
"""Shape ``(n, channels)``, full scale ±1."""


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """What one upload may cost. The decoder stops at the first bound it meets, not after it."""

    max_bytes: int = 50 * 1024 * 1024
    """Size of the file as it arrived."""
    max_seconds: float = 300.0
    """Length of the decoded audio; a lossless file of silence unpacks a thousandfold."""
    max_channels: int = 8
    min_rate: int = 4_000
    """Hz."""
    max_rate: int = 192_000
    """Hz."""
    max_samples: int = 300 * 48_000 * 2
    """Samples of all channels together: the bound on memory, four bytes each."""


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """A decoded upload at its own sample rate, with all its channels. Never written to."""

    samples: Samples
    """Shape ``(n, channels)``, float32, peak at most 1."""
    rate: int
    """Hz, as recorded: nothing here resamples."""
    container: str
    """What the bytes are: ``wav``, ``mp3``, ``ogg``, ``flac``, ``mp4``, ``webm`` …"""
    codec: str
    """FFmpeg's name, such as ``pcm_s24le`` or ``opus``."""
    sha256: str
    """Of the uploaded bytes, hex."""
    declared_mime: str | None = None
    """What the sender said it was. Reported, never believed."""

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate

    @property
    def channels(self) -> int:
        return int(self.samples.shape[1])
