"""Pipecat's Twilio serializer reads what we write, and we read what it writes. Needs the extra ``peers``."""

from __future__ import annotations

import json

import numpy as np
import pytest

from runtime.media.g711 import decode_mulaw, encode_mulaw
from runtime.wire.telephony import KeyPressed, MediaReceived
from runtime.wire.twilio import TwilioStream

frames = pytest.importorskip("pipecat.frames.frames", reason="pipecat-ai is not installed (extra: peers)")
serializers = pytest.importorskip("pipecat.serializers.twilio")

START = (
    '{"event":"start","start":{"streamSid":"MZ1","callSid":"CA1",'
    '"mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1}}}'
)
TONE = (8_000 * np.sin(np.arange(1_600) / 5)).astype(np.int16)


async def serializer() -> object:
    made = serializers.TwilioFrameSerializer(
        stream_sid="MZ1", params=serializers.TwilioFrameSerializer.InputParams(auto_hang_up=False)
    )
    await made.setup(frames.StartFrame(audio_in_sample_rate=8_000, audio_out_sample_rate=8_000))
    return made


def started() -> TwilioStream:
    stream = TwilioStream()
    stream.receive(START)
    return stream


async def test_it_hears_our_audio() -> None:
    message = started().play(encode_mulaw(TONE))
    heard = await (await serializer()).deserialize(message)  # type: ignore[attr-defined]
    pcm = np.frombuffer(heard.audio, "<i2").astype(int)
    assert np.abs(pcm - TONE).max() < 600


async def test_we_hear_its_audio() -> None:
    out = frames.OutputAudioRawFrame(audio=TONE.tobytes(), sample_rate=8_000, num_channels=1)
    message = json.loads(await (await serializer()).serialize(out))  # type: ignore[attr-defined]
    message["media"]["timestamp"] = "0"  # theirs goes to Twilio, which needs none
    event = started().receive(json.dumps(message))
    assert isinstance(event, MediaReceived)
    assert np.abs(decode_mulaw(event.payload).astype(int) - TONE).max() < 600


async def test_its_interruption_and_our_clear_are_the_same_message() -> None:
    theirs = await (await serializer()).serialize(frames.InterruptionFrame())  # type: ignore[attr-defined]
    assert json.loads(theirs) == json.loads(started().clear())


async def test_both_read_a_key_alike() -> None:
    message = '{"event":"dtmf","streamSid":"MZ1","dtmf":{"track":"inbound_track","digit":"5"}}'
    theirs = await (await serializer()).deserialize(message)  # type: ignore[attr-defined]
    assert started().receive(message) == KeyPressed(theirs.button.value)
