from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.media.frame import Pcm
from runtime.turn.events import WINDOW_SAMPLES, VadWindow
from runtime.turn.vad import EnergyVad, SileroVad, VadBatch, VadModel
from tests.turn.voices import noise, silence, voice

SPEECH = np.concatenate([noise(0.3, level=-60.0), voice(0.8), noise(0.3, level=-60.0)])


@pytest.fixture(scope="module", params=[SileroVad, EnergyVad], ids=["silero", "energy"])
def model(request: pytest.FixtureRequest) -> VadModel:
    made: VadModel = request.param()
    return made


def judged_whole(model: VadModel, pcm: Pcm) -> list[VadWindow]:
    batch = VadBatch(model)
    batch.open().push(pcm)
    return [window for _, window in batch.step()]


@given(st.lists(st.integers(1, 2000), max_size=30))
def test_splitting_the_audio_changes_nothing(pieces: list[int]) -> None:
    model = EnergyVad()
    batch = VadBatch(model)
    stream = batch.open()
    windows = []
    bounds = [0, *itertools.accumulate(pieces), len(SPEECH)]
    for begin, end in itertools.pairwise(bounds):
        stream.push(SPEECH[begin:end] if end > begin else SPEECH[:0])
        windows += [window for _, window in batch.step()]
    if max(bounds[:-1]) <= len(SPEECH):
        assert windows == judged_whole(model, SPEECH)


def test_windows_are_numbered_in_samples_and_nothing_is_lost(model: VadModel) -> None:
    windows = judged_whole(model, SPEECH)
    assert [window.start for window in windows] == list(
        range(0, len(SPEECH) - WINDOW_SAMPLES + 1, WINDOW_SAMPLES)
    )


def test_callers_of_one_batch_get_what_they_would_get_alone(model: VadModel) -> None:
    batch = VadBatch(model)
    signals = [SPEECH, noise(0.7), SPEECH[::-1].copy(), silence(0.4), voice(1.0)] * 3
    streams = [batch.open() for _ in signals]
    heard: dict[int, list[VadWindow]] = {number: [] for number in range(len(signals))}
    for begin in range(0, len(SPEECH), 700):
        for stream, pcm in zip(streams, signals, strict=True):
            stream.push(pcm[begin : begin + 700])
        for stream, window in batch.step():
            heard[streams.index(stream)].append(window)
    for number, pcm in enumerate(signals):
        alone = judged_whole(model, pcm)
        assert [w.start for w in heard[number]] == [w.start for w in alone]
        np.testing.assert_allclose(
            [w.probability for w in heard[number]], [w.probability for w in alone], atol=1e-5
        )


def test_a_place_that_is_taken_again_has_forgotten_the_caller_before(model: VadModel) -> None:
    batch = VadBatch(model)
    for _ in range(3):
        stream = batch.open()
        stream.push(SPEECH)
        windows = [window for _, window in batch.step()]
        assert windows == judged_whole(model, SPEECH)
        stream.close()
        stream.close()
    assert len(batch) == 0


def test_a_closed_stream_is_judged_no_more(model: VadModel) -> None:
    batch = VadBatch(model)
    stream = batch.open()
    stream.push(SPEECH)
    stream.close()
    stream.push(SPEECH)
    assert batch.step() == []


def test_nothing_ready_costs_nothing(model: VadModel) -> None:
    batch = VadBatch(model)
    stream = batch.open()
    stream.push(SPEECH[: WINDOW_SAMPLES - 1])
    assert batch.step() == []
    assert stream.ready_windows == 0


def test_level_is_in_dbfs() -> None:
    square = np.where(np.arange(1024) % 64 < 32, 16384, -16384).astype(np.int16)
    loud, *_ = judged_whole(EnergyVad(), square)
    (quiet,) = judged_whole(EnergyVad(), silence(0.032))
    assert loud.level == pytest.approx(-6.02, abs=0.05)
    assert quiet.level == -96.0


def test_energy_follows_a_voice_over_steady_noise() -> None:
    room = noise(2.0, level=-50.0)
    windows = judged_whole(EnergyVad(), np.concatenate([room, voice(1.0, level=-22.0), room]))
    speech = [w.start / 16_000 for w in windows if w.probability > 0.5]
    assert min(speech) > 1.9
    assert max(speech) < 3.1
    assert len(speech) > 20


def test_energy_gets_used_to_a_fan() -> None:
    windows = judged_whole(EnergyVad(), np.concatenate([silence(0.5), noise(30.0, level=-45.0)]))
    assert windows[40].probability > 0.5
    assert windows[-1].probability < 0.5
