"""
Pipecat's serializers of six carriers, and Plivo's own models, read what we write, and we read theirs.

They live in an environment of their own, where ``scripts/setup-conformance`` installs them, and are asked
over a pipe.
"""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runtime.media.line_codec import line_codec
from runtime.wire.telephony import CarrierStream, KeyPressed, MediaReceived, WireMessage
from tests.wire.test_carriers import CARRIERS, HOOK_MEDIA, hook, text

CLIENTS = Path(__file__).parent / "clients"
PYTHON = Path(__file__).parents[2] / ".venv-conformance" / "bin" / "python"
TONE = (8_000 * np.sin(np.arange(1_600) / 5)).astype(np.int16)

# Each is spoken at the rate and in the codec that Pipecat has for it.
NAMES = ("twilio", "telnyx", "plivo", "vonage", "exotel", "audiohook")
STARTS = {"plivo": ("audio/x-l16", "audio/x-mulaw"), "vonage": ("rate=16000", "rate=8000")}


class Models:
    """The program at the other end of the pipe."""

    def __init__(self, program: subprocess.Popen[str]) -> None:
        self._program = program

    def ask(self, **request: Any) -> Any:
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        self._program.stdin.write(json.dumps(request) + "\n")
        self._program.stdin.flush()
        told = json.loads(self._program.stdout.readline())
        assert "error" not in told, told
        return told["answer"]


@pytest.fixture(scope="module")
def models() -> Iterator[Models]:
    if not PYTHON.exists():
        pytest.skip("they are not installed: run scripts/setup-conformance")
    command = [str(PYTHON), "-W", "ignore", "carrier_models.py"]
    with subprocess.Popen(
        command,
        cwd=CLIENTS,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as program:
        yield Models(program)
        assert program.stdin is not None
        program.stdin.close()


def packed(message: WireMessage) -> Any:
    return message if isinstance(message, str) else {"base64": base64.b64encode(message).decode()}


def unpacked(message: Any) -> WireMessage:
    return base64.b64decode(message["base64"]) if isinstance(message, dict) else str(message)


def started(name: str) -> CarrierStream:
    carrier = CARRIERS[name]
    stream = carrier.fresh()
    for message in carrier.start:
        if name in STARTS:
            assert isinstance(message, str)
            message = message.replace(*STARTS[name]).replace("16000", "8000")
        stream.receive(message)
    return stream


def coding(name: str) -> str:
    return "pcmu" if name == "plivo" else CARRIERS[name].started.coding


@pytest.mark.parametrize("name", NAMES)
def test_they_hear_our_audio(models: Models, name: str) -> None:
    message = started(name).play(line_codec(coding(name), 8_000).encode(TONE))
    if isinstance(message, str):
        told = json.loads(message)  # theirs come from the carrier, and name the track
        told |= {"event": "media"}
        told["media"]["track"] = "inbound"
        message = json.dumps(told)
    heard = unpacked(models.ask(what="hear", carrier=name, message=packed(message))["audio"])
    assert isinstance(heard, bytes)
    assert np.abs(np.frombuffer(heard, "<i2").astype(int) - TONE).max() < 600


@pytest.mark.parametrize("name", NAMES)
def test_we_hear_their_audio(models: Models, name: str) -> None:
    message = unpacked(models.ask(what="speak", carrier=name, audio=packed(TONE.tobytes())))
    if isinstance(message, str):  # theirs goes to the carrier, which numbers it
        told = json.loads(message) | {"event": "media"}
        told["media"] |= {"track": "inbound", "chunk": "1", "timestamp": "0"}
        message = json.dumps(told)
    event = started(name).receive(message)
    assert isinstance(event, MediaReceived)
    heard = line_codec(coding(name), 8_000).decode(event.payload).astype(int)
    assert np.abs(heard - TONE).max() < 600


@pytest.mark.parametrize("name", NAMES)
def test_their_interruption_and_our_clear_say_the_same(models: Models, name: str) -> None:
    told = [unpacked(models.ask(what="interrupt", carrier=name)), started(name).clear()]
    theirs, ours = (json.loads(message) for message in told if isinstance(message, str))
    for numbered in ("seq", "clientseq", "id", "position"):
        theirs.pop(numbered, None)
        ours.pop(numbered, None)
    assert theirs == ours


@pytest.mark.parametrize("name", sorted({*NAMES} - {"plivo"}))  # Pipecat reads no keys of Plivo's
def test_both_read_a_key_alike(models: Models, name: str) -> None:
    key = CARRIERS[name].key
    assert key is not None
    theirs = models.ask(what="hear", carrier=name, message=packed(key))["key"]
    assert started(name).receive(key) == KeyPressed(theirs)


def test_both_open_an_audiohook_session_alike(models: Models) -> None:
    stream = CARRIERS["audiohook"].fresh()
    opening = hook("open", 1, conversationId="c1", media=HOOK_MEDIA[1:], participant={})
    stream.receive(opening)
    reply = models.ask(what="open", message=opening)
    (ours,) = (json.loads(message) for message in stream.replies())
    assert ours["parameters"] == reply["parameters"]
    assert set(ours) <= set(reply) | {"position"}


@pytest.mark.parametrize("mulaw", [False, True])
def test_plivos_models_validate_what_we_send(models: Models, mulaw: bool) -> None:
    stream = started("plivo") if mulaw else CARRIERS["plivo"].fresh()
    if not mulaw:
        stream.receive(CARRIERS["plivo"].start[0])
    coded = line_codec("pcmu" if mulaw else "l16", 8_000).encode(TONE)
    for model, message in (
        ("PlayAudioEvent", stream.play(coded)),
        ("CheckpointEvent", stream.mark("m1")),
        ("ClearAudioEvent", stream.clear()),
    ):
        assert isinstance(message, str)
        assert models.ask(what="validate", model=model, message=message) == json.loads(message)


def test_plivos_models_validate_what_our_tests_take_for_plivos(models: Models) -> None:
    """So that what we read is what is sent, and not what we think is sent."""
    carrier = CARRIERS["plivo"]
    cleared = text(event="clearedAudio", sequenceNumber=9, streamId="s1")
    for model, message in (
        ("StartEvent", carrier.start[0]),
        ("MediaEvent", carrier.media),
        ("DtmfEvent", carrier.key),
        ("PlayedStreamEvent", carrier.mark),
        ("ClearedAudioEvent", cleared),
    ):
        models.ask(what="validate", model=model, message=message)
