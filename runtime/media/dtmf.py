"""Keys heard in the sound of a line: the pairs of tones of ITU-T Q.23, for lines that do not signal them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from runtime.media.frame import Pcm

ROWS = (697.0, 770.0, 852.0, 941.0)
COLUMNS = (1209.0, 1336.0, 1477.0, 1633.0)
"""Hz. ITU-T Q.23, table 1."""

KEYS = ("123A", "456B", "789C", "*0#D")
"""By row and column."""

BLOCK = 0.01275
"""Seconds judged at a time, three to the shortest tone: 40 ms, ITU-T Q.24 (the North American figure)."""

LEAST_DBFS = -45.0
"""Level of each tone below which no key is pressed; receivers go down to -25 dBm, far above it."""

TWIST_DB = 10.0
"""The two tones differ by no more; Q.24 asks for 4 to 8 dB."""

APART_DB = 6.0
"""The tone of a row, or of a column, stands above the others of its kind by this."""

SHARE = 0.70
"""Of a block's power that the two tones hold, whole. Where each is off by 1.5 %, as Q.24 allows, 0.86."""

STILL_SHARE = 0.40
STILL_APART_DB = 3.0
"""The same of a key that is pressed already: a tone that wavers is still held."""

HITS = 2
"""Blocks in a row that make a key: two whole ones fit into the shortest tone, wherever it begins."""

MISSES = 3
"""Blocks in a row that end one: the shortest pause is 40 ms, and a gap of 10 ms is none (Q.24)."""

_Floats = NDArray[np.float64]


class DtmfDetector:
    """
    Listen for keys in mono PCM.

    A key is told once, some 25 ms into its tone, however long it is held. Any split of the audio tells the
    same keys.

    Args:
        rate: Hz, at least 8000.
    """

    def __init__(self, rate: int) -> None:
        if rate < 8_000:
            raise ValueError(
                f"keys have tones up to 1633 Hz, which {rate} Hz may not carry: use 8000 or more"
            )
        self._samples = round(BLOCK * rate)
        turns = np.outer([*ROWS, *COLUMNS], np.arange(self._samples)) / rate
        # Amplitude 1 at a tone of amplitude 1.
        self._basis = np.exp(-2j * np.pi * turns) * (2.0 / self._samples)
        self._rest: Pcm = np.zeros(0, np.int16)
        self._key = ""
        """Pressed now."""
        self._candidate = ""
        """Heard in the last blocks, and not known yet."""
        self._run = 0
        self._missed = 0

    def push(self, samples: Pcm) -> str:
        """Take audio of any length, and return the keys that began in it, of ``0-9*#A-D``."""
        samples = np.concatenate((self._rest, samples)) if len(self._rest) else samples
        count = len(samples) // self._samples
        whole = count * self._samples
        self._rest = samples[whole:].copy()
        if not count:
            return ""
        blocks = samples[:whole].reshape(count, self._samples).astype(np.float64) / 32_768.0
        return "".join(filter(None, map(self._follow, blocks)))

    def _follow(self, block: _Floats) -> str:
        """The next block; returns the key that is now known to be pressed."""
        key, share, apart = self._heard(block)
        if key and key == self._key and share >= STILL_SHARE and apart >= STILL_APART_DB:
            self._candidate, self._missed = "", 0
            return ""
        if not key or share < SHARE or apart < APART_DB:
            self._candidate, self._run = "", 0
        elif key == self._candidate:
            self._run += 1
        else:
            self._candidate, self._run = key, 1
        if self._run >= HITS:
            self._key, self._missed = key, 0
            return key
        self._missed += 1
        if self._missed >= MISSES:
            self._key = ""
        return ""

    def _heard(self, block: _Floats) -> tuple[str, float, float]:
        """The key that a block may be of, the share its tones hold, and by how many dB they stand out."""
        power = float(np.dot(block, block)) / len(block)
        least = 10.0 ** (LEAST_DBFS / 10.0)
        if power < least:
            return "", 0.0, 0.0
        tones = (np.abs(self._basis @ block) ** 2 / 2.0).tolist()
        low, high = sorted(tones[:4]), sorted(tones[4:])
        if min(low[-1], high[-1]) < least or abs(_db(low[-1] / high[-1])) > TWIST_DB:
            return "", 0.0, 0.0
        apart = min(_db(low[-1] / max(low[-2], 1e-12)), _db(high[-1] / max(high[-2], 1e-12)))
        key = KEYS[tones.index(low[-1])][tones.index(high[-1], 4) - 4]
        return key, (low[-1] + high[-1]) / power, apart


def _db(ratio: float) -> float:
    return 10.0 * math.log10(max(ratio, 1e-12))
