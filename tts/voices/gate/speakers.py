"""
Whether a second person speaks, before or after the first.

There is no speaker model here to ask; what is used instead is a fact about time. What is said changes the
spectrum from one quarter of a second to the next; who says it does not. The difference between neighbouring
blocks of voiced speech therefore measures how much this voice varies with its words, in these seconds, over
this microphone, and two halves of a clip are held against that: the distance of their means, counted in
standard errors, is small for one person and large for two. (A Hotelling T² whose covariance comes from
successive differences, which a change of level cannot inflate; von Neumann 1941.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tts.voices.gate.cepstra import mel_cepstra
from tts.voices.gate.pitch import Pitch
from tts.voices.gate.sound import Sound, spans
from tts.voices.voice import Span

TWO_VOICES = 46.0
"""Score from which there are two. One person in one take reaches 42, mostly below 30."""

TWO_VOICES_BRIEFLY = 60.0
"""Score that is asked for where the lesser voice is voiced for less than a second: a cough, a laugh, a shout
of one person stands as far from the rest."""
_BRIEF_BLOCKS = 5

_BLOCK = 20
"""Voiced frames (10 ms) in a block: about a syllable."""
_FEWEST_BLOCKS = 6
_SWITCH = 4.0
"""Cost of changing from one voice to the other, in the log likelihood of one block."""
_SHRINK = 0.5
"""Weight of the diagonal in the clip's own covariance: there are few blocks."""
_PRIOR_STEPS = 40
"""How many steps between blocks the covariance of voices in general counts as, beside the clip's own."""

_CEPSTRA = 12

_STEP = np.array([3.12, 2.10, 2.26, 1.68, 1.12, 1.08, 0.90, 0.82, 0.77, 0.63, 0.61, 0.58, 0.17])
"""Standard deviation of the step from block to block in one voice: twelve cepstra, natural log of pitch."""

_STEP_CORRELATION = (
    (-37,),
    (-31, 23),
    (-33, 13, 35),
    (15, -4, -28, -8),
    (12, 17, -17, -25, 0),
    (-13, 7, 11, -4, -23, 0),
    (3, -29, -8, 14, -7, -21, -6),
    (6, -18, -41, -21, 6, -3, -6, 4),
    (11, -16, -8, -20, 7, 4, 7, -14, 6),
    (21, -18, -20, -16, -1, 21, 3, 8, -4, -3),
    (2, 4, -7, 2, -1, -22, -3, 8, 15, -10, -8),
    (-28, -1, -11, -2, -3, -3, -5, 8, -1, -1, -2, -5),
)
"""Their correlations in percent, below the diagonal. Both from 1 434 steps in 42 clips of 28 people."""


@dataclass(frozen=True, slots=True)
class Speakers:
    score: float
    """Squared distance of the two best groups of blocks, in standard errors, less the cost of switching."""
    second_seconds: float
    """Speech of the voice that speaks less; 0 where there is one."""
    spans: tuple[Span, ...]
    """Where it speaks."""


def measure_speakers(sound: Sound, pitch: Pitch) -> Speakers:
    """Split the voiced speech into two groups in the best way, and say whether they are two people."""
    frames = np.flatnonzero(pitch.voiced)
    blocks = len(frames) // _BLOCK
    if blocks < _FEWEST_BLOCKS:
        return Speakers(0.0, 0.0, ())
    frames = frames[: blocks * _BLOCK]
    features = np.column_stack(
        [
            mel_cepstra(sound.heard, frames=len(pitch.hz), count=_CEPSTRA)[frames],
            np.log(pitch.hz[frames]),
        ]
    )
    means = features.reshape(blocks, _BLOCK, -1).mean(axis=1)
    score, groups = _best_split(_whitened(means))
    enough = TWO_VOICES
    if min(groups.sum(), blocks - groups.sum()) < _BRIEF_BLOCKS:
        enough = TWO_VOICES_BRIEFLY
    if score < enough:
        return Speakers(score, 0.0, ())
    second = groups == (1 if groups.sum() * 2 <= blocks else 0)
    found = _spans(second, frames.reshape(blocks, _BLOCK), sound)
    return Speakers(score, float(sum(end - start for start, end in found)), found)


def _whitened(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Blocks in units in which neighbours differ by one."""
    steps = np.diff(means, axis=0)
    covariance = steps.T @ steps / (2 * len(steps))
    diagonal = np.diag(np.diag(covariance))
    covariance = (1 - _SHRINK) * covariance + _SHRINK * diagonal
    covariance = (len(steps) * covariance + _PRIOR_STEPS * _typical()) / (len(steps) + _PRIOR_STEPS)
    whitened: NDArray[np.float64] = np.linalg.solve(np.linalg.cholesky(covariance), means.T).T
    return whitened


def _typical() -> NDArray[np.float64]:
    """The covariance of a step in a voice one knows nothing about."""
    correlation = np.eye(len(_STEP))
    for row, below in enumerate(_STEP_CORRELATION, start=1):
        correlation[row, :row] = correlation[:row, row] = np.array(below) / 100
    return np.asarray(correlation * np.outer(_STEP, _STEP), np.float64)


def _best_split(blocks: NDArray[np.float64]) -> tuple[float, NDArray[np.int64]]:
    """Two-means whose labels pay for every change over time, from several starting points."""
    count = len(blocks)
    best, chosen = 0.0, np.zeros(count, np.int64)
    for start in range(1, 7):
        labels = (np.arange(count) >= count * start / 7).astype(np.int64)
        for _ in range(10):
            if not 2 <= labels.sum() <= count - 2:
                break
            centres = np.stack([blocks[labels == group].mean(axis=0) for group in (0, 1)])
            relabelled = _cheapest_path(0.5 * np.sum((blocks[:, None] - centres) ** 2, axis=2))
            if (relabelled == labels).all():
                break
            labels = relabelled
        size = int(labels.sum())
        if not 2 <= size <= count - 2:
            continue
        apart = blocks[labels == 0].mean(axis=0) - blocks[labels == 1].mean(axis=0)
        switches = int(np.count_nonzero(np.diff(labels)))
        score = size * (count - size) / count * float(apart @ apart) - 2 * _SWITCH * (switches + 1)
        if score > best:
            best, chosen = score, labels
    return best, chosen


def _cheapest_path(cost: NDArray[np.float64]) -> NDArray[np.int64]:
    """Viterbi over two states: least total cost, each change paying ``_SWITCH``."""
    total = cost[0].copy()
    came_from = np.zeros(cost.shape, np.int64)
    for step in range(1, len(cost)):
        stay, change = total, total[::-1] + _SWITCH
        came_from[step] = np.where(change < stay, (1, 0), (0, 1))
        total = np.minimum(stay, change) + cost[step]
    labels = np.zeros(len(cost), np.int64)
    labels[-1] = int(total.argmin())
    for step in range(len(cost) - 1, 0, -1):
        labels[step - 1] = came_from[step][labels[step]]
    return labels


def _spans(second: NDArray[np.bool_], frames: NDArray[np.int64], sound: Sound) -> tuple[Span, ...]:
    """Where the blocks of the second voice lie, as stretches of speech."""
    covered = np.zeros(len(sound.speaking), np.bool_)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], second, [False]]).astype(np.int8)))
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        covered[frames[start, 0] : frames[end - 1, -1] + 1] = True
    return spans(covered & sound.speaking, minimum=0.1)
