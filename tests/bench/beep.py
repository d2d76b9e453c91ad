"""
``python -m tests.bench beep``: tones on telephone lines, found and not found.

Beeps of answering machines are drawn at random (one tone or two, 400 to 2200 Hz, 0.1 to 1.5 s, -40 to
-9 dBFS, noise to within 10 dB of them), through mu-law, in 20 ms packets: alone, and behind real speech where
there are recordings (``VIVAVOCE_CLIPS``). *Found* is one beep, told within 300 ms of its end. Keys are drawn
by what ITU-T Q.24 asks receivers to take: 40 ms and more, frequencies off by up to 1.5 %, twist -6 to 4 dB.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from runtime.media.beep import BeepDetector
from runtime.media.dtmf import KEYS, DtmfDetector
from runtime.media.frame import Pcm
from runtime.media.g711 import G711_RATE
from tests.bench.turn import DEFAULT_CLIPS
from tests.media.tones import (
    NETWORK,
    Signal,
    key,
    on_a_line,
    quiet,
    recordings_of_speech,
    telephone_speech,
    tone,
)

PACKET = 160
WITHIN = 0.3
"""Seconds from the end of a beep in which it should be found."""


def main(arguments: Sequence[str] = ()) -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=Path, default=Path(os.environ.get("VIVAVOCE_CLIPS", DEFAULT_CLIPS)))
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--keys", type=int, default=10_000)
    options = parser.parse_args(arguments)
    console = Console()
    rng = np.random.default_rng(20)
    speech = (
        [telephone_speech(path) for path in recordings_of_speech(options.clips)]
        if options.clips.is_dir()
        else []
    )
    report_found(console, rng, speech, trials=options.trials)
    report_false(console, speech)
    report_keys(console, rng, speech, count=options.keys)


def report_found(
    console: Console, rng: np.random.Generator, speech: Sequence[Signal], *, trials: int
) -> None:
    table = Table(title="Beeps", caption="ms from the end of the beep until it is told")
    for column in ("after", "trials", "found %", "p50", "p95", "most", "others found"):
        table.add_column(column, justify="left" if column == "after" else "right")
    for name, before in {"silence": [quiet(0.5)], "real speech": speech}.items():
        delays: list[float] = []
        others = 0
        for _ in range(trials if before else 0):
            level = float(rng.uniform(-40, -9))
            greeting = np.concatenate(
                [before[rng.integers(len(before))], quiet(float(rng.uniform(0.15, 1.5)))]
            )
            beep = tone(_beep(rng), float(np.exp(rng.uniform(np.log(0.1), np.log(1.5)))), level=level)
            noise = min(float(rng.choice([-90, -60, -50])), level - 10)
            told = _told(on_a_line(greeting, beep, quiet(0.6), noise=noise, seed=int(rng.integers(1 << 30))))
            end = (len(greeting) + len(beep)) / G711_RATE
            right = [when - end for when in told if 0.0 <= when - end <= WITHIN]
            delays += right[:1]
            others += len(told) - len(right[:1])
        if before:
            p50, p95, most = np.percentile(delays, [50, 95, 100]) * 1000
            found = f"{len(delays) / trials:.1%}"
            table.add_row(name, str(trials), found, f"{p50:.0f}", f"{p95:.0f}", f"{most:.0f}", str(others))
    console.print(table)


def _beep(rng: np.random.Generator) -> tuple[float, ...]:
    if rng.random() < 0.75:
        return (float(rng.uniform(400, 2_200)),)
    while True:
        low, high = sorted(rng.uniform(400, 2_200, 2).tolist())
        if high - low >= 60:
            return (low, high)


def report_false(console: Console, speech: Sequence[Signal]) -> None:
    table = Table(title="No beeps", caption="at -12, -25 and -35 dBFS where they are tones")
    for column in ("sound", "trials", "taken for a beep", "CPU µs a second"):
        table.add_column(column, justify="left" if column == "sound" else "right")
    sounds: dict[str, list[Pcm]] = {name: [] for name in NETWORK} | {"keys": []}
    for level in (-12.0, -25.0, -35.0):
        for name, (hertz, on, off) in NETWORK.items():
            cadence = [part for _ in range(4) for part in (tone(hertz, on, level=level), quiet(off))]
            sounds[name].append(on_a_line(quiet(0.5), *cadence))
        pressed = [part for each in "".join(KEYS) for part in (key(each, 0.2, level=level), quiet(0.1))]
        sounds["keys"].append(on_a_line(quiet(0.5), *pressed))
    if speech:
        sounds["recordings of speech"] = [on_a_line(spoken) for spoken in speech]
    for name, each in sounds.items():
        begin = time.process_time()
        false = sum(bool(_told(pcm)) for pcm in each)
        cost = (time.process_time() - begin) / sum(len(pcm) / G711_RATE for pcm in each)
        table.add_row(name, str(len(each)), str(false), f"{cost * 1e6:.0f}")
    console.print(table)


def _told(pcm: Pcm) -> list[float]:
    """After how many seconds each beep was told."""
    detector = BeepDetector(G711_RATE)
    return [
        (at + PACKET) / G711_RATE
        for at in range(0, len(pcm), PACKET)
        for _ in detector.push(pcm[at : at + PACKET])
    ]


def report_keys(console: Console, rng: np.random.Generator, speech: Sequence[Signal], *, count: int) -> None:
    wrong = 0
    for _ in range(count // 20):
        keys = "".join(rng.choice(list("".join(KEYS)), 20))
        parts = [quiet(0.05)]
        for each in keys:
            off = (float(rng.uniform(-0.015, 0.015)), float(rng.uniform(-0.015, 0.015)))
            how = {"phase": float(rng.uniform()), "twist": float(rng.uniform(-6, 4))}
            length, level = float(rng.uniform(0.04, 0.25)), float(rng.uniform(-30, -10))
            parts += [key(each, length, level=level, off=off, **how), quiet(float(rng.uniform(0.045, 0.2)))]
        wrong += _keys(on_a_line(*parts, noise=-50.0, seed=int(rng.integers(1 << 30)))) != keys
    spoken = sum(len(_keys(on_a_line(each))) for each in speech)
    minutes = sum(len(each) for each in speech) / G711_RATE / 60
    console.print(
        f"in-band keys: {count}; rows of 20 with one lost, doubled or wrong: {wrong};"
        f" keys heard in {minutes:.0f} min of speech: {spoken}"
    )


def _keys(pcm: Pcm) -> str:
    detector = DtmfDetector(G711_RATE)
    return "".join(detector.push(pcm[at : at + PACKET]) for at in range(0, len(pcm), PACKET))


if __name__ == "__main__":
    main(sys.argv[1:])
