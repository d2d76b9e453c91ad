"""A voice moves only as it may, and is found only by those who may use it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import Conflict, VoiceNotFound, VoiceNotReady
from tts.engine import Conditioning, PcmBlock, SpeechRequest
from tts.engines.tone import ToneSynthesizer
from tts.voices.resolve import OPENAI_PRESETS, VoiceResolver
from tts.voices.voice import PENDING, TRANSITIONS, Reason, Voice, VoiceOrigin, VoiceState

NOW = datetime(2026, 1, 1, tzinfo=UTC)
STOCK = ToneSynthesizer().stock()


def voice(voice_id: str = "voice_1", tenant: str = "acme", state: VoiceState = VoiceState.READY) -> Voice:
    return Voice(
        id=voice_id,
        tenant_id=tenant,
        name="Ada",
        origin=VoiceOrigin.CLONED,
        state=state,
        language="en-US",
        engine="tone",
        engine_version="1",
        created_at=NOW,
    )


class Shelf:
    """A catalog in memory, that counts how often conditioning is read."""

    def __init__(self, *voices: Voice, size: int = 100) -> None:
        self.voices = {(voice.tenant_id, voice.id): voice for voice in voices}
        self.size = size
        self.reads = 0

    async def find(self, tenant_id: str, ref: str) -> Voice | None:
        return self.voices.get((tenant_id, ref))

    async def conditioning(self, voice: Voice) -> Conditioning:
        self.reads += 1
        await asyncio.sleep(0)
        data = voice.id.encode().ljust(self.size, b".")
        return Conditioning(voice.id, "tone", "1", data, sha256(data).hexdigest())


class Deaf:
    """An engine that notes what it is warmed with."""

    info = ToneSynthesizer.info

    def __init__(self) -> None:
        self.warmed: list[str] = []

    async def speak(
        self, request: SpeechRequest, *, deadline: float | None = None
    ) -> AsyncIterator[PcmBlock]:
        for block in ToneSynthesizer().speak(request):
            yield block

    async def warm(self, conditioning: Conditioning) -> None:
        self.warmed.append(conditioning.voice_id)


def resolver_of(shelf: Shelf, *, cache_bytes: int = 1000, engine: Deaf | None = None) -> VoiceResolver:
    return VoiceResolver(shelf, engine or Deaf(), stock=STOCK, cache_bytes=cache_bytes)


def test_the_way_of_a_good_recording_and_of_a_bad_one() -> None:
    good = voice(state=VoiceState.QUEUED)
    for state in (VoiceState.ANALYSING, VoiceState.ENROLLING, VoiceState.READY, VoiceState.DELETED):
        good = good.moved(state, at=NOW)
    reason = Reason("too_short", "too short: 2 s", "record 10 s")
    bad = voice(state=VoiceState.ANALYSING).moved(VoiceState.REJECTED, at=NOW, reason=reason)
    assert bad.reason == reason
    with pytest.raises(Conflict, match="rejected cannot become analysing"):
        bad.moved(VoiceState.ANALYSING, at=NOW)


@given(st.sampled_from(VoiceState), st.sampled_from(VoiceState))
def test_only_the_steps_of_the_table(state: VoiceState, following: VoiceState) -> None:
    if following in TRANSITIONS[state]:
        assert state.becomes(following) is following
    else:
        with pytest.raises(Conflict):
            state.becomes(following)


def test_every_state_can_be_deleted_and_none_leaves_deleted() -> None:
    assert not TRANSITIONS[VoiceState.DELETED]
    assert all(VoiceState.DELETED in TRANSITIONS[state] for state in VoiceState if state != "deleted")
    assert {state for state in VoiceState if state.pending} == PENDING


def test_reasons_survive_json() -> None:
    reason = Reason("c", "m", "f", "snr", 9.5, 12.0, "dB", "warning", ((0.0, 1.5), (3.0, 4.0)))
    assert Reason.from_json(reason.to_json()) == reason
    assert Reason.from_json({"code": "c", "message": "m", "fix": "f", "new": 1}) == Reason("c", "m", "f")


async def test_own_voices_are_resolved_once_and_warmed() -> None:
    shelf, engine = Shelf(voice()), Deaf()
    resolver = resolver_of(shelf, engine=engine)
    first, *others = await asyncio.gather(*(resolver.resolve("acme", "voice_1") for _ in range(5)))
    assert all(other is first for other in others)
    assert await resolver.resolve("acme", "voice_1") is first
    assert (shelf.reads, engine.warmed) == (1, ["voice_1"])


async def test_another_tenants_voice_does_not_exist() -> None:
    resolver = resolver_of(Shelf(voice()))
    await resolver.resolve("acme", "voice_1")
    with pytest.raises(VoiceNotFound) as other:
        await resolver.resolve("globex", "voice_1")
    with pytest.raises(VoiceNotFound) as unknown:
        await resolver.resolve("globex", "voice_2")
    assert str(other.value).replace("voice_1", "voice_2") == str(unknown.value)


async def test_a_voice_that_cannot_speak_says_why() -> None:
    reason = Reason("noisy", "noisy: 5 dB", "find a quiet room")
    shelf = Shelf(
        voice("a", state=VoiceState.ENROLLING),
        replace(voice("b", state=VoiceState.REJECTED), reason=reason),
        voice("c", state=VoiceState.DELETED),
        voice("d", state=VoiceState.ERROR),
    )
    resolver = resolver_of(shelf)
    with pytest.raises(VoiceNotReady, match="still enrolling"):
        await resolver.resolve("acme", "a")
    with pytest.raises(VoiceNotReady, match="noisy: 5 dB") as rejected:
        await resolver.resolve("acme", "b")
    assert rejected.value.fix == "find a quiet room"
    with pytest.raises(VoiceNotFound):
        await resolver.resolve("acme", "c")
    with pytest.raises(VoiceNotReady, match="error"):
        await resolver.resolve("acme", "d")


async def test_a_deleted_voice_fails_though_it_was_cached() -> None:
    shelf = Shelf(voice())
    resolver = resolver_of(shelf)
    await resolver.resolve("acme", "voice_1")
    shelf.voices.clear()
    with pytest.raises(VoiceNotFound):
        await resolver.resolve("acme", "voice_1")


async def test_the_cache_is_bounded_in_bytes() -> None:
    shelf = Shelf(*(voice(f"voice_{n}") for n in range(5)), size=100)
    resolver = resolver_of(shelf, cache_bytes=250)
    for n in (0, 1, 0, 2):
        await resolver.resolve("acme", f"voice_{n}")
    assert resolver.held_bytes == 200
    reads = shelf.reads
    await resolver.resolve("acme", "voice_0")  # used last but one, so kept
    assert shelf.reads == reads
    await resolver.resolve("acme", "voice_1")
    assert shelf.reads == reads + 1
    resolver.forget("voice_1")
    resolver.forget("voice_1")
    assert resolver.held_bytes == 100


async def test_without_a_cache_voices_still_speak() -> None:
    shelf = Shelf(voice())
    resolver = resolver_of(shelf, cache_bytes=0)
    await resolver.resolve("acme", "voice_1")
    await resolver.resolve("acme", "voice_1")
    assert (shelf.reads, resolver.held_bytes) == (2, 0)
    with pytest.raises(ValueError, match="-1"):
        resolver_of(shelf, cache_bytes=-1)


async def test_a_caller_that_hangs_up_fails_no_other() -> None:
    resolver = resolver_of(Shelf(voice()))
    leaving = asyncio.create_task(resolver.resolve("acme", "voice_1"))
    staying = asyncio.create_task(resolver.resolve("acme", "voice_1"))
    await asyncio.sleep(0)
    leaving.cancel()
    assert (await staying).voice_id == "voice_1"


async def test_stock_voices_and_openai_presets_speak_for_everyone() -> None:
    resolver = resolver_of(Shelf())
    assert (await resolver.resolve("acme", "tone-low")).voice_id == "tone-low"
    for preset in OPENAI_PRESETS:
        assert (await resolver.resolve("acme", preset)).voice_id in resolver.stock
    assert (await resolver.resolve("acme", "nova")).voice_id == "tone-high"
    assert (await resolver.resolve("acme", "onyx")).voice_id == "tone-low"


async def test_an_own_voice_wins_over_a_stock_name() -> None:
    resolver = resolver_of(Shelf(voice("alloy")))
    assert (await resolver.resolve("acme", "alloy")).voice_id == "alloy"
    assert (await resolver.resolve("globex", "alloy")).voice_id in resolver.stock
