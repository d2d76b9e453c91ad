from __future__ import annotations

from dataclasses import replace

import pytest

from runtime.errors import VoiceNotFound, VoiceNotReady
from sessions.voice import SessionVoice
from tests.sessions.staged.stage import PROFILE, InlineEngine, NoVoices
from tts.engines.tone import ToneSynthesizer
from tts.voices.resolve import VoiceResolver


@pytest.fixture
def resolver() -> VoiceResolver:
    tone = ToneSynthesizer()
    return VoiceResolver(NoVoices(), InlineEngine(tone), stock=tone.stock(), cache_bytes=0)


async def test_the_agents_voice_is_the_calls(resolver: VoiceResolver) -> None:
    voice = await SessionVoice.open(PROFILE, resolver)
    assert (voice.ref, voice.own.voice_id, voice.fallback) == ("tone-high", "tone-high", None)


async def test_a_voice_that_is_gone_refuses_the_call(resolver: VoiceResolver) -> None:
    with pytest.raises(VoiceNotReady) as caught:
        await SessionVoice.open(replace(PROFILE, voice_ref="voice_gone"), resolver)
    assert caught.value.code == "voice_unavailable"
    assert caught.value.fix


async def test_an_explicit_fallback_is_used_and_told(resolver: VoiceResolver) -> None:
    profile = replace(PROFILE, voice_ref="voice_gone", voice_fallback="tone-low")
    voice = await SessionVoice.open(profile, resolver)
    assert voice.own.voice_id == "tone-low"
    assert voice.fallback is not None
    assert (voice.fallback.requested, voice.fallback.used) == ("voice_gone", "tone-low")


async def test_a_fallback_that_is_gone_too_refuses_the_call(resolver: VoiceResolver) -> None:
    profile = replace(PROFILE, voice_ref="voice_gone", voice_fallback="voice_gone_too")
    with pytest.raises(VoiceNotReady) as caught:
        await SessionVoice.open(profile, resolver)
    assert caught.value.code == "voice_unavailable"


async def test_another_voice_must_exist(resolver: VoiceResolver) -> None:
    voice = await SessionVoice.open(PROFILE, resolver)
    with pytest.raises(VoiceNotFound):
        await voice.resolve("voice_unknown")
    await voice.resolve("tone-low")
    assert voice.conditioning("tone-low").voice_id == "tone-low"
    assert voice.conditioning("never asked for").voice_id == "tone-high"
