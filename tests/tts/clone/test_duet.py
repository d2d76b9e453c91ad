"""Two base voices as one, by made-up scores; and what a clone makes of a base's levels."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.tts.clone.voices import person
from tts.engine import SpokenWord
from tts.engines.clone.conversion import ClonedSpeaker
from tts.engines.clone.duet import Duet
from tts.engines.clone.phones import INDEX, SILENCE
from tts.engines.clone.score import HOP, Score, Segment
from tts.engines.clone.spectrum import CEPSTRA

AA, S = INDEX["AA"], INDEX["S"]


class Reader:
    """Says every text as silence, AA, S and silence, each phone with a spectrum and a length of its own."""

    statistical = True
    gender = "female"

    def __init__(self, name: str, *, frames: tuple[int, ...], spectra: tuple[float, ...], middle: int = AA):
        self.name, self._frames, self._spectra = name, frames, spectra
        self._phones = (SILENCE, middle, S, SILENCE)

    def score(self, text: str, *, pace: float = 1.0) -> Score:
        frames = [round(count / pace) for count in self._frames] if text else []
        ends = np.cumsum(frames) * HOP
        starts = [0.0, *ends[:-1].tolist()] if text else []
        segments = tuple(
            Segment(*part) for part in zip(self._phones, starts, ends.tolist(), strict=bool(text))
        )
        cepstra = np.repeat(np.array(self._spectra, np.float32)[: len(frames)], frames)
        words = (SpokenWord(text, 0.0, float(ends[-1]), (0, len(text))),) if text else ()
        return Score(
            f0=np.full(sum(frames), 100 + len(self.name), np.float32),
            cepstra=np.tile(cepstra[:, None], CEPSTRA).astype(np.float32),
            segments=segments,
            words=words,
        )


FIRST = Reader("first", frames=(10, 20, 10, 20), spectra=(0.0, 1.0, 2.0, 0.0))
SLOWER = Reader("slower voice", frames=(20, 60, 30, 10), spectra=(4.0, 5.0, 6.0, 4.0))


@pytest.mark.parametrize("pace", [1.0, 1.25])
def test_the_first_gives_time_and_melody_and_both_give_the_sounds(pace: float) -> None:
    alone, together = FIRST.score("ah", pace=pace), Duet(FIRST, SLOWER, share=0.25).score("ah", pace=pace)
    assert together.segments == alone.segments
    assert together.words == alone.words
    assert np.array_equal(together.f0, alone.f0)
    inside = {
        segment.phone: together.cepstra[round(segment.start / HOP) + 1 : round(segment.end / HOP) - 1]
        for segment in together.segments
    }
    assert np.allclose(inside[AA], 0.75 * 1 + 0.25 * 5)
    assert np.allclose(inside[S], 0.75 * 2 + 0.25 * 6)


def test_where_the_second_says_other_sounds_the_first_speaks_alone() -> None:
    other = Reader("other", frames=(10, 20, 10, 20), spectra=(9.0,) * 4, middle=INDEX["IY"])
    assert np.array_equal(Duet(FIRST, other, share=0.5).score("ah").cepstra, FIRST.score("ah").cepstra)


def test_nothing_to_say_is_nothing() -> None:
    assert len(Duet(FIRST, SLOWER, share=0.5).score("").f0) == 0


def test_a_sound_is_moved_towards_the_level_its_person_gives_it() -> None:
    """Half of the way: the base knows how loud this one is, the clip how loud it usually is."""
    usual = person(f0=200.0)
    louder = usual.features.copy()
    louder[usual.labels.phone == S, 0] += 1.0
    spoken = FIRST.score("ah")
    levels = [
        ClonedSpeaker(voice, FIRST).convert(spoken).features[spoken.labels.phone == S, 0].mean()
        for voice in (usual, dataclasses.replace(usual, features=louder))
    ]
    assert 0.3 < levels[1] - levels[0] < 0.8
