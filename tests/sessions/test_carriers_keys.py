"""Digits pressed on a telephone reach the agent, each of them once, whichever way they come."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

import pytest

from runtime.wire import audiosocket
from runtime.wire.telephony import KeyPressed, WireMessage
from sessions.keypad import SETTLE, Keypad
from tests.wire.test_carriers import CARRIERS, hook, opened, text

PRESSES = 10_000
KEYS = "0123456789*#"

PRESSED: Mapping[str, Callable[[int, str], WireMessage]] = {
    "twilio": lambda n, key: text(
        event="dtmf", streamSid="MZ1", sequenceNumber=str(n), dtmf={"track": "inbound_track", "digit": key}
    ),
    "telnyx": lambda n, key: text(
        event="dtmf", stream_id="32DE0DEA", sequence_number=str(n), occurred_at="", dtmf={"digit": key}
    ),
    "plivo": lambda n, key: text(
        event="dtmf", streamId="s1", sequenceNumber=n, dtmf={"track": "inbound", "digit": key, "timestamp": n}
    ),
    "exotel": lambda n, key: text(
        event="dtmf", stream_sid="s1", sequence_number=n, dtmf={"digit": key, "duration": 100}
    ),
    "signalwire": lambda n, key: text(
        event="dtmf", streamSid="s1", sequenceNumber=str(n), dtmf={"digit": key, "duration": 100}
    ),
    "vonage": lambda n, key: text(event="websocket:dtmf", digit=key, duration=260),
    "audiohook": lambda n, key: hook("dtmf", n + 2, digit=key),
    "chan_websocket": lambda n, key: text(event="DTMF_END", channel="WebSocket/x/0x1", digit=key),
    "chan_websocket in plain text": lambda n, key: f"DTMF_END channel:WebSocket/x/0x1 digit:{key}",
    "jambonz": lambda n, key: text(event="dtmf", dtmf=key, duration="250"),
    "mod_audio_stream": lambda n, key: text(event="dtmf", digit=key),
    "audiosocket": lambda n, key: audiosocket.framed(audiosocket.DTMF, key.encode()),
}

NUMBERED = ("twilio", "telnyx", "plivo", "exotel", "signalwire")
"""Whose messages have numbers, so that one that comes twice can be told from a key pressed twice."""


def test_every_framing_with_keys_is_here() -> None:
    assert PRESSED.keys() == {name for name, carrier in CARRIERS.items() if carrier.key is not None}


@pytest.mark.parametrize("name", PRESSED)
def test_ten_thousand_keys_are_neither_lost_nor_doubled(name: str) -> None:
    chance = random.Random(name)
    pressed = "".join(chance.choices(KEYS, k=PRESSES))
    stream, keypad = opened(CARRIERS[name]), Keypad()
    now, understood = 0.0, ""
    entries: list[str | None] = []
    for n, key in enumerate(pressed):
        message = PRESSED[name](n, key)
        times = 2 if name in NUMBERED and chance.random() < 0.05 else 1
        for _ in range(times):
            event = stream.receive(message)
            if isinstance(event, KeyPressed):
                understood += event.digit
                entries.append(keypad.press(event.digit, now))
        if chance.random() < 0.2:
            stream.receive(CARRIERS[name].media)
        now += chance.choice((0.07, 0.3, 1.0, SETTLE + 0.1))
        entries.append(keypad.poll(now))
    entries.append(keypad.poll(now + SETTLE))
    assert understood == pressed
    # A hash that ends an entry is not said again; everything else is, in order.
    assert "".join(filter(None, entries)).replace("#", "") == pressed.replace("#", "")


@pytest.mark.parametrize("name", PRESSED)
def test_the_same_key_twice_is_two_keys(name: str) -> None:
    stream = opened(CARRIERS[name])
    assert [stream.receive(PRESSED[name](n, "5")) for n in range(2)] == [KeyPressed("5")] * 2
