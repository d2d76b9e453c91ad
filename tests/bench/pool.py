"""Fifty calls speaking at once through the synthesis pool: first audio, and whether any listener runs dry."""

from __future__ import annotations

import asyncio
import os
from contextlib import aclosing
from dataclasses import dataclass, field

import uvloop

from runtime.clock import SystemClock
from tests.bench.machine import percentile
from tts.engines import SYNTHESIZERS
from tts.engines.clone import CloneSynthesizer
from tts.pool import SynthesisPool
from tts.stream import SpeechStream

CALLS = 50
TURNS = 4
PAUSE = 1.0
"""Seconds between a call's answers: most of the time most calls are speaking, which is worse than life."""

LINE = (
    "Thank you for calling, I have found your booking. The train leaves at nine from platform seven, and "
    "your seat is reserved. Is there anything else that I can do for you?"
)

clock = SystemClock()


@dataclass
class Tally:
    first: list[float] = field(default_factory=list)
    underruns: int = 0
    blocks: int = 0
    audio: float = 0.0


async def call(pool: SynthesisPool, number: int, tally: Tally) -> None:
    """Answer a few times; the listener hears each block for as long as it lasts."""
    voices = CloneSynthesizer.stock()
    voice = voices[number % len(voices)].conditioning
    await asyncio.sleep(number * 0.02)
    for _ in range(TURNS):
        dry_at = clock.now()
        stream = SpeechStream(pool, voice, clock=clock, deadline=lambda: dry_at)  # noqa: B023 - asked now
        stream.push(LINE)
        stream.finish()
        begun = None
        async with aclosing(aiter(stream)) as blocks:
            async for block in blocks:
                now = clock.now()
                if begun is None:
                    begun = dry_at = now
                elif now > dry_at:
                    tally.underruns += 1
                    dry_at = now
                tally.blocks += 1
                dry_at += len(block.samples) / block.rate
        assert stream.ttfb is not None
        tally.first.append(stream.ttfb)
        tally.audio += stream.seconds
        await asyncio.sleep(max(0.0, dry_at - clock.now()) + PAUSE)


async def measure(workers: int) -> None:
    pool = SynthesisPool(SYNTHESIZERS["clone"], workers=workers, clock=clock)
    await pool.start()
    tally = Tally()
    for voice in CloneSynthesizer.stock():
        await pool.warm(voice.conditioning)
    begun = clock.now()
    await asyncio.gather(*(call(pool, number, tally) for number in range(CALLS)))
    spent = clock.now() - begun
    await pool.close()
    print("| figure | value |\n|---|---|")
    print(f"| calls, workers | {CALLS}, {workers} |")
    print(f"| speech made per second | {tally.audio / spent:.1f} s |")
    print(f"| first audio p50 | {percentile(tally.first, 50) * 1e3:.0f} ms |")
    print(f"| first audio p95 | {percentile(tally.first, 95) * 1e3:.0f} ms |")
    print(f"| underruns | {tally.underruns} of {tally.blocks} blocks |")


def main() -> None:
    """Print the table."""
    uvloop.run(measure(os.cpu_count() or 1))


if __name__ == "__main__":
    main()
