"""The load test's framings and our own wire package, written apart from each other, agree."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest

from loadtest.call import script
from loadtest.framings import FRAMINGS, Framing, Message
from loadtest.speech import babble, quiet
from runtime.media.line_codec import line_codec
from runtime.wire.telephony import CallStarted, CallStopped, CarrierStream, MarkReturned, MediaReceived
from tests.wire.test_carriers import CARRIERS

OURS = {name: name for name in FRAMINGS if name in CARRIERS}
CALL = "40325ec25efd4bd3805f53576e581d13"

each = pytest.mark.parametrize("name", OURS)


def opened(name: str) -> tuple[Framing, CarrierStream]:
    framing, stream = FRAMINGS[name], CARRIERS[name].fresh()
    if name == "audiosocket":
        stream.receive(CARRIERS[name].start[0])
        return framing, stream
    *_, started = [stream.receive(message) for message in framing.start(CALL)]
    assert isinstance(started, CallStarted)
    assert (started.coding, started.rate) == (framing.coding, framing.rate)
    return framing, stream


@each
def test_what_callers_say_is_understood(name: str) -> None:
    framing, stream = opened(name)
    codec = line_codec(framing.coding, framing.rate)
    speech = babble(0.4, rate=framing.rate)
    said = script(framing, speech, quiet(0.2, rate=framing.rate))
    heard = b""
    for chunk, packet in enumerate(said.packets[: said.speaking]):
        event = stream.receive(framing.media(CALL, chunk, packet))
        assert isinstance(event, MediaReceived)
        assert event.missing == 0
        heard += event.payload
    assert heard == codec.encode(speech)[: len(heard)]
    assert len(heard) == len(codec.encode(speech)) // said.speaking * said.speaking
    for message in framing.stop(CALL):
        assert stream.receive(message) == CallStopped()


def audio(framing: Framing, message: Message) -> bytes:
    if isinstance(message, bytes):
        return message
    assert framing.sound is not None
    assert framing.sound in message
    return base64.b64decode(framing.payload(json.loads(message)))


@each
def test_what_callers_are_told_is_understood(name: str) -> None:
    framing, stream = opened(name)
    stream.replies()
    coded = line_codec(framing.coding, framing.rate).encode(np.arange(480, dtype=np.int16))
    assert audio(framing, stream.play(coded)).endswith(coded)
    mark, clear = stream.mark("m1"), stream.clear()
    if isinstance(mark, str):
        found = framing.mark(json.loads(mark))
        assert found is not None
        assert stream.receive(framing.played(CALL, found)) == MarkReturned("m1")
    if clear is not None:
        assert isinstance(clear, str)
        assert framing.clears is not None
        assert framing.clears in clear
