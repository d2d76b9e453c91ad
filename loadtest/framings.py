"""
How each protocol is spoken by the side that calls: a table, which :class:`loadtest.call.FramedCall` reads.

Written from the carriers' documents, and not from our own wire package. A new carrier is one more entry.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

Message: TypeAlias = str | bytes
"""A text or a binary message."""

Told: TypeAlias = Mapping[str, Any]
"""A JSON message of the server's."""


def _in_base64(audio: bytes) -> str:
    return base64.b64encode(audio).decode()


def _nothing(_call: str) -> Sequence[Message]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Framing:
    """One protocol. A call is known by a name of our own, ``call``, in whatever the carrier calls it."""

    path: str
    """Of the address; ``{agent}`` and ``{call}`` are filled in."""
    coding: str
    """Of the audio both ways: ``pcmu``, ``l16``; or ``opus``."""
    rate: int
    """Hz of the audio both ways."""
    ptime: float = 0.020
    """Seconds of audio in each message that the carrier sends."""
    subprotocol: str | None = None
    start: Callable[[str], Sequence[Message]] = _nothing
    """What is said before the first audio."""
    uninterrupted: Sequence[Message] = ()
    """What is said besides to an agent that is to talk on, whatever it hears."""
    packed: Callable[[bytes], Message] = bytes
    """A packet of audio, as :attr:`media` takes it."""
    media: Callable[[str, int, Any], Message] = lambda _call, _chunk, audio: audio
    """The message with the packet of this number, from 0."""
    sound: str | None = None
    """What tells the server's messages with audio from its others; None where audio is binary."""
    payload: Callable[[Told], str] = lambda told: str(told["media"]["payload"])
    """Base64 of the audio in such a message."""
    mark: Callable[[Told], str | None] = lambda _told: None
    """The name of the mark that a message sets."""
    played: Callable[[str, str], Message] = lambda _call, _name: ""
    """What is said when the mark of this name has been reached."""
    clears: str | None = None
    """What tells the message that empties the buffer."""
    stop: Callable[[str], Sequence[Message]] = _nothing
    """What is said before the socket is closed."""


def _said(**message: Any) -> str:
    return json.dumps(message)


def _twilio_start(encoding: str, rate: int) -> Callable[[str], Sequence[str]]:
    def start(call: str) -> Sequence[str]:
        audio = {"encoding": encoding, "sampleRate": rate, "channels": 1}
        told = {
            "accountSid": "AC0",
            "streamSid": call,
            "callSid": f"CA{call}",
            "tracks": ["inbound"],
            "mediaFormat": audio,
            "customParameters": {},
        }
        return (
            _said(event="connected", protocol="Call", version="1.0.0"),
            _said(event="start", sequenceNumber="1", start=told, streamSid=call),
        )

    return start


def _twilio_media(call: str, chunk: int, audio: str) -> str:
    return (
        f'{{"event":"media","sequenceNumber":"{chunk + 2}","media":{{"track":"inbound","chunk":"{chunk + 1}",'
        f'"timestamp":"{20 * chunk}","payload":"{audio}"}},"streamSid":"{call}"}}'
    )


def _named(told: Told) -> str | None:
    return str(told["mark"]["name"]) if told.get("event") == "mark" else None


TWILIO = Framing(
    path="/telephony/twilio/{agent}",
    coding="pcmu",
    rate=8_000,
    start=_twilio_start("audio/x-mulaw", 8_000),
    packed=_in_base64,
    media=_twilio_media,
    sound='"media"',
    mark=_named,
    played=lambda call, name: _said(event="mark", streamSid=call, mark={"name": name}),
    clears='"clear"',
    stop=lambda call: (_said(event="stop", streamSid=call, stop={"callSid": f"CA{call}"}),),
)

SIGNALWIRE = Framing(
    path="/telephony/signalwire/{agent}",
    coding="l16",
    rate=24_000,
    start=_twilio_start("audio/x-L16", 24_000),
    packed=_in_base64,
    media=_twilio_media,
    sound='"media"',
    mark=_named,
    played=TWILIO.played,
    clears='"clear"',
    stop=TWILIO.stop,
)

TELNYX = Framing(
    path="/telephony/telnyx/{agent}",
    coding="pcmu",
    rate=8_000,
    start=lambda call: (
        _said(event="connected", version="1.0.0"),
        _said(
            event="start",
            sequence_number="1",
            stream_id=call,
            start={
                "user_id": "u0",
                "call_control_id": f"v2:{call}",
                "media_format": {"encoding": "PCMU", "sample_rate": 8000, "channels": 1},
            },
        ),
    ),
    packed=_in_base64,
    media=lambda call, chunk, audio: (
        f'{{"event":"media","sequence_number":"{chunk + 2}","stream_id":"{call}","media":{{"track":"inbound",'
        f'"chunk":"{chunk + 1}","timestamp":"{20 * chunk}","payload":"{audio}"}}}}'
    ),
    sound='"media"',
    mark=_named,
    played=lambda call, name: _said(event="mark", stream_id=call, mark={"name": name}),
    clears='"clear"',
    stop=lambda call: (_said(event="stop", stream_id=call, stop={"call_control_id": f"v2:{call}"}),),
)

PLIVO = Framing(
    path="/telephony/plivo/{agent}",
    coding="l16",
    rate=16_000,
    start=lambda call: (
        _said(
            event="start",
            sequenceNumber=0,
            start={
                "callId": f"c{call}",
                "streamId": call,
                "accountId": "a0",
                "tracks": ["inbound"],
                "mediaFormat": {"encoding": "audio/x-l16", "sampleRate": 16000},
            },
            extra_headers="{}",
        ),
    ),
    packed=_in_base64,
    media=lambda call, chunk, audio: (
        f'{{"event":"media","sequenceNumber":{chunk + 1},"streamId":"{call}","media":{{"track":"inbound",'
        f'"timestamp":"{20 * chunk}","chunk":{chunk + 1},"payload":"{audio}"}},"extra_headers":"{{}}"}}'
    ),
    sound='"playAudio"',
    mark=lambda told: str(told["name"]) if told.get("event") == "checkpoint" else None,
    played=lambda call, name: _said(event="playedStream", streamId=call, name=name),
    clears='"clearAudio"',
    stop=lambda call: (_said(event="stop", streamId=call),),
)

EXOTEL = Framing(
    path="/telephony/exotel/{agent}",
    coding="l16",
    rate=8_000,
    ptime=0.100,
    start=lambda call: (
        _said(event="connected"),
        _said(
            event="start",
            sequence_number=1,
            stream_sid=call,
            start={
                "stream_sid": call,
                "call_sid": f"c{call}",
                "account_sid": "a0",
                "media_format": {"encoding": "base64", "sample_rate": "8000", "bit_rate": "128kbps"},
            },
        ),
    ),
    packed=_in_base64,
    media=lambda call, chunk, audio: (
        f'{{"event":"media","sequence_number":{chunk + 2},"stream_sid":"{call}","media":{{'
        f'"chunk":{chunk + 1},"timestamp":"{100 * chunk}","payload":"{audio}"}}}}'
    ),
    sound='"media"',
    mark=_named,
    played=lambda call, name: _said(event="mark", stream_sid=call, mark={"name": name}),
    clears='"clear"',
    stop=lambda call: (_said(event="stop", stream_sid=call, stop={"reason": "callended"}),),
)

VONAGE = Framing(
    path="/telephony/vonage/{agent}",
    coding="l16",
    rate=16_000,
    start=lambda call: (
        _said(event="websocket:connected", uuid=call, **{"content-type": "audio/l16;rate=16000"}),
    ),
    mark=lambda told: json.dumps(told["payload"]) if told.get("action") == "notify" else None,
    played=lambda _call, name: f'{{"event":"websocket:notify","payload":{name}}}',
    clears='"clear"',
    stop=lambda _call: (_said(event="websocket:disconnected"),),
)


def _hook(kind: str, seq: int, call: str, **parameters: Any) -> str:
    return _said(
        version="2", type=kind, seq=seq, serverseq=0, id=call, position="PT0S", parameters=parameters
    )


AUDIOHOOK = Framing(
    path="/telephony/genesys/{agent}",
    coding="pcmu",
    rate=8_000,
    ptime=0.100,
    start=lambda call: (
        _hook(
            "open",
            1,
            call,
            organizationId="o0",
            conversationId=f"c{call}",
            participant={"id": "p0", "ani": "+15550100", "aniName": "", "dnis": "+15550101"},
            media=[{"type": "audio", "format": "PCMU", "channels": ["external"], "rate": 8000}],
            language="en-US",
        ),
    ),
    clears='"barge_in"',
    stop=lambda call: (_hook("close", 2, call, reason="end"),),
)

CHAN_WEBSOCKET = Framing(
    path="/telephony/asterisk/{agent}",
    coding="l16",
    rate=16_000,
    subprotocol="media",
    start=lambda call: (
        _said(
            event="MEDIA_START",
            connection_id=call,
            channel=f"WebSocket/load/{call}",
            channel_id=call,
            format="slin16",
            optimal_frame_size=640,
            ptime=20,
            channel_variables={},
        ),
    ),
    mark=lambda told: str(told["correlation_id"]) if told.get("command") == "MARK_MEDIA" else None,
    played=lambda _call, name: _said(event="MEDIA_MARK_PROCESSED", correlation_id=name),
    clears='"FLUSH_MEDIA"',
)

JAMBONZ = Framing(
    path="/telephony/jambonz/{agent}",
    coding="l16",
    rate=16_000,
    subprotocol="audio.jambonz.org",
    start=lambda call: (
        _said(callSid=call, accountSid="a0", sampleRate=16000, mixType="mono", to="1", **{"from": "2"}),
    ),
    mark=lambda told: str(told["data"]["name"]) if told.get("type") == "mark" else None,
    played=lambda _call, name: _said(type="mark", data={"name": name, "event": "playout"}),
    clears='"killAudio"',
)

MOD_AUDIO_STREAM = Framing(
    path="/telephony/freeswitch/{agent}?rate=16000",
    coding="l16",
    rate=16_000,
    start=lambda call: (_said(uuid=call),),
    sound='"streamAudio"',
    payload=lambda told: str(told["data"]["audioData"]),
)

AUDIOSOCKET = Framing(
    path="{call}",
    coding="l16",
    rate=8_000,
    media=lambda _call, _chunk, audio: b"\x10" + len(audio).to_bytes(2, "big") + audio,
)
"""Over TCP: the call's UUID goes first, see :func:`loadtest.socket.connect_audiosocket`."""

TALK_ON = _said(
    type="session.update",
    session={
        "type": "realtime",
        "audio": {
            "input": {
                "turn_detection": {
                    "type": "server_vad",
                    "create_response": False,
                    "interrupt_response": False,
                }
            }
        },
    },
)
"""Callers are listened to, and not answered."""

REALTIME = Framing(
    path="/v1/realtime?model={agent}",
    coding="l16",
    rate=24_000,
    ptime=0.040,
    uninterrupted=(TALK_ON,),
    packed=_in_base64,
    media=lambda _call, _chunk, audio: f'{{"type":"input_audio_buffer.append","audio":"{audio}"}}',
    sound="output_audio.delta",
    payload=lambda told: str(told["delta"]),
    clears="speech_started",
)

FRAMINGS: Mapping[str, Framing] = MappingProxyType(
    {
        "twilio": TWILIO,
        "realtime": REALTIME,
        "telnyx": TELNYX,
        "plivo": PLIVO,
        "vonage": VONAGE,
        "exotel": EXOTEL,
        "signalwire": SIGNALWIRE,
        "audiohook": AUDIOHOOK,
        "audiosocket": AUDIOSOCKET,
        "chan_websocket": CHAN_WEBSOCKET,
        "jambonz": JAMBONZ,
        "mod_audio_stream": MOD_AUDIO_STREAM,
    }
)
"""By the name on the command line. WebRTC is no framing of messages: see :mod:`loadtest.webrtc`."""
