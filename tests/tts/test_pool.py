"""The pool speaks as the engine would, shares fairly, and outlives its workers."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import aclosing
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from runtime.clock import SystemClock
from runtime.errors import EngineUnavailable, SynthesisFailed
from tests.tts.fragile import ChoirSynthesizer, ForgetfulChoir, FragileSynthesizer, WordlessSynthesizer
from tests.workers.services import broken
from tts.engine import Conditioning, PcmBlock, SpeechRequest
from tts.engines.tone import ToneSynthesizer
from tts.pool import SynthesisPool

VOICE, OTHER_VOICE = (stock.conditioning for stock in ToneSynthesizer().stock())
clock = SystemClock()


def pool_of(synthesizer: object, **options: object) -> SynthesisPool:
    return SynthesisPool(synthesizer, **{"workers": 1, "clock": clock} | options)  # type: ignore[arg-type]


@pytest.fixture
async def pool(tmp_path: Path) -> AsyncIterator[SynthesisPool]:
    pool = pool_of(partial(FragileSynthesizer, tmp_path), workers=2, step_timeout=0.5)
    await pool.start()
    yield pool
    await pool.close()


async def spoken(
    pool: SynthesisPool, text: str, voice: Conditioning = VOICE, deadline: float | None = None
) -> list[PcmBlock]:
    return [block async for block in pool.speak(SpeechRequest(text, voice), deadline=deadline)]


def noted(folder: Path, pattern: str) -> int:
    """How many notes of this kind the workers left."""
    return len(list(folder.glob(pattern)))


def direct(text: str, voice: Conditioning = VOICE) -> list[PcmBlock]:
    return list(ToneSynthesizer().speak(SpeechRequest(text, voice)))


def joined(blocks: list[PcmBlock]) -> np.ndarray:
    return np.concatenate([block.samples for block in blocks])


async def test_it_speaks_exactly_as_the_engine(pool: SynthesisPool) -> None:
    texts = [f"sentence number {n} is spoken" for n in range(12)]
    voices = [VOICE, OTHER_VOICE] * 6
    everyone = await asyncio.gather(*map(partial(spoken, pool), texts, voices))
    for text, voice, blocks in zip(texts, voices, everyone, strict=True):
        expected = direct(text, voice)
        assert np.array_equal(joined(blocks), joined(expected))
        assert [block.words for block in blocks] == [block.words for block in expected]
    assert pool.live == 0
    assert pool.info == ToneSynthesizer.info


@pytest.mark.parametrize("fault", ["crash", "hang"])
async def test_a_lost_worker_costs_no_word(pool: SynthesisPool, fault: str) -> None:
    text = f"we will {fault} in the middle of this"
    blocks = await spoken(pool, text, deadline=clock.now())
    words = [word for block in blocks for word in block.words]
    # The word that was cut is said again; every word is there, in order, and its times are the audio's.
    assert [text[slice(*word.source)] for word in words] == [word.word for word in words]
    assert list(dict.fromkeys(word.word for word in words)) == text.split()
    assert len(words) <= len(text.split()) + 1
    assert words[-1].end == pytest.approx(sum(len(block.samples) for block in blocks) / 24_000)


async def test_a_lost_worker_costs_others_nothing(pool: SynthesisPool) -> None:
    texts = ["this will crash in the middle", *(f"while number {n} just goes on" for n in range(8))]
    everyone = await asyncio.gather(*(spoken(pool, text) for text in texts))
    for text, blocks in zip(texts, everyone, strict=True):
        assert {word.word for block in blocks for word in block.words} == set(text.split())


async def test_a_worker_killed_between_two_steps(pool: SynthesisPool) -> None:
    text = "a long monologue " * 4
    async with aclosing(pool.speak(SpeechRequest(text, VOICE), deadline=clock.now())) as speech:
        blocks = [await anext(speech)]
        for lane in pool._lanes:
            assert lane.worker.pid is not None
            os.kill(lane.worker.pid, signal.SIGKILL)
        blocks += [block async for block in speech]
    words = [word.word for block in blocks for word in block.words]
    assert len(text.split()) <= len(words) <= len(text.split()) + 2


async def test_a_text_that_ends_every_worker_is_given_up(pool: SynthesisPool) -> None:
    with pytest.raises(SynthesisFailed, match="3 workers ended over this text"):
        await spoken(pool, "this will always-crash here")
    assert await spoken(pool, "hello")


async def test_without_word_times_a_lost_sentence_fails(tmp_path: Path) -> None:
    pool = pool_of(partial(WordlessSynthesizer, tmp_path))
    await pool.start()
    try:
        with pytest.raises(SynthesisFailed, match="no word times"):
            await spoken(pool, "this will crash in the middle")
        assert await spoken(pool, "hello")
    finally:
        await pool.close()


async def test_an_engine_error_ends_the_sentence_only(pool: SynthesisPool) -> None:
    speech = pool.speak(SpeechRequest("now raise an error please", VOICE))
    await anext(speech)
    await anext(speech)
    with pytest.raises(SynthesisFailed, match="the glottis is stuck"):
        await anext(speech)
    assert await spoken(pool, "hello")


async def test_closing_the_iterator_cancels(pool: SynthesisPool, tmp_path: Path) -> None:
    async with aclosing(pool.speak(SpeechRequest("on and on " * 200, VOICE), deadline=clock.now())) as speech:
        await anext(speech)
    assert pool.live == 0
    assert await spoken(pool, "hello")
    assert noted(tmp_path, "spoken-*") == 1  # only the second was spoken to its end


async def test_it_stays_a_bounded_lead_ahead(tmp_path: Path) -> None:
    pool = pool_of(ToneSynthesizer, lead=1.0)
    await pool.start()
    try:
        begun = clock.now()
        made = 0.0
        async for block in pool.speak(SpeechRequest("on and on and on " * 20, VOICE), deadline=begun):
            made += len(block.samples) / block.rate
            assert made <= clock.now() - begun + 1.0 + 0.2 + 0.01
            if made > 1.5:
                break
    finally:
        await pool.close()


async def test_a_reader_that_stops_costs_a_bounded_lead(tmp_path: Path) -> None:
    pool = pool_of(ToneSynthesizer, lead=1.0)
    await pool.start()
    try:
        async with aclosing(pool.speak(SpeechRequest("on and on " * 200, VOICE))) as speech:
            await anext(speech)
            await spoken(pool, "meanwhile somebody else " * 10)
            (slow,) = pool._speeches.values()
            assert 0.8 <= slow.unread <= 1.2
            rest = [block async for block in speech]
        assert sum(len(block.samples) for block in rest) > 24_000 * 50
    finally:
        await pool.close()


async def test_voices_cross_once_and_are_evicted(tmp_path: Path) -> None:
    pool = pool_of(partial(FragileSynthesizer, tmp_path), voice_cache_bytes=len(VOICE.data))
    await pool.start()
    try:
        await pool.warm(VOICE)
        for _ in range(3):
            await spoken(pool, "hello", VOICE)
        assert noted(tmp_path, "loaded-*") == 1
        await spoken(pool, "hello", OTHER_VOICE)  # pushes the first out
        assert noted(tmp_path, f"unloaded-*-{VOICE.digest}") == 1
        assert np.array_equal(joined(await spoken(pool, "hello", VOICE)), joined(direct("hello", VOICE)))
    finally:
        await pool.close()


async def test_engines_that_batch_are_given_batches(tmp_path: Path) -> None:
    log = tmp_path / "widths"
    pool = pool_of(partial(ChoirSynthesizer, log))
    await pool.start()
    try:
        texts = [f"voice {n} of the choir" for n in range(5)]
        for text, blocks in zip(
            texts, await asyncio.gather(*(spoken(pool, text) for text in texts)), strict=True
        ):
            assert np.array_equal(joined(blocks), joined(direct(text)))
    finally:
        await pool.close()
    assert max(map(int, log.read_text().split())) == 3


async def test_a_batch_that_goes_wrong_fails_its_sentences_and_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pool = pool_of(partial(ForgetfulChoir, tmp_path / "widths"))
    await pool.start()
    try:
        outcomes = await asyncio.gather(
            *(spoken(pool, f"voice {n}") for n in range(3)), return_exceptions=True
        )
        assert any(isinstance(outcome, SynthesisFailed) for outcome in outcomes)
        assert "failed at a step" in caplog.text
        assert await spoken(pool, "all alone")
    finally:
        await pool.close()


async def test_an_engine_that_cannot_be_made_fails_start() -> None:
    pool = pool_of(broken)
    with pytest.raises(EngineUnavailable, match="no base voice"):
        await pool.start()
    with pytest.raises(EngineUnavailable, match="not started"):
        _ = pool.info
    with pytest.raises(EngineUnavailable, match="not running"):
        await spoken(pool, "hello")
    with pytest.raises(ValueError, match="0 workers"):
        pool_of(ToneSynthesizer, workers=0)


async def test_closing_the_pool_ends_speeches() -> None:
    pool = pool_of(ToneSynthesizer)
    await pool.start()
    speech = pool.speak(SpeechRequest("on and on " * 50, VOICE), deadline=clock.now())
    await anext(speech)
    await pool.close()
    with pytest.raises(SynthesisFailed, match="closed"):
        async for _ in speech:
            pass


async def test_lateness_is_seen_from_outside(tmp_path: Path) -> None:
    pool = pool_of(partial(FragileSynthesizer, tmp_path), step_timeout=0.5)
    await pool.start()
    try:
        assert pool.lateness() == 0.0
        hung = asyncio.create_task(spoken(pool, "we will hang here for a while", deadline=clock.now()))
        async with asyncio.timeout(5):
            while not noted(tmp_path, "hang"):  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        waiting = asyncio.create_task(spoken(pool, "I am next", deadline=clock.now() - 1.0))
        await asyncio.sleep(0.01)
        assert 1.0 <= pool.lateness() < 2.0
        await asyncio.gather(hung, waiting)
        assert pool.lateness() == 0.0
    finally:
        await pool.close()


async def test_who_fell_silent_once_is_not_more_urgent_for_ever() -> None:
    pool = pool_of(ToneSynthesizer, lead=0.5)
    await pool.start()
    try:
        # Asked for ten seconds too late: its listener plays each block as it comes, from now on.
        begun = clock.now()
        made = 0.0
        async with aclosing(
            pool.speak(SpeechRequest("on and on " * 20, VOICE), deadline=begun - 10)
        ) as speech:
            async for block in speech:
                made += len(block.samples) / block.rate
                assert made <= clock.now() - begun + 0.5 + 0.25
                if made > 1.0:
                    break
    finally:
        await pool.close()
