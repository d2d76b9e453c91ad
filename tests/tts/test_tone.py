"""The tone is exact: samples, word times and spans can be computed by hand."""

from __future__ import annotations

import pickle
from datetime import timedelta

import numpy as np
import pytest

from runtime.errors import EngineUnavailable
from tts.engine import SpeechRequest
from tts.engines import SYNTHESIZERS, SynthesizerFactory, synthesizer
from tts.engines.tone import AMPLITUDE, ToneSynthesizer


@pytest.fixture
def tone() -> ToneSynthesizer:
    return ToneSynthesizer()


def test_words_take_sixty_milliseconds_a_character(tone: ToneSynthesizer) -> None:
    low = tone.stock()[1].conditioning
    blocks = list(tone.speak(SpeechRequest("Hello, big world.", low)))
    words = [word for block in blocks for word in block.words]
    assert [word.word for word in words] == ["Hello,", "big", "world."]
    assert [(round(word.start, 6), round(word.end, 6)) for word in words] == [
        (0.0, 0.36),
        (0.36, 0.54),
        (0.54, 0.9),
    ]
    assert [word.source for word in words] == [(0, 6), (7, 10), (11, 17)]
    assert sum(len(block.samples) for block in blocks) == round(0.9 * 24_000)


def test_words_come_with_the_block_they_begin_in(tone: ToneSynthesizer) -> None:
    at = 0.0
    for block in tone.speak(SpeechRequest("a bb ccc dddd eeeee " * 3, tone.stock()[0].conditioning)):
        end = at + len(block.samples) / block.rate
        assert all(at - 1e-9 <= word.start < end - 1e-9 for word in block.words)
        at = end


def test_pieces_join_into_one_sine(tone: ToneSynthesizer) -> None:
    voice = tone.stock()[0].conditioning
    pieces = [SpeechRequest("one two", voice), SpeechRequest("three, four!", voice, speed=1.3)]
    samples = np.concatenate([block.samples for piece in pieces for block in tone.speak(piece)])
    sine = np.round(AMPLITUDE * np.sin(2 * np.pi * 400 / 24_000 * np.arange(len(samples))))
    assert np.abs(samples - sine).max() <= 1


def test_the_first_block_is_short(tone: ToneSynthesizer) -> None:
    voice = tone.stock()[0].conditioning
    first = next(tone.speak(SpeechRequest("a long enough word", voice)))
    later = next(tone.speak(SpeechRequest("a long enough word", voice, first=False)))
    assert len(first.samples) < len(later.samples)


def test_no_words_no_sound(tone: ToneSynthesizer) -> None:
    assert list(tone.speak(SpeechRequest("  \n", tone.stock()[0].conditioning))) == []


def test_a_clone_is_its_recordings_own(tone: ToneSynthesizer) -> None:
    noise = np.random.default_rng(1).integers(-100, 100, 24_000).astype(np.int16)
    once = tone.clone(noise, 24_000, voice_id="voice_1")
    again = tone.clone(noise, 24_000, voice_id="voice_1")
    assert once == again
    assert once.voice_id == "voice_1"
    assert next(tone.speak(SpeechRequest("hi", once))).samples.any()


def test_it_is_registered_by_name() -> None:
    assert synthesizer("tone")().info.placeholder
    assert set(SYNTHESIZERS) >= {"clone", "tone"}


def test_an_engine_whose_library_is_missing_says_what_to_install() -> None:
    factory = SynthesizerFactory("dream", "no_such_module", "Dreamer", extra="dream")
    with pytest.raises(EngineUnavailable, match="needs the library no_such_module") as unavailable:
        factory()
    assert unavailable.value.fix == "install it with: pip install 'vivavoce[dream]'"
    with pytest.raises(EngineUnavailable, match="no engine is called 'dream'"):
        synthesizer("dream")


def test_an_engines_options_reach_it() -> None:
    factory = SynthesizerFactory("dated", "datetime", "timedelta")
    assert factory(days=2) == timedelta(days=2)
    assert pickle.loads(pickle.dumps(synthesizer("tone")))().info.name == "tone"
