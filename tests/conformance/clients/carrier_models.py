"""
Pipecat's serializers and Plivo's own models, asked over a pipe: a JSON request a line, a JSON answer a line.

What a request names is done with what other people wrote: a serializer hears or speaks a message, or a model
validates one.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from typing import Any

import plivo_stream
from pipecat.frames.frames import InterruptionFrame, OutputAudioRawFrame, StartFrame
from pipecat.serializers.exotel import ExotelFrameSerializer
from pipecat.serializers.genesys import GenesysAudioHookSerializer
from pipecat.serializers.plivo import PlivoFrameSerializer
from pipecat.serializers.telnyx import TelnyxFrameSerializer
from pipecat.serializers.twilio import TwilioFrameSerializer
from pipecat.serializers.vonage import VonageFrameSerializer

RATE = 8_000


async def serializer(carrier: str) -> Any:
    """Of this carrier, for the calls of tests/wire/test_carriers.py."""
    made: Any
    match carrier:
        case "twilio":
            made = TwilioFrameSerializer("MZ1", params=TwilioFrameSerializer.InputParams(auto_hang_up=False))
        case "telnyx":
            quiet = TelnyxFrameSerializer.InputParams(auto_hang_up=False)
            made = TelnyxFrameSerializer("32DE0DEA", "PCMU", "PCMU", params=quiet)
        case "plivo":
            made = PlivoFrameSerializer("s1", params=PlivoFrameSerializer.InputParams(auto_hang_up=False))
        case "vonage":
            made = VonageFrameSerializer(VonageFrameSerializer.InputParams(vonage_sample_rate=RATE))
        case "exotel":
            made = ExotelFrameSerializer("s1")
        case _:
            made = GenesysAudioHookSerializer()
            made._is_open = True
    await made.setup(StartFrame(audio_in_sample_rate=RATE, audio_out_sample_rate=RATE))
    return made


def unpacked(message: Any) -> str | bytes:
    """A text message is itself; a binary one is ``{"base64": …}``."""
    return base64.b64decode(message["base64"]) if isinstance(message, dict) else str(message)


def packed(message: str | bytes) -> Any:
    return message if isinstance(message, str) else {"base64": base64.b64encode(message).decode()}


async def answer(request: dict[str, Any]) -> Any:
    match request["what"]:
        case "hear":
            frame = await (await serializer(request["carrier"])).deserialize(unpacked(request["message"]))
            if hasattr(frame, "button"):
                return {"key": frame.button.value}
            return {"audio": packed(frame.audio)}
        case "speak":
            audio = unpacked(request["audio"])
            assert isinstance(audio, bytes)
            frame = OutputAudioRawFrame(audio=audio, sample_rate=RATE, num_channels=1)
            return packed(await (await serializer(request["carrier"])).serialize(frame))
        case "interrupt":
            return packed(await (await serializer(request["carrier"])).serialize(InterruptionFrame()))
        case "open":
            genesys = await serializer("genesys")
            await genesys.deserialize(unpacked(request["message"]))
            return genesys.create_opened_response()
        case _:
            model = getattr(plivo_stream, request["model"])
            return model.model_validate_json(request["message"]).model_dump(by_alias=True, exclude_none=True)


for line in sys.stdin:
    try:
        told = {"answer": asyncio.run(answer(json.loads(line)))}
    except Exception as error:
        told = {"error": repr(error)}
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()
