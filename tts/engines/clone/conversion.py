"""
A base voice's score, turned into how this person would sound saying it.

Frame by frame: the base's spectrum is centred and scaled to the person, moved by how *their* version of this
sound differs from the base's (their own mean where the clip has enough of it, that of similar sounds where
it has not), and then drawn towards real frames of the clip that fit. Pitch keeps the base's melody at the
person's height and range. Breath is the person's for each sound, and so is the level.

Tried and left out, on ten speakers with an independent encoder: chains of whole units from the clip (a little
more alike, half the words lost), an equaliser to the clip's average spectrum (less alike), matching the
clip's distribution of loudness (no change).
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from tts.engines.clone.phones import CLASS_OF, CLASSES, PHONES, SILENCE, STATES
from tts.engines.clone.score import HOP, BaseVoice, Floats, Labels, Score
from tts.engines.clone.spectrum import BREATH_BANDS, CEPSTRA, FEATURES
from tts.engines.clone.survey import Melody, PhoneMeans, Survey, survey, voiced_f0
from tts.engines.clone.vocoder import VoiceTrack
from tts.engines.clone.voiceprint import Voiceprint

CLASS_WEIGHT, PHONE_WEIGHT, STATE_WEIGHT = 20.0, 40.0, 20.0
"""Frames a prior counts as: a sound's own mean outweighs its class once the clip has more of it than this."""
PHONE_COST = 12.0
"""Distance added to a frame of another sound; half of it within the class."""
BLEND = 4
"""Real frames averaged for one."""
SMOOTH = 1.2
LABEL_BLUR = 4.0
"""Frames (standard deviation) over which real frames, and one sound's bias into the next, hand over."""
LEVEL_SHARE = 0.5
"""How much of the way a sound's level is moved to how loud this person makes it."""
VARIANCE, TOP_VARIANCE = 0.6, 1.6
"""How far the spread that averaging took is given back, and the most it may be multiplied by."""
ATTACK = 1.0
"""How much of the loudness's quick changes, which statistical base voices lack, is added once more."""
_ATTACK_BLUR = 4.0
_SLOPE_WEIGHT = 3.0
_BATCH = 256
"""Frames compared with the clip at once: bounds the memory of a long sentence."""
SPREADS = (0.08, 0.15)
"""Pitch range a voice may have, as standard deviation of log F0: 1.4 to 2.6 semitones."""

_KNEE = 8.0


def _shares(coarse: float, fine: float) -> Floats:
    shares = np.full(FEATURES, fine, np.float32)
    shares[:CEPSTRA] = coarse + (fine - coarse) / (1 + np.exp((_KNEE - np.arange(CEPSTRA)) / 2))
    return shares


CLEAR_SHARES, ROUGH_SHARES = _shares(0.15, 1.0), _shares(0.5, 0.7)
"""
Share of the clip's real frames in each feature. The coarse shape of the spectrum says which sound it is, and
a clear (statistical) base voice knows that better than a few matches in a clip; a rough one does not. The
fine shape says who speaks, and only real frames have it.
"""


class Speaker(Protocol):
    """Somebody a score can be spoken as."""

    base: BaseVoice
    """Who supplies the scores."""
    pace: float
    """Speaking rate relative to the base voice's own."""
    level: float
    """RMS of its speech, of full scale."""

    def convert(self, score: Score) -> VoiceTrack:
        """The track that says ``score`` in this voice."""
        ...


class ClonedSpeaker:
    """One voiceprint through one base voice. Built when the voice is loaded; stateless afterwards."""

    def __init__(self, voiceprint: Voiceprint, base: BaseVoice) -> None:
        self.base = base
        self.level = voiceprint.level
        self._shares = CLEAR_SHARES if base.statistical else ROUGH_SHARES
        self._print = voiceprint
        self._survey: Survey = survey(base)
        features, labels = voiceprint.features, voiceprint.labels
        self._own = PhoneMeans.of(features, labels)
        self._mean, self._spread = features.mean(0), features.std(0)
        self._melody = Melody.of(voiceprint.f0)
        self._ratio = np.clip(self._spread[:CEPSTRA] / np.maximum(self._survey.spread, 1e-3), 0.7, 1.4)
        self.pace = self._own_pace()
        self._bias = self._biases()
        self._breath = self._breath_by_phone()
        weight = 1 / np.maximum(self._spread, 1e-3)
        weight[:CEPSTRA] *= np.linspace(1.2, 0.5, CEPSTRA)
        weight[0] *= 0.3
        self._weight = weight[:CEPSTRA]
        bank = self._compared(features)
        self._bank = np.ascontiguousarray(-2 * bank.T)
        self._apart = (bank**2).sum(1) + _phone_costs(labels.phone)

    def _own_pace(self) -> float:
        """The clip's speaking rate against the base voice's, had it said the same sounds."""
        phone, state = self._print.labels.phone.astype(int), self._print.labels.state.astype(int)
        begins = (np.diff(phone, prepend=-1) != 0) | (np.diff(state, prepend=0) < 0)
        base = float(self._survey.durations[phone[begins]].sum())
        return float(np.clip(base / (len(phone) * HOP), 0.75, 1.3))

    def _biases(self) -> Floats:
        """What is added for each sound's state after centring: shape ``(phones, STATES, CEPSTRA)``."""
        theirs, base = self._own, self._survey.means
        rough = (base.phones - self._survey.mean) * self._ratio + self._mean[:CEPSTRA]
        known = (base.counts > 3) & (theirs.counts > 3)
        known[SILENCE] = False
        weight = theirs.counts * known
        gap = (theirs.phones[:, :CEPSTRA] - rough) * known[:, None]
        classes = np.zeros((CLASSES, CEPSTRA), np.float32)
        for index in range(CLASSES):
            members = index == CLASS_OF
            classes[index] = (gap * weight[:, None])[members].sum(0) / (weight[members].sum() + CLASS_WEIGHT)
        phones = (classes[CLASS_OF] * PHONE_WEIGHT + gap * weight[:, None]) / (weight + PHONE_WEIGHT)[:, None]
        rough_states = (base.states - self._survey.mean) * self._ratio + self._mean[:CEPSTRA]
        state_weight = theirs.state_counts * known[:, None] * (base.state_counts > 2)
        state_gap = (theirs.states[..., :CEPSTRA] - rough_states) * (state_weight > 0)[..., None]
        bias: Floats = (
            (phones[:, None] * STATE_WEIGHT + state_gap * state_weight[..., None])
            / (state_weight + STATE_WEIGHT)[..., None]
        ).astype(np.float32)
        bias[SILENCE] = 0
        return bias

    def _breath_by_phone(self) -> Floats:
        voiced = self._print.f0 > 0
        rows, phones = self._print.breath[voiced], self._print.labels.phone[voiced]
        overall = rows.mean(0) if len(rows) else np.full(BREATH_BANDS, 0.5, np.float32)
        out = np.tile(overall, (len(PHONES), 1)).astype(np.float32)
        for phone in range(len(PHONES)):
            mine = rows[phones == phone]
            out[phone] = (mine.sum(0) + 10 * overall) / (len(mine) + 10)
        return out

    def convert(self, score: Score) -> VoiceTrack:
        """The track that says ``score`` in this person's voice."""
        labels = score.labels
        silent = labels.phone == SILENCE
        target = self._target(score, labels)
        real = self._print.features[self._nearest(target, labels)].mean(1)
        real = gaussian_filter1d(real, SMOOTH, axis=0)
        mixed = target + self._shares * (real - target)
        mixed[:, 0] = 0.5 * (target[:, 0] + mixed[:, 0])
        mixed[:, CEPSTRA:] = real[:, CEPSTRA:] + (mixed[:, :1] - real[:, :1])
        mixed[:, 1:CEPSTRA] = self._enliven(mixed, silent)[:, 1:CEPSTRA]
        if self.base.statistical:
            mixed[:, 0] += ATTACK * (mixed[:, 0] - gaussian_filter1d(mixed[:, 0], _ATTACK_BLUR))
        hush = gaussian_filter1d(silent.astype(np.float32), 2)
        quiet = self._mean.copy()
        quiet[0] -= 5
        quiet[CEPSTRA:] -= 5
        mixed = mixed * (1 - hush[:, None]) + quiet * hush[:, None]
        f0 = self._pitch(score)
        f0[hush > 0.7] = 0
        breath = _blurred(labels, self._breath[:, None].repeat(STATES, 1))
        breath[f0 == 0] = 1
        return VoiceTrack(f0, mixed.astype(np.float32), breath.astype(np.float32))

    def _target(self, score: Score, labels: Labels) -> Floats:
        target = np.zeros((len(score.f0), FEATURES), np.float32)
        target[:, :CEPSTRA] = (score.cepstra - self._survey.mean) * self._ratio + self._mean[:CEPSTRA]
        bias = _blurred(labels, self._bias)
        target[:, :CEPSTRA] += bias
        loud = min(1.2, self._spread[0] / max(self._survey.spread[0], 0.1))
        target[:, 0] = self._mean[0] + (score.cepstra[:, 0] - self._survey.mean[0]) * loud
        target[:, 0] += LEVEL_SHARE * bias[:, 0]
        target[:, CEPSTRA:] = self._mean[CEPSTRA:]
        return target

    def _enliven(self, rows: Floats, silent: NDArray[np.bool_]) -> Floats:
        if silent.all():
            return rows
        spoken = rows[~silent]
        mean = spoken.mean(0)
        gain = np.clip(self._spread / (spoken.std(0) + 1e-6), 1, TOP_VARIANCE)
        lively: Floats = mean + (rows - mean) * (1 + VARIANCE * (gain - 1))
        return lively

    def _pitch(self, score: Score) -> Floats:
        f0 = voiced_f0(score)
        sounding = f0 > 0
        base = self._survey.melody
        position = (np.log(f0[sounding]) - base.mean) / max(base.spread, 0.05)
        f0[sounding] = np.exp(
            self._melody.mean + np.clip(position, -3, 3) * np.clip(self._melody.spread, *SPREADS)
        )
        return f0

    def _compared(self, rows: Floats) -> Floats:
        """What frames are compared by: the coarse spectrum and its slope, weighted."""
        coarse = rows[:, :CEPSTRA]
        slope = gaussian_filter1d(coarse, 2, axis=0, order=1) * _SLOPE_WEIGHT
        compared: Floats = np.hstack([coarse * self._weight, slope * self._weight]).astype(np.float32)
        return compared

    def _nearest(self, target: Floats, labels: Labels) -> NDArray[np.intp]:
        """For each frame the :data:`BLEND` frames of the clip most like it, shape ``(frames, BLEND)``."""
        wanted = self._compared(target)
        count = min(BLEND, self._bank.shape[1])
        nearest = np.empty((len(target), count), np.intp)
        for begin in range(0, len(target), _BATCH):
            part = slice(begin, begin + _BATCH)
            # Squared distances, less what is the same for every frame of the clip.
            distance = wanted[part] @ self._bank
            distance += self._apart[labels.phone[part]]
            row = np.arange(len(distance))
            # A few of thousands: faster found one by one than by a partition.
            for n in range(count):
                nearest[part, n] = best = distance.argmin(1)
                distance[row, best] = np.inf
        return nearest


def _phone_costs(theirs: NDArray[np.uint8]) -> Floats:
    """What is added to the distance of a clip's frames from each sound, shape ``(phones, frames)``."""
    costs = np.where(CLASS_OF[:, None] == CLASS_OF[theirs], PHONE_COST / 2, PHONE_COST).astype(np.float32)
    costs[theirs, np.arange(len(theirs))] = 0
    return CEPSTRA * costs


def _blurred(labels: Labels, table: Floats) -> Floats:
    """Rows of a ``(phones, STATES, dims)`` table along the labels, moving over rather than jumping."""
    rows: Floats = gaussian_filter1d(table[labels.phone, labels.state], LABEL_BLUR, axis=0)
    return rows
