"""What a clone makes of a base voice, by a base whose spectra are made up."""

from __future__ import annotations

import dataclasses

import numpy as np

from tests.tts.clone.voices import person
from tts.engine import SpokenWord
from tts.engines.clone.conversion import ClonedSpeaker
from tts.engines.clone.lengthened import Lengthened
from tts.engines.clone.phones import INDEX, SILENCE
from tts.engines.clone.score import HOP, Score, Segment
from tts.engines.clone.spectrum import CEPSTRA, bend

FRAMES = {SILENCE: 10, INDEX["AA"]: 20, INDEX["S"]: 15}


class Reader:
    """Says every text as a pause, AA and S, with one smooth random spectrum each."""

    name = "reader"
    gender = "female"
    statistical = True

    def score(self, text: str, *, pace: float = 1.0) -> Score:
        rng = np.random.default_rng(0)
        spectra = rng.normal(0, 1, (len(FRAMES), CEPSTRA)) / (1 + np.arange(CEPSTRA))
        ends = np.cumsum(list(FRAMES.values())) * HOP
        starts = [0.0, *ends[:-1].tolist()]
        return Score(
            f0=np.full(sum(FRAMES.values()), 180, np.float32),
            cepstra=np.repeat(spectra, list(FRAMES.values()), axis=0).astype(np.float32),
            segments=tuple(Segment(*part) for part in zip(FRAMES, starts, ends.tolist(), strict=True)),
            words=(SpokenWord(text, 0.0, float(ends[-1]), (0, len(text))),),
        )


def test_a_longer_tract_changes_the_spectra_and_nothing_else() -> None:
    own, longer = Reader().score("ah"), Lengthened(Reader(), 1.25).score("ah")
    assert np.array_equal(longer.cepstra, bend(own.cepstra, 1.25))
    assert not np.allclose(longer.cepstra, own.cepstra, atol=0.1)
    assert (longer.segments, longer.words, longer.f0.tolist()) == (own.segments, own.words, own.f0.tolist())


def test_a_sound_is_moved_towards_the_level_its_person_gives_it() -> None:
    """Half of the way: the base knows how loud this one is, the clip how loud it usually is."""
    base, sound = Reader(), INDEX["S"]
    usual = person(f0=200.0)
    louder = usual.features.copy()
    louder[usual.labels.phone == sound, 0] += 1.0
    score = base.score("ah")
    levels = [
        ClonedSpeaker(voice, base).convert(score).features[score.labels.phone == sound, 0].mean()
        for voice in (usual, dataclasses.replace(usual, features=louder))
    ]
    assert 0.3 < levels[1] - levels[0] < 0.8
