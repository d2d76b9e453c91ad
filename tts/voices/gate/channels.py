"""What the channels of a recording are to each other, and which of them carries the voice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from runtime.media.container import Recording
from tts.voices.gate.sound import Floats

_DEAD_DB = 40.0
"""A channel this far below the loudest carries crosstalk at most."""

_ENVELOPE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Channels:
    count: int
    dead: int
    """How many carry nothing beside the loudest."""
    correlation: float | None
    """Of the two loudest live channels, sample by sample, -1 to 1; None where only one is live."""
    together: float | None
    """Of their loudness over time: near 1 for one voice on two microphones, 0 or less for two parties."""
    chosen: int | None
    """The channel that was judged, or None for the mean of the live ones."""


def choose_channel(recording: Recording) -> tuple[Floats, Channels]:
    """The mono signal to judge: the only live channel, or the mean of the live ones."""
    samples = recording.samples
    count = recording.channels
    if count == 1:
        return samples[:, 0], Channels(1, 0, None, None, None)
    centred = samples - samples.mean(axis=0)
    power = np.mean(centred.astype(np.float64) ** 2, axis=0)
    live = np.flatnonzero(power > power.max() * 10 ** (-_DEAD_DB / 10))
    if len(live) < 2:
        chosen = int(power.argmax())
        return samples[:, chosen], Channels(count, count - 1, None, None, chosen)
    first, second = sorted(live[np.argsort(power[live])[-2:]])
    correlation = float(
        np.mean(centred[:, first] * centred[:, second]) / np.sqrt(power[first] * power[second])
    )
    together = _together(centred[:, first], centred[:, second], recording.rate)
    if correlation < -0.5:
        # One of them is wired the wrong way round: their mean would cancel the voice.
        return samples[:, first], Channels(count, count - len(live), correlation, together, int(first))
    mono = samples[:, live].mean(axis=1)
    return mono, Channels(count, count - len(live), correlation, together, None)


def _together(one: Floats, other: Floats, rate: int) -> float | None:
    block = round(_ENVELOPE_SECONDS * rate)
    blocks = len(one) // block
    if blocks < 20:
        return None
    levels = [
        np.log10(np.mean(side[: blocks * block].reshape(blocks, block) ** 2, axis=1) + 1e-9)
        for side in (one, other)
    ]
    return float(
        np.corrcoef(np.maximum(levels[0], levels[0].max() - 4), np.maximum(levels[1], levels[1].max() - 4))[
            0, 1
        ]
    )
