"""Pipecat's serializers of other carriers read what we write, and we theirs. Needs the extra ``peers``."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from runtime.media.line_codec import line_codec
from runtime.wire.telephony import CarrierStream, KeyPressed, MediaReceived
from tests.wire.test_carriers import CARRIERS, HOOK_MEDIA, hook

frames = pytest.importorskip("pipecat.frames.frames", reason="pipecat-ai is not installed (extra: peers)")
TONE = (8_000 * np.sin(np.arange(1_600) / 5)).astype(np.int16)

# Each is spoken at the rate and in the codec that Pipecat has for it.
NAMES = ("telnyx", "plivo", "vonage", "exotel", "audiohook")
STARTS = {"plivo": ("audio/x-l16", "audio/x-mulaw", 8_000), "vonage": ("rate=16000", "rate=8000", 8_000)}


async def serializer(name: str) -> Any:
    made: Any
    if name == "telnyx":
        theirs = pytest.importorskip("pipecat.serializers.telnyx").TelnyxFrameSerializer
        made = theirs("32DE0DEA", "PCMU", "PCMU", params=theirs.InputParams(auto_hang_up=False))
    elif name == "plivo":
        theirs = pytest.importorskip("pipecat.serializers.plivo").PlivoFrameSerializer
        made = theirs("s1", params=theirs.InputParams(auto_hang_up=False))
    elif name == "vonage":
        theirs = pytest.importorskip("pipecat.serializers.vonage").VonageFrameSerializer
        made = theirs(theirs.InputParams(vonage_sample_rate=8_000))
    elif name == "exotel":
        made = pytest.importorskip("pipecat.serializers.exotel").ExotelFrameSerializer("s1")
    else:
        made = pytest.importorskip("pipecat.serializers.genesys").GenesysAudioHookSerializer()
        made._is_open = True
    await made.setup(frames.StartFrame(audio_in_sample_rate=8_000, audio_out_sample_rate=8_000))
    return made


def started(name: str) -> CarrierStream:
    carrier = CARRIERS[name]
    stream = carrier.fresh()
    for message in carrier.start:
        if name in STARTS:
            assert isinstance(message, str)
            before, after, _rate = STARTS[name]
            message = message.replace(before, after).replace("16000", "8000")
        stream.receive(message)
    return stream


def coding(name: str) -> str:
    return "pcmu" if name == "plivo" else CARRIERS[name].started.coding


@pytest.mark.parametrize("name", NAMES)
async def test_they_hear_our_audio(name: str) -> None:
    message = started(name).play(line_codec(coding(name), 8_000).encode(TONE))
    if isinstance(message, str) and name in ("telnyx", "plivo"):
        told = json.loads(message)  # theirs come from the carrier, and name the track
        told |= {"event": "media"}
        told["media"]["track"] = "inbound"
        message = json.dumps(told)
    heard = await (await serializer(name)).deserialize(message)
    assert np.abs(np.frombuffer(heard.audio, "<i2").astype(int) - TONE).max() < 600


@pytest.mark.parametrize("name", NAMES)
async def test_we_hear_their_audio(name: str) -> None:
    out = frames.OutputAudioRawFrame(audio=TONE.tobytes(), sample_rate=8_000, num_channels=1)
    message = await (await serializer(name)).serialize(out)
    if isinstance(message, str):  # theirs goes to the carrier, which numbers it
        told = json.loads(message) | {"event": "media"}
        told["media"] |= {"track": "inbound", "chunk": "1", "timestamp": "0"}
        message = json.dumps(told)
    event = started(name).receive(message)
    assert isinstance(event, MediaReceived)
    heard = line_codec(coding(name), 8_000).decode(event.payload).astype(int)
    assert np.abs(heard - TONE).max() < 600


@pytest.mark.parametrize("name", NAMES)
async def test_their_interruption_and_our_clear_say_the_same(name: str) -> None:
    told = [await (await serializer(name)).serialize(frames.InterruptionFrame()), started(name).clear()]
    theirs, ours = (json.loads(message) for message in told if isinstance(message, str))
    for numbered in ("seq", "clientseq", "id", "position"):
        theirs.pop(numbered, None)
        ours.pop(numbered, None)
    assert theirs == ours


@pytest.mark.parametrize("name", ["telnyx", "vonage", "exotel", "audiohook"])
async def test_both_read_a_key_alike(name: str) -> None:
    key = CARRIERS[name].key
    assert key is not None
    theirs = await (await serializer(name)).deserialize(key)
    assert started(name).receive(key) == KeyPressed(theirs.button.value)


async def test_both_open_an_audiohook_session_alike() -> None:
    stream, theirs = CARRIERS["audiohook"].fresh(), await serializer("audiohook")
    opening = hook("open", 1, conversationId="c1", media=HOOK_MEDIA[1:], participant={})
    stream.receive(opening)
    await theirs.deserialize(opening)
    reply = theirs.create_opened_response()
    (ours,) = (json.loads(message) for message in stream.replies())
    assert ours["parameters"] == reply["parameters"]
    assert set(ours) <= set(reply) | {"position"}
