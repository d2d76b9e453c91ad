from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from loadtest.speech import babble, quiet
from runtime.media.frame import LISTENING_RATE
from runtime.turn.gated import HANGOVER, GatedVad
from runtime.turn.silero import SileroVad
from runtime.turn.vad import VadBatch

Floats = NDArray[np.float32]


class Counting:
    """Says "speech" to all it is asked about, and remembers how much that was."""

    state_size = 2

    def __init__(self) -> None:
        self.asked = 0

    def judge(self, windows: Floats, state: Floats) -> Floats:
        self.asked += len(windows)
        state += 1.0
        return np.ones(len(windows), np.float32)


def windows(*levels_dbfs: float) -> Floats:
    """Square waves, one window each."""
    wave = np.where(np.arange(512) % 2, 1.0, -1.0)
    return np.array([wave * 10 ** (level / 20) for level in levels_dbfs], np.float32)


def test_quiet_windows_are_silence_and_cost_nothing() -> None:
    model = Counting()
    gate = GatedVad(model)
    state = np.zeros((3, gate.state_size), np.float32)
    assert gate.judge(windows(-96, -70, -61), state).tolist() == [0.0, 0.0, 0.0]
    assert model.asked == 0


def test_only_the_loud_ones_of_a_batch_are_judged() -> None:
    model = Counting()
    gate = GatedVad(model)
    state = np.zeros((3, gate.state_size), np.float32)
    assert gate.judge(windows(-70, -30, -59), state).tolist() == [0.0, 1.0, 1.0]
    assert model.asked == 2
    assert state[:, :2].tolist() == [[0, 0], [1, 1], [1, 1]]


def test_pauses_between_words_are_judged_and_then_the_state_is_forgotten() -> None:
    model = Counting()
    gate = GatedVad(model)
    state = np.zeros((1, gate.state_size), np.float32)
    gate.judge(windows(-30), state)
    answers = [float(gate.judge(windows(-90), state)[0]) for _ in range(HANGOVER + 3)]
    assert answers == [1.0] * (HANGOVER - 1) + [0.0] * 4
    assert not state.any()


def test_a_batch_of_loud_lines_is_judged_as_without_the_gate() -> None:
    model = SileroVad()
    gate = GatedVad(model)
    speech = babble(1.0, rate=LISTENING_RATE).astype(np.float32) / np.float32(32_768)
    plain = np.zeros((2, model.state_size), np.float32)
    gated = np.zeros((2, gate.state_size), np.float32)
    for start in range(0, len(speech) - 512, 512):
        pair: Floats = np.stack([speech[start : start + 512], speech[::-1][start : start + 512]])
        assert np.array_equal(gate.judge(pair, gated), model.judge(pair, plain))


def test_speech_is_noticed_through_the_gate_and_quiet_is_not() -> None:
    batch = VadBatch(GatedVad(SileroVad()))
    talker, listener = batch.open(), batch.open()
    talker.push(babble(2.0, rate=LISTENING_RATE))
    listener.push(quiet(2.0, rate=LISTENING_RATE))
    heard: dict[object, list[float]] = {talker: [], listener: []}
    for stream, window in batch.step():
        heard[stream].append(window.probability)
    assert np.mean(np.array(heard[talker]) > 0.5) > 0.25
    assert max(heard[listener]) == 0.0
