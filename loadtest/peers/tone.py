"""The tone that peers' agents speak: what our tone engine makes, at the telephone's rate."""

from __future__ import annotations

import numpy as np

RATE = 8_000
SECONDS = 0.2
"""Length of a block: whole periods, so that blocks join without a click."""


def block() -> bytes:
    """200 ms of 400 Hz, mono int16 little-endian."""
    phase = 2 * np.pi * 400 / RATE * np.arange(round(SECONDS * RATE))
    coded: bytes = np.round(8_192 * np.sin(phase)).astype("<i2").tobytes()
    return coded
