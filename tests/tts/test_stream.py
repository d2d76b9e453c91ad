"""A reply is spoken while it is written; its words know where in the text they stand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.clock import ManualClock, SystemClock
from runtime.errors import SynthesisFailed
from tests.tts.inline import InlineEngine, drained
from tts.engine import PcmBlock
from tts.engines.tone import ToneSynthesizer
from tts.stream import SpeechStream

VOICE = ToneSynthesizer().stock()[0].conditioning


def stream_of(
    engine: InlineEngine,
    *,
    deadline: Callable[[], float | None] | None = None,
    clock: ManualClock | None = None,
) -> SpeechStream:
    return SpeechStream(engine, VOICE, clock=clock or SystemClock(), deadline=deadline)


async def blocks_of(text: str, *cuts: int) -> tuple[SpeechStream, list[PcmBlock]]:
    stream = stream_of(InlineEngine())
    for begin, end in zip((0, *cuts), (*cuts, len(text)), strict=True):
        stream.push(text[begin:end])
    stream.finish()
    return stream, [block async for block in stream]


async def test_words_point_into_the_text_that_was_pushed() -> None:
    text = "Hello there, how are you?  I am **fine**. And you?"
    stream, blocks = await blocks_of(text, 3, 20, 21)
    words = [word for block in blocks for word in block.words]
    assert stream.text == text
    written = [text[slice(*word.source)] for word in words]
    assert "".join(written).replace("**", "") == "Hellothere,howareyou?Iamfine.Andyou?"


async def test_word_times_count_from_the_first_sample() -> None:
    stream, blocks = await blocks_of("One two. Three four. Five six.")
    words = [word for block in blocks for word in block.words]
    assert words[0].start == 0.0
    assert words[-1].end == pytest.approx(stream.seconds)
    assert all(a.end == pytest.approx(b.start) for a, b in zip(words, words[1:], strict=False))
    at = 0.0
    for block in blocks:
        end = at + len(block.samples) / block.rate
        assert all(at - 1e-6 <= word.start < end for word in block.words)
        at = end


@given(st.text(alphabet="ab 3.,!?\n$é", max_size=120), st.data())
def test_any_split_sounds_the_same(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=10)))

    async def compare() -> None:
        _, whole = await blocks_of(text)
        _, split = await blocks_of(text, *cuts)
        assert [block.words for block in split] == [block.words for block in whole]
        assert all(np.array_equal(a.samples, b.samples) for a, b in zip(split, whole, strict=True))

    asyncio.run(compare())


async def test_speech_begins_before_the_text_ends() -> None:
    stream = stream_of(InlineEngine())
    stream.push("The first sentence. And")
    block = await anext(aiter(stream))
    assert [word.word for word in block.words] == ["The"]


async def test_cancel_ends_a_wait_for_the_engine() -> None:
    engine = InlineEngine()
    stream = stream_of(engine)
    stream.push("endless talk. ")
    stream.finish()
    reading = asyncio.create_task(anext(aiter(stream), None))
    await asyncio.sleep(0.01)
    stream.cancel()
    assert await reading is None
    assert engine.closed == 1
    stream.push("ignored")
    stream.cancel()


async def test_cancel_ends_a_wait_for_text() -> None:
    stream = stream_of(InlineEngine())
    reading = asyncio.create_task(anext(aiter(stream), None))
    await asyncio.sleep(0)
    stream.cancel()
    assert await reading is None


async def test_cancel_between_blocks() -> None:
    engine = InlineEngine()
    stream = stream_of(engine)
    stream.push("a good long sentence with many words. And another. ")
    heard = []
    async for block in stream:
        heard.append(block)
        if len(heard) == 2:
            stream.cancel()
    assert len(heard) == 2
    assert engine.closed == 1


async def test_cancelling_the_reader_is_not_swallowed() -> None:
    engine = InlineEngine()
    stream = stream_of(engine)
    stream.push("endless talk. ")
    stream.finish()
    reading = asyncio.create_task(anext(aiter(stream), None))
    await asyncio.sleep(0.01)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert engine.closed == 1


async def test_an_engine_error_comes_through() -> None:
    stream = stream_of(InlineEngine())
    stream.push("Good. Now broken. ")
    stream.finish()
    blocks = aiter(stream)
    await anext(blocks)
    with pytest.raises(SynthesisFailed, match="glottis"):
        await drained(blocks)


async def test_nothing_to_say_is_nothing_said() -> None:
    for text in ("", "   \n ", "...", "** --"):
        stream, blocks = await blocks_of(text)
        assert blocks == []
        assert stream.ttfb is None
        assert stream.rtf is None


async def test_ttfb_and_rtf(clock: ManualClock) -> None:
    stream = stream_of(InlineEngine(clock, pace=0.01), clock=clock)
    clock.advance(5.0)
    stream.push("Hello ")
    clock.advance(0.05)
    stream.push("there. Right. ")
    stream.finish()
    blocks = [block async for block in stream]
    assert stream.ttfb == pytest.approx(0.06)
    assert stream.rtf == pytest.approx(len(blocks) * 0.01 / stream.seconds)


async def test_waits_with_much_in_stock_say_nothing_of_the_engine(clock: ManualClock) -> None:
    engine = InlineEngine(clock, pace=0.5)
    stream = stream_of(engine, clock=clock, deadline=lambda: clock.now() + 1.5)
    stream.push("Held back on purpose. ")
    stream.finish()
    assert [block async for block in stream]
    assert stream.rtf is None


async def test_the_deadline_is_asked_for_every_piece_and_only_the_first_opens(clock: ManualClock) -> None:
    engine = InlineEngine()
    deadlines = iter(range(100))
    stream = stream_of(engine, clock=clock, deadline=lambda: float(next(deadlines)))
    stream.push("One sentence. Two sentences. Three of them. ")
    stream.finish()
    _ = [block async for block in stream]
    assert [request.first for request in engine.requests] == [True, False, False]
    assert engine.deadlines == sorted(engine.deadlines, key=lambda at: at or 0.0)
    assert None not in engine.deadlines


async def test_a_writer_who_stops_in_mid_sentence_is_spoken_after_a_while() -> None:
    clock = SystemClock()
    engine = InlineEngine()
    stream = stream_of(engine, deadline=clock.now)
    stream.push("Let me look that up for you with Dr.")
    begun = clock.now()
    blocks = aiter(stream)
    await anext(blocks)
    assert clock.now() - begun >= 0.4
    assert engine.requests[0].text == "Let me look that up for you with"
    stream.push(" Smith.")
    stream.finish()
    _ = [block async for block in blocks]
    assert " ".join(request.text for request in engine.requests).endswith("mith.")


async def test_nobody_hurries_when_nobody_listens() -> None:
    engine = InlineEngine()
    stream = stream_of(engine)
    stream.push("Let me look that up for")
    reading = asyncio.create_task(anext(aiter(stream)))
    await asyncio.sleep(0.5)
    assert not engine.requests
    stream.finish()
    await reading
