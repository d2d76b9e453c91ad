"""The neural engine through its real loading path, on a tiny model with random weights."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pocket_tts", reason="runs in an environment of its own, which make test sets up")

from runtime.clock import SystemClock
from runtime.errors import EngineUnavailable, EnrolmentError, SynthesisFailed
from runtime.media.frame import Pcm
from tests.tts.engines.tiny_pocket import write_model
from tts.engine import Conditioning, PcmBlock, SpeechRequest
from tts.engines import SYNTHESIZERS
from tts.engines.pocket import PocketSynthesizer
from tts.pool import SynthesisPool

FRAME = 1920
AHEAD = 5
"""Steps of the model: the first takes the text in, each of the others makes a frame."""


def noise(seed: int) -> Pcm:
    return np.random.default_rng(seed).normal(0, 3000, 44_100 * 3).astype(np.int16)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("pocket"))


@pytest.fixture(scope="module")
def pocket(model: Path) -> PocketSynthesizer:
    return PocketSynthesizer(model=str(model))


@pytest.fixture(scope="module")
def voice(pocket: PocketSynthesizer) -> Conditioning:
    return pocket.clone(noise(1), 44_100, voice_id="voice_1")


class Held:
    """The model generates ahead of its reader: it is held at its step ``AHEAD`` until told to go on."""

    def __init__(self, pocket: PocketSynthesizer, monkeypatch: pytest.MonkeyPatch) -> None:
        self._step = pocket._model._run_flow_lm_and_increment_step
        self.steps = 0
        self.go_on = Event()
        monkeypatch.setattr(pocket._model, "_run_flow_lm_and_increment_step", self._held)

    def _held(self, **given: Any) -> Any:
        self.steps += 1
        if self.steps == AHEAD:
            assert self.go_on.wait(30)
        return self._step(**given)


def joined(blocks: list[PcmBlock]) -> Pcm:
    return np.concatenate([block.samples for block in blocks])


def test_it_says_who_it_is(pocket: PocketSynthesizer) -> None:
    assert pocket.info.rate == 24_000
    assert pocket.info.clones
    assert pocket.info.version.endswith("-model")


def test_frames_are_streamed(
    pocket: PocketSynthesizer, voice: Conditioning, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Held(pocket, monkeypatch)
    speech = pocket.speak(SpeechRequest("Hello there, how are you?", voice))
    first = next(speech)  # while the model is held: nobody waits for the rest
    model.go_on.set()
    blocks = [first, *speech]
    assert all(len(block.samples) % FRAME == 0 for block in blocks)
    assert len(joined(blocks)) > AHEAD * FRAME
    assert joined(blocks).any()


def test_the_same_seed_gives_the_same_samples(pocket: PocketSynthesizer, voice: Conditioning) -> None:
    once, again, other = (
        joined(list(pocket.speak(SpeechRequest("Hello.", voice, seed=seed)))) for seed in (1, 1, 2)
    )
    assert np.abs(once.astype(int) - again).max() <= 1
    assert not np.array_equal(once, other)


def test_another_clip_is_another_voice(pocket: PocketSynthesizer, voice: Conditioning) -> None:
    other = pocket.clone(noise(2), 44_100, voice_id="voice_2")
    assert other.digest != voice.digest
    one, two = (joined(list(pocket.speak(SpeechRequest("Hello.", who)))) for who in (voice, other))
    assert not np.array_equal(one, two)


def test_a_stored_voice_speaks_the_same_in_another_process(
    model: Path, pocket: PocketSynthesizer, voice: Conditioning
) -> None:
    fresh = PocketSynthesizer(model=str(model))
    fresh.load(voice)
    one, two = (joined(list(engine.speak(SpeechRequest("Hello.", voice)))) for engine in (pocket, fresh))
    assert np.abs(one.astype(int) - two).max() <= 1


def test_dropping_the_iterator_stops_the_model(
    pocket: PocketSynthesizer, voice: Conditioning, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = SpeechRequest("A very long sentence " * 8, voice)
    whole = len(joined(list(pocket.speak(request)))) // FRAME
    running = set(threading.enumerate())
    model = Held(pocket, monkeypatch)
    speech = pocket.speak(request)
    next(speech)
    speech.close()  # type: ignore[attr-defined]
    model.go_on.set()
    for thread in set(threading.enumerate()) - running:
        thread.join(30)
        assert not thread.is_alive()
    assert model.steps <= AHEAD < whole


async def test_it_speaks_in_the_pool(model: Path, voice: Conditioning) -> None:
    pool = SynthesisPool(
        partial(SYNTHESIZERS["pocket"], model=str(model)), workers=1, clock=SystemClock(), step_timeout=60
    )
    await pool.start()
    try:
        assert pool.info.name == "pocket"
        await pool.warm(voice)
        blocks = [block async for block in pool.speak(SpeechRequest("Hello there.", voice))]
        assert joined(blocks).any()
    finally:
        await pool.close()


def test_weights_that_cannot_clone_say_so(model: Path) -> None:
    pocket = PocketSynthesizer(model=str(model))
    pocket._model.has_voice_cloning = False
    with pytest.raises(EngineUnavailable, match="cannot clone") as unavailable:
        pocket.clone(noise(1), 44_100, voice_id="voice_1")
    assert "HF_TOKEN" in (unavailable.value.fix or "")


def test_what_is_missing_is_named(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EngineUnavailable, match="no model file"):
        PocketSynthesizer(model=str(tmp_path / "none.yaml"))
    with pytest.raises(EngineUnavailable, match="klingon"):
        PocketSynthesizer(model="klingon")
    lost = tmp_path / "lost.yaml"
    lost.write_text(model.read_text().replace("model.safetensors", "elsewhere.safetensors"))
    with pytest.raises(EngineUnavailable, match=r"elsewhere\.safetensors"):
        PocketSynthesizer(model=str(lost))
    gated = tmp_path / "gated.yaml"
    gated.write_text(
        "\n".join(
            "weights_path: hf://kyutai/pocket-tts/m.safetensors" if "weights_path" in line else line
            for line in model.read_text().splitlines()
        )
    )
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(EngineUnavailable, match="cannot load") as unavailable:
        PocketSynthesizer(model=str(gated))
    assert "accept the terms" in (unavailable.value.fix or "")


def test_bad_requests(pocket: PocketSynthesizer, voice: Conditioning) -> None:
    with pytest.raises(EnrolmentError):
        pocket.clone(np.zeros(0, np.int16), 24_000, voice_id="v")
    with pytest.raises(SynthesisFailed, match="own pace"):
        next(pocket.speak(SpeechRequest("Hi.", voice, speed=1.5)))
    foreign = Conditioning("v", "tone", "1", b"400", "d1")
    with pytest.raises(SynthesisFailed, match="made for tone"):
        pocket.load(foreign)
    damaged = Conditioning("v", "pocket", pocket.info.version, b"not safetensors", "d2")
    with pytest.raises(SynthesisFailed, match="damaged"):
        pocket.load(damaged)
    with pytest.raises(SynthesisFailed, match="published weights"):
        pocket.load(pocket.stock()[0].conditioning)
