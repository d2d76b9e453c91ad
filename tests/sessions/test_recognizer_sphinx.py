from __future__ import annotations

import asyncio
import itertools
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from runtime.errors import RecognitionError
from runtime.media.frame import Pcm
from sessions.recognizers.sphinx import SphinxRecognizer, SphinxStream, Turns
from tests.turn.voices import recording, silence, voice


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared() -> AsyncIterator[SphinxRecognizer]:
    recognizer = SphinxRecognizer(workers=1, decoders=2)
    await recognizer.start()
    yield recognizer
    await recognizer.close()


@pytest.fixture
def speech(clips: Path) -> Pcm:
    return recording(clips / "C_conversation" / "librivox-sense-0930_m_16000_3.3s.flac")


def push_all(stream: SphinxStream, pcm: Pcm, *, packet: int = 320) -> None:
    for begin in range(0, len(pcm), packet):
        stream.push(pcm[begin : begin + packet])


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.clips
async def test_words_are_recognised_with_their_times(shared: SphinxRecognizer, speech: Pcm) -> None:
    stream = shared.open()
    push_all(stream, speech)
    transcript = await stream.finish()
    wanted = ["he", "might", "even", "have", "been", "made", "amiable", "himself"]
    found = [word for word in transcript.text.split() if word in wanted]
    assert len(found) >= 6
    assert [word.word for word in transcript.words] == transcript.text.split()
    assert transcript.seconds == pytest.approx(len(speech) / 16_000)
    ends = [time for word in transcript.words for time in (word.start, word.end)]
    assert ends == sorted(ends)
    assert ends[0] >= 0.0
    assert ends[-1] <= transcript.seconds
    assert all(0.0 < word.confidence <= 1.0 for word in transcript.words)


@pytest.mark.clips
async def test_the_size_of_packets_changes_nothing(shared: SphinxRecognizer, speech: Pcm) -> None:
    texts = []
    for packet in (113, 320, 100_000):
        stream = shared.open()
        push_all(stream, speech, packet=packet)
        texts.append((await stream.finish()).text)
    assert len(set(texts)) == 1


@pytest.mark.clips
async def test_partial_results_grow_while_the_caller_speaks(shared: SphinxRecognizer, speech: Pcm) -> None:
    stream = shared.open()
    push_all(stream, speech[:32_000])
    async with asyncio.timeout(20):
        first = await stream.partial()
        assert first
        push_all(stream, speech[32_000:])
        seen = [first]
        finishing = asyncio.ensure_future(stream.finish())
        while (text := await stream.partial()) is not None:
            seen.append(text)
        assert all(before != after for before, after in itertools.pairwise(seen))
        assert seen[-1] == (await finishing).text


@pytest.mark.clips
async def test_more_callers_than_decoders_are_all_served(shared: SphinxRecognizer, speech: Pcm) -> None:
    streams = [shared.open() for _ in range(5)]
    for stream in streams:
        push_all(stream, speech)
    transcripts = await asyncio.gather(*(stream.finish() for stream in streams))
    assert len({transcript.text for transcript in transcripts}) == 1


@pytest.mark.clips
async def test_an_utterance_survives_the_death_of_its_worker(speech: Pcm) -> None:
    recognizer = SphinxRecognizer(workers=1, decoders=1)
    await recognizer.start()
    try:
        stream = recognizer.open()
        push_all(stream, speech[:24_000])
        async with asyncio.timeout(20):
            await stream.partial()
            pid = recognizer.workers[0].pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            push_all(stream, speech[24_000:])
            assert "been made" in (await stream.finish()).text
    finally:
        await recognizer.close()


@pytest.mark.clips
async def test_the_next_utterance_of_a_caller_begins_from_what_was_learnt(
    shared: SphinxRecognizer, speech: Pcm
) -> None:
    first = shared.open()
    unknown = first.cepstral_mean
    push_all(first, speech)
    await first.finish()
    second = shared.open(after=first)
    assert second.cepstral_mean == first.cepstral_mean != unknown
    second.abandon()


async def test_nothing_pushed_is_nothing_heard(shared: SphinxRecognizer) -> None:
    transcript = await shared.open().finish()
    assert (transcript.text, transcript.words, transcript.seconds) == ("", (), 0.0)


async def test_silence_has_no_words(shared: SphinxRecognizer) -> None:
    stream = shared.open()
    stream.push(silence(1.0))
    transcript = await stream.finish()
    assert (transcript.text, transcript.seconds) == ("", 1.0)


async def test_an_abandoned_utterance_gives_its_decoder_back(shared: SphinxRecognizer) -> None:
    for _ in range(4):
        stream = shared.open()
        stream.push(voice(1.0))
        await asyncio.sleep(0)
        stream.abandon()
        stream.abandon()
        assert await stream.partial() is None
        stream.push(voice(1.0))
    stream = shared.open()
    stream.push(silence(0.2))
    assert (await stream.finish()).seconds == pytest.approx(0.2)


async def test_finishing_what_was_abandoned_is_an_error(shared: SphinxRecognizer) -> None:
    stream = shared.open()
    stream.push(silence(0.5))
    finishing = asyncio.ensure_future(stream.finish())
    await asyncio.sleep(0)
    stream.abandon()
    with pytest.raises(RecognitionError, match="abandoned"):
        await finishing


async def test_closing_the_recogniser_ends_open_utterances() -> None:
    recognizer = SphinxRecognizer(workers=1, decoders=1)
    await recognizer.start()
    stream = recognizer.open()
    stream.push(np.zeros(160_000, np.int16))
    finishing = asyncio.ensure_future(stream.finish())
    await asyncio.sleep(0)
    await recognizer.close()
    with pytest.raises(RecognitionError):
        await finishing


@pytest.mark.clips
async def test_an_expected_phrase_is_understood_where_the_vocabulary_alone_fails(
    shared: SphinxRecognizer, clips: Path
) -> None:
    pcm = recording(clips / "C_conversation" / "turn-dograh-billing-department_m_44100_3.4s.flac")
    texts = []
    for expects in ((), ("sales", "billing department", "opening hours")):
        stream = shared.open(expects=expects)
        push_all(stream, pcm)
        texts.append((await stream.finish()).text)
    assert texts[0] != "billing department"
    assert texts[1] == "billing department"


@pytest.mark.clips
async def test_other_words_than_the_expected_are_still_heard(shared: SphinxRecognizer, speech: Pcm) -> None:
    free, expecting = (
        shared.open(),
        shared.open(expects=("sales", "operator; drop table", "qwxyz", "<s>", "")),
    )
    push_all(free, speech)
    push_all(expecting, speech)
    assert (await free.finish()).text == (await expecting.finish()).text


async def test_who_waits_for_an_answer_is_decoded_before_those_who_still_speak() -> None:
    turns, order = Turns(1), []

    async def decode(name: str, *, done: bool) -> None:
        async with turns.take(lambda: done):
            order.append(name)
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as tasks:
        for name, done in (("first", False), ("speaks", False), ("speaks on", False), ("waits", True)):
            tasks.create_task(decode(name, done=done))
    assert order == ["first", "waits", "speaks", "speaks on"]


async def test_a_turn_whose_taker_was_cancelled_goes_to_the_next() -> None:
    turns = Turns(1)
    served = asyncio.Event()

    async def decode() -> None:
        async with turns.take(lambda: False):
            served.set()

    async with turns.take(lambda: False):
        gone, waiting = asyncio.create_task(decode()), asyncio.create_task(decode())
        await asyncio.sleep(0)
        gone.cancel()
    gone.cancel()
    await waiting
    assert served.is_set()
    async with turns.take(lambda: False):
        pass
