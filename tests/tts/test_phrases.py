"""A phrase is made once, heard by all, and forgotten when others are wanted more."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from runtime.clock import ManualClock
from runtime.errors import SynthesisFailed
from runtime.media.g711 import encode_mulaw
from runtime.media.resample import StreamResampler
from tests.tts.inline import InlineEngine, drained
from tts.engine import Conditioning, SpeechRequest
from tts.engines.tone import ToneSynthesizer
from tts.phrases import PhraseBook, PhrasePart, WireFormat

HIGH, LOW = (stock.conditioning for stock in ToneSynthesizer().stock())
PCMU = WireFormat("pcmu/8000", 8000, encode_mulaw)
TEXT = "Hello, this is the agent. How may I help?"


def book_of(engine: InlineEngine, *, max_bytes: int = 10**6) -> PhraseBook:
    return PhraseBook(engine, clock=ManualClock(), max_bytes=max_bytes)


async def heard(book: PhraseBook, text: str = TEXT, voice: Conditioning = HIGH) -> list[PhrasePart]:
    return [part async for part in book.recite(text, voice, PCMU)]


async def test_a_phrase_is_what_the_engine_says_coded_for_the_wire() -> None:
    parts = await heard(book_of(InlineEngine()), "just one sentence here.")
    tone = [
        block.samples for block in ToneSynthesizer().speak(SpeechRequest("just one sentence here.", HIGH))
    ]
    resampler = StreamResampler(24_000, 8_000)
    expected = encode_mulaw(np.concatenate((resampler.push(np.concatenate(tone)), resampler.flush())))
    assert b"".join(part.coded for part in parts) == expected
    assert sum(part.samples for part in parts) == len(expected)
    words = [word for part in parts for word in part.words]
    assert [word.word for word in words] == ["just", "one", "sentence", "here."]


async def test_everybody_shares_one_making() -> None:
    engine = InlineEngine()
    book = book_of(engine)
    first, *others = await asyncio.gather(*(heard(book) for _ in range(10)))
    assert all(other == first for other in others)
    assert await heard(book) == first
    assert len(engine.requests) == 2  # two sentences, once


async def test_the_first_part_is_heard_before_the_last_is_made() -> None:
    engine = InlineEngine()
    book = book_of(engine)
    parts = book.recite("A first sentence here. An endless one.", HIGH, PCMU)
    assert (await anext(parts)).samples
    joined_late = book.recite("A first sentence here. An endless one.", HIGH, PCMU)
    assert (await anext(joined_late)).samples
    assert len(engine.requests) == 1
    await book.close()
    with pytest.raises(SynthesisFailed, match="closed"):
        await drained(parts)


async def test_voice_text_pace_and_wire_are_told_apart() -> None:
    engine = InlineEngine()
    book = book_of(engine)
    slower = WireFormat("pcmu/16000", 16_000, encode_mulaw)
    for recital in (
        book.recite("Hi.", HIGH, PCMU),
        book.recite("Hi.", LOW, PCMU),
        book.recite("Ho.", HIGH, PCMU),
        book.recite("Hi.", HIGH, PCMU, speed=2.0),
        book.recite("Hi.", HIGH, slower),
        book.recite("Hi.", HIGH, PCMU),
    ):
        assert [part async for part in recital]
    assert len(engine.requests) == 5


async def test_who_hangs_up_leaves_the_phrase_to_the_next() -> None:
    engine = InlineEngine()
    book = book_of(engine)
    leaving = asyncio.create_task(heard(book))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await heard(book)
    assert len(engine.requests) == 2


async def test_an_error_is_told_to_all_and_not_kept() -> None:
    engine = InlineEngine()
    book = book_of(engine)
    outcomes = await asyncio.gather(*(heard(book, "broken words.") for _ in range(3)), return_exceptions=True)
    assert all(isinstance(outcome, SynthesisFailed) for outcome in outcomes)
    with pytest.raises(SynthesisFailed):
        await heard(book, "broken words.")
    assert len(engine.requests) == 2
    assert book.held_bytes == 0


async def test_memory_is_bounded() -> None:
    engine = InlineEngine()
    book = book_of(engine, max_bytes=40_000)
    for number in range(20):
        await heard(book, f"phrase {number}.")
        assert book.held_bytes <= 40_000
    made = len(engine.requests)
    await heard(book, "phrase 19.")
    assert len(engine.requests) == made
    await heard(book, "phrase 0.")
    assert len(engine.requests) == made + 1
    await heard(book, "a phrase too long to keep " * 20)
    assert book.held_bytes <= 40_000
