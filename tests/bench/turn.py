"""
``python -m tests.bench.turn``: how fast we fall silent for a caller, and for what we do not.

Every trial is one sound on a quiet line while we speak without pause. It goes through the VAD, the
barge-in detector and, as in a call, the embedded recogniser's partial results, which become known when a
60 ms piece has been heard. *Held* is when our audio stops for the moment (it would go on at that very
sample), *stopped* when the reply is given up. Times run from the sound's audible onset and include
32 ms windows, one 20 ms tick of the VAD and one 20 ms frame that may have left just before.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from runtime.media.frame import LISTENING_RATE, PTIME, Pcm
from runtime.turn.barge_in import BargeInDetector, BargeInSettings
from runtime.turn.endpointing import Endpointer, SemanticVad, ServerVad, TurnDetection
from runtime.turn.events import WINDOW_SAMPLES, BargedIn, Ducked, FalseAlarm, TurnEnded, VadWindow
from runtime.turn.vad import EnergyVad, SileroVad, VadBatch, VadModel
from sessions.hearing import TICK
from sessions.recognizers.sphinx import LEAST
from sessions.recognizers.sphinx_decoders import SphinxDecoders
from tests.bench.turn_sounds import Sound, commands, harmless, interruptions
from tests.turn.voices import recording, silence

OVERHEAD = TICK + PTIME
"""Seconds between a decision and silence on the line: the tick it may have waited for, the frame before."""

DECODING = 0.03
"""Seconds from a piece of audio to the words in it."""

DEFAULT_CLIPS = Path(__file__).parents[3] / "shared" / "clips"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one sound did to us. Seconds from its onset; None: it did not happen."""

    sound: Sound
    held: float | None
    stopped: float | None
    silent: float
    """Seconds in all that we were held without need."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A sound as a call hears it."""

    windows: Sequence[VadWindow]
    words: Sequence[tuple[int, str]]
    """The words so far, and the sample at which they are known."""


class Ear:
    """VAD and recogniser, as a call has them."""

    def __init__(self, model: VadModel) -> None:
        self._batch = VadBatch(model)
        self._decoders = SphinxDecoders(1)

    def hear(self, pcm: Pcm, *, recognise: float) -> Heard:
        """As in a call; the recogniser hears so many seconds from the first turn's beginning."""
        stream = self._batch.open()
        stream.push(pcm)
        windows = [window for _, window in self._batch.step()]
        stream.close()
        return Heard(windows, self._transcribe(pcm, windows, recognise))

    def _transcribe(self, pcm: Pcm, windows: Sequence[VadWindow], seconds: float) -> list[tuple[int, str]]:
        """As the listener does: from the pre-roll of the first turn on, in pieces of 60 ms."""
        endpointer = Endpointer()
        start = None
        for window in windows:
            endpointer.push(window.probability)
            if start is None and endpointer.turn_start is not None:
                start, known_from = endpointer.turn_start, window.end
        if start is None:
            return []
        self._decoders.begin(0, None)
        words: list[tuple[int, str]] = []
        piece = LEAST // 2
        end = min(len(pcm), start + round(seconds * LISTENING_RATE))
        for begin in range(start, end, piece):
            text = self._decoders.feed(0, pcm[begin : begin + piece].tobytes())
            known = max(begin + piece, known_from) + round(DECODING * LISTENING_RATE)
            if not words or words[-1][1] != text:
                words.append((known, text))
        self._decoders.finish(0)
        return words


def judge(sound: Sound, heard: Heard, settings: BargeInSettings) -> Outcome:
    """Let the detector hear a sound while we speak."""
    detector = BargeInDetector(settings)
    words = list(heard.words)
    held = stopped = None
    silent, held_at = 0.0, 0
    for window in heard.windows:
        while words and words[0][0] <= window.end:
            detector.transcribed(words.pop(0)[1])
        event = detector.push(window)
        if isinstance(event, Ducked):
            held_at = window.end
            held = held if held is not None else _since(sound, window)
        elif isinstance(event, FalseAlarm):
            silent += (window.end - held_at) / LISTENING_RATE
        elif isinstance(event, BargedIn) and stopped is None:
            stopped = _since(sound, window)
    return Outcome(sound, held, stopped, silent)


def _since(sound: Sound, window: VadWindow) -> float:
    return (window.end - sound.onset) / LISTENING_RATE + OVERHEAD


def report_barge_in(console: Console, outcomes: Iterable[Outcome]) -> None:
    kinds: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        kinds[outcome.sound.kind].append(outcome)
    table = Table(
        title="Barge-in", caption="ms from the sound's onset; held: silent, may go on; stopped: given up"
    )
    for column in (
        "sound",
        "trials",
        "held %",
        "p50",
        "p95",
        "≤200 ms %",
        "stopped %",
        "p50",
        "p95",
        "held in vain s",
    ):
        table.add_column(column, justify="left" if column == "sound" else "right")
    for kind, of_kind in kinds.items():
        held = [outcome.held for outcome in of_kind if outcome.held is not None]
        stopped = [outcome.stopped for outcome in of_kind if outcome.stopped is not None]
        silent = [outcome.silent for outcome in of_kind if outcome.silent]
        table.add_row(
            kind,
            str(len(of_kind)),
            f"{len(held) / len(of_kind):.0%}",
            *_percentiles(held),
            f"{sum(seconds <= 0.2 for seconds in held) / len(of_kind):.0%}",
            f"{len(stopped) / len(of_kind):.1%}",
            *_percentiles(stopped),
            f"{np.mean(silent):.2f}" if silent else "-",
        )
    console.print(table)


def _percentiles(seconds: Sequence[float]) -> tuple[str, str]:
    if not seconds:
        return "-", "-"
    return f"{np.percentile(seconds, 50) * 1000:.0f}", f"{np.percentile(seconds, 95) * 1000:.0f}"


def report_endpointing(console: Console, ear: Ear, clips: Path) -> None:
    """Sentences read without a break that should be one turn each, and a talk with pauses."""
    policies: dict[str, TurnDetection] = {
        "server_vad 500 ms": ServerVad(),
        "server_vad 200 ms": ServerVad(silence_duration=0.2),
        "semantic_vad low": SemanticVad(eagerness="low"),
        "semantic_vad medium": SemanticVad(eagerness="medium"),
        "semantic_vad high": SemanticVad(eagerness="high"),
    }
    table = Table(title="Endpointing", caption="one turn a clip is right; wait: silence before our turn")
    for column in ("policy", "clips", "cut short %", "wait p50 ms", "wait p95 ms"):
        table.add_column(column, justify="left" if column == "policy" else "right")
    paths = [
        path
        for path in sorted((clips / "C_conversation").iterdir())
        if not any(word in path.name for word in ("derived", "call", "jfk_m"))
    ]
    heard = [_padded(ear, recording(path)) for path in paths]
    for name, policy in policies.items():
        turns = [_turns(one, policy) for one in heard]
        waits = [(of_clip[-1].end - of_clip[-1].speech_end) / LISTENING_RATE for of_clip in turns if of_clip]
        cut = sum(len(of_clip) > 1 for of_clip in turns) / len(turns)
        table.add_row(name, str(len(turns)), f"{cut:.0%}", *_percentiles(waits))
    console.print(table)


def _padded(ear: Ear, pcm: Pcm) -> Heard:
    return ear.hear(np.concatenate([pcm, silence(8.5)]), recognise=len(pcm) / LISTENING_RATE + 0.3)


def _turns(heard: Heard, policy: TurnDetection) -> list[TurnEnded]:
    endpointer = Endpointer(policy)
    words = list(heard.words)
    ended: list[TurnEnded] = []
    for window in heard.windows:
        while words and words[0][0] <= window.end:
            endpointer.transcribed(words.pop(0)[1])
        ended += [event for event in endpointer.push(window.probability) if isinstance(event, TurnEnded)]
    return ended


def report_cost(console: Console) -> None:
    table = Table(
        title="Voice activity detection", caption=f"a window is {WINDOW_SAMPLES * 1000 // LISTENING_RATE} ms"
    )
    for column in ("model", "calls in a batch", "µs a window", "calls a core"):
        table.add_column(column, justify="left" if column == "model" else "right")
    models: dict[str, VadModel] = {"Silero v6, NumPy": SileroVad(), "energy": EnergyVad()}
    for name, model in models.items():
        for calls in (1, 8, 32, 128):
            windows = (np.random.default_rng(0).standard_normal((calls, WINDOW_SAMPLES)) * 0.05).astype(
                np.float32
            )
            state = np.zeros((calls, model.state_size), np.float32)
            times = []
            for _ in range(40):
                begin = time.perf_counter()
                model.judge(windows, state)
                times.append(time.perf_counter() - begin)
            each = float(np.median(times)) / calls
            table.add_row(
                name, str(calls), f"{each * 1e6:.0f}", f"{WINDOW_SAMPLES / LISTENING_RATE / each:.0f}"
            )
    console.print(table)


def main(arguments: Sequence[str] = ()) -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=Path, default=Path(os.environ.get("VIVAVOCE_CLIPS", DEFAULT_CLIPS)))
    parser.add_argument("--sounds", type=Path, default=os.environ.get("VIVAVOCE_SOUNDS"))
    parser.add_argument("--words", choices=("off", "commands", "any"), default="commands")
    options = parser.parse_args(arguments)
    console = Console()
    report_cost(console)
    ear = Ear(SileroVad())
    settings = BargeInSettings(words=options.words)
    sounds = [*commands(), *harmless(options.sounds)]
    if options.clips.is_dir():
        sounds = [*interruptions(options.clips), *sounds]
    else:
        console.print(f"no recordings at {options.clips}: real speech is left out; set VIVAVOCE_CLIPS")
    outcomes = [judge(sound, ear.hear(sound.pcm, recognise=1.5), settings) for sound in sounds]
    report_barge_in(console, outcomes)
    harmless_ones = [
        outcome for outcome in outcomes if outcome.sound.kind not in ("real speech", "spoken command")
    ]
    false = [outcome for outcome in harmless_ones if outcome.stopped is not None]
    console.print(
        f"false stops: {len(false)} of {len(harmless_ones)} ({len(false) / len(harmless_ones):.1%})"
    )
    for outcome in false:
        console.print(f"  {outcome.sound.kind}: {outcome.sound.name}")
    if options.clips.is_dir():
        report_endpointing(console, ear, options.clips)


if __name__ == "__main__":
    main(sys.argv[1:])
