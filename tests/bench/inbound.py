"""
What hearing costs: one packet of 20 ms from the carrier's message to the voice activity detector.

    python -m tests.bench.inbound --calls 200

The message is parsed, decoded and resampled, and every call's windows are judged once per tick, as in the
server; the socket is left out. Quiet lines first, then lines on which everybody speaks all the time.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import sys
import time
from collections.abc import Sequence

from loadtest.speech import babble, quiet
from runtime.media.frame import Pcm
from runtime.media.g711 import decode_mulaw, encode_mulaw
from runtime.server.listen import keep_memory_still
from runtime.turn.barge_in import BargeInSettings
from runtime.turn.endpointing import ServerVad
from runtime.turn.gated import GatedVad
from runtime.turn.silero import SileroVad
from runtime.turn.vad import VadBatch
from runtime.wire.telephony import MediaReceived
from runtime.wire.twilio import TwilioStream
from sessions.hearing import Hearing
from sessions.listener import Listener
from sessions.peers.peer import TurnTaking

START = (
    '{"event":"start","start":{"streamSid":"MZ1","callSid":"CA1",'
    '"mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1}}}'
)


def messages(samples: Pcm) -> list[str]:
    """A caller's media messages, as Twilio spells them."""
    coded = encode_mulaw(samples)
    return [
        f'{{"event":"media","sequenceNumber":"{n + 2}","media":{{"track":"inbound","chunk":"{n + 1}",'
        f'"timestamp":"{20 * n}","payload":"{base64.b64encode(coded[160 * n : 160 * n + 160]).decode()}"}},'
        f'"streamSid":"MZ1"}}'
        for n in range(len(coded) // 160)
    ]


async def cost(samples: Pcm, calls: int) -> tuple[float, float]:
    """Seconds of CPU per packet: taking it in, and its share of the judging."""
    hearing = Hearing(VadBatch(GatedVad(SileroVad())))
    turns = TurnTaking(rate=8_000, language="en", detection=ServerVad(), barge_in=BargeInSettings())
    callers = []
    for _ in range(calls):
        stream = TwilioStream()
        stream.receive(START)
        listener = Listener(
            hearing,
            None,
            turns=turns,
            audible=lambda: False,
            on_event=lambda _event: None,
            on_speech=lambda _speech: None,
            on_fault=lambda _fault: None,
        )
        callers.append((stream, listener))
    taken, judged, packets = 0.0, 0.0, 0
    for message in messages(samples):
        began = time.process_time()
        for stream, listener in callers:
            event = stream.receive(message)
            assert isinstance(event, MediaReceived)
            listener.hear(decode_mulaw(event.payload))
        between = time.process_time()
        hearing.judge()
        taken += between - began
        judged += time.process_time() - between
        packets += calls
    for _, listener in callers:
        listener.close()
    hearing.close()
    return taken / packets, judged / packets


def main(arguments: Sequence[str] = ()) -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[1] if __doc__ else None)
    options.add_argument("--calls", type=int, default=200)
    options.add_argument("--seconds", type=float, default=2.0)
    chosen = options.parse_args(arguments)
    keep_memory_still()  # as the server does
    print(f"{chosen.calls} calls, us a packet of 20 ms{'taken in':>16}{'judged':>10}{'ms a call-second':>20}")
    for name, sound in (("quiet lines", quiet), ("all speaking", babble)):
        taken, judged = asyncio.run(cost(sound(chosen.seconds, rate=8_000), chosen.calls))
        print(f"{name:<30}{taken * 1e6:>21.2f}{judged * 1e6:>10.2f}{(taken + judged) * 50_000:>20.3f}")


if __name__ == "__main__":
    main(sys.argv[1:])
