"""
``make bench-voice``: is the clone the person, can it be understood, and how fast is it?

Everybody in the clips with two or more recordings is cloned from one reference and says the same ten
sentences. Identity is the cosine of an independent speaker encoder to the person's *other* recordings, which
the engine never saw. The base voice that was turned into the clone is scored beside it, untouched.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from tests.bench.measures import (
    SENTENCES,
    Samples,
    identity,
    recognised,
    spectrum_error,
    word_errors,
)
from tests.bench.recordings import Person, joined, load, people, strangers
from tts.engine import Conditioning, SpeechRequest
from tts.engines.clone import CloneSynthesizer, VoiceDesign
from tts.engines.clone.casting import BaseFamily
from tts.engines.clone.design import Timbre
from tts.engines.clone.spectrum import RATE

SIXTY = (
    "Your appointment is on Thursday, at three in the afternoon.",
    "We are closing the office on Friday, so call back on Monday.",
    "The parcel left our depot this morning and comes before six.",
    "Thank you for holding, I have found your order and it is in.",
)
"""Sentences of sixty characters, for the time to first audio."""

Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Score:
    """What one person's clone reached."""

    person: str
    to_reference: float
    to_others: float
    natural: float
    """Cosine of the reference to the person's other recordings: what a perfect clone would reach."""
    margin: float
    """How much nearer the *natural* reference is to its own speaker than to the next: where this is about
    zero, the encoder cannot tell the two people apart, and no clone can do better."""
    own: tuple[bool, ...]
    """Per sentence: nearest to its own speaker among all enrolled."""
    first: tuple[bool, ...]
    """Per sentence: nearer to its own speaker than to every stranger's clip."""
    base_own: tuple[bool, ...]
    errors: int
    words: int
    base_errors: int
    spectrum_db: float
    natural_spectrum_db: float


class Identities:
    """Speaker vectors of every clip, each computed once."""

    def __init__(self, clips: Path) -> None:
        self._clips = clips
        self._known: dict[Path, Vector] = {}

    def of(self, path: Path) -> Vector:
        if path not in self._known:
            self._known[path] = identity(*load(path))
        return self._known[path]

    def others(self, person: Person) -> Vector:
        centre = np.mean([self.of(path) for path in person.others], axis=0)
        unit: Vector = (centre / np.linalg.norm(centre)).astype(np.float32)
        return unit

    def strangers(self, person: Person) -> NDArray[np.float32]:
        return np.stack([self.of(path) for path in strangers(self._clips, person)]).astype(np.float32)


def spoken(engine: CloneSynthesizer, voice: Conditioning, text: str) -> Samples:
    blocks = [block.samples for block in engine.speak(SpeechRequest(text, voice))]
    samples: Samples = (np.concatenate(blocks) / 32768).astype(np.float32)
    return samples


def enrol(engine: CloneSynthesizer, person: Person) -> Conditioning:
    samples, rate = joined(person.reference)
    return engine.clone(np.round(samples * 32767).astype(np.int16), rate, voice_id=person.key)


@dataclass(frozen=True, slots=True)
class Plain:
    """The base voice untouched, saying the same sentences."""

    vectors: NDArray[np.float32]
    errors: int


def plain_voices(engine: CloneSynthesizer, timbres: set[Timbre]) -> dict[Timbre, Plain]:
    """Each base voice that speaks for somebody, heard once."""
    heard = {}
    for timbre in sorted(timbres):
        voice = engine.design(VoiceDesign(timbre=timbre), voice_id=timbre)
        said = [spoken(engine, voice, sentence) for sentence in SENTENCES]
        heard[timbre] = Plain(np.stack([identity(samples, RATE) for samples in said]), errors_of(said)[0])
    return heard


def errors_of(said: list[Samples]) -> tuple[int, int]:
    """Word errors and words of :data:`SENTENCES`."""
    counts = [
        word_errors(text, recognised(samples, RATE)) for text, samples in zip(SENTENCES, said, strict=True)
    ]
    return sum(errors for errors, _ in counts), sum(words for _, words in counts)


def judge(
    engine: CloneSynthesizer,
    person: Person,
    known: Identities,
    everybody: tuple[Person, ...],
    voice: Conditioning,
    plain: Plain,
) -> Score:
    reference, rate = joined(person.reference)
    centres = np.stack([known.others(other) for other in everybody])
    mine = everybody.index(person)
    outside = known.strangers(person)
    said = [spoken(engine, voice, sentence) for sentence in SENTENCES]
    vectors = [identity(samples, RATE) for samples in said]
    own_vector, centre = identity(reference, rate), centres[mine]
    errors, words = errors_of(said)
    wide, other = (
        soxr.resample(samples, samples_rate, RATE, quality="VHQ")
        for samples, samples_rate in ((reference, rate), load(person.others[0]))
    )
    top = 0.95 * min(rate, RATE) / 2
    return Score(
        person=person.key,
        to_reference=float(np.mean([vector @ own_vector for vector in vectors])),
        to_others=float(np.mean([vector @ known.of(path) for vector in vectors for path in person.others])),
        natural=float(np.mean([own_vector @ known.of(path) for path in person.others])),
        margin=float(centres[mine] @ own_vector - np.delete(centres, mine, 0).dot(own_vector).max()),
        own=tuple(int((centres @ vector).argmax()) == mine for vector in vectors),
        first=tuple(bool(vector @ centre > (outside @ vector).max()) for vector in vectors),
        base_own=tuple(int((centres @ vector).argmax()) == mine for vector in plain.vectors),
        errors=errors,
        words=words,
        base_errors=plain.errors,
        spectrum_db=spectrum_error(np.concatenate(said), wide, RATE, top_hz=top),
        natural_spectrum_db=spectrum_error(other, wide, RATE, top_hz=top),
    )


def percent(flags: list[bool]) -> str:
    return f"{100 * sum(flags) / max(1, len(flags)):.0f} %"


def likeness(scores: list[Score], title: str) -> Table:
    table = Table(title=title)
    for heading in (
        *("speaker", "cos ref", "cos others", "natural", "margin", "own speaker", "rank 1"),
        *("base: own", "WER", "base WER", "spectrum dB", "natural dB"),
    ):
        table.add_column(heading, justify="left" if heading == "speaker" else "right")
    for score in [*scores, None]:
        part = scores if score is None else [score]
        if score is None:
            table.add_section()
        words = sum(one.words for one in part)
        table.add_row(
            "all" if score is None else score.person,
            *(
                f"{statistics.mean(values):.3f}"
                for values in (
                    [one.to_reference for one in part],
                    [one.to_others for one in part],
                    [one.natural for one in part],
                    [one.margin for one in part],
                )
            ),
            percent([flag for one in part for flag in one.own]),
            percent([flag for one in part for flag in one.first]),
            percent([flag for one in part for flag in one.base_own]),
            f"{sum(one.errors for one in part) / words:.2f}",
            f"{sum(one.base_errors for one in part) / words:.2f}",
            f"{statistics.mean([one.spectrum_db for one in part]):.1f}",
            f"{statistics.mean([one.natural_spectrum_db for one in part]):.1f}",
        )
    return table


def speeds(engine: CloneSynthesizer, person: Person, *, title: str, repeats: int) -> Table:
    table = Table("figure", "value", "goal", title=title)
    for row in speed(engine, person, repeats=repeats):
        table.add_row(*row)
    return table


def speed(engine: CloneSynthesizer, person: Person, *, repeats: int) -> list[tuple[str, str, str]]:
    """Rows of (figure, value, goal); the caller has bound this process to one core."""
    samples, rate = joined(person.reference)
    ten = np.round(np.resize(samples, 10 * rate) * 32767).astype(np.int16)
    engine.clone(ten, rate, voice_id="warm")
    began, cpu = time.perf_counter(), time.process_time()
    voice = engine.clone(ten, rate, voice_id="timed")
    cloning, cloning_cpu = time.perf_counter() - began, time.process_time() - cpu
    began = time.perf_counter()
    engine.load(voice)
    loading = time.perf_counter() - began
    first, whole, used = [], [], []
    for index in range(repeats):
        text = SIXTY[index % len(SIXTY)]
        request = SpeechRequest(text, voice, speed=1 + 1e-4 * index)  # never the same score twice
        began, cpu = time.perf_counter(), time.process_time()
        blocks = engine.speak(request)
        made = len(next(blocks).samples)
        first.append(time.perf_counter() - began)
        made += sum(len(block.samples) for block in blocks)
        whole.append((time.perf_counter() - began) / (made / RATE))
        used.append((time.process_time() - cpu) / (made / RATE))
    return [
        ("real-time factor, median", f"{statistics.median(whole):.4f}", "0.05, then 0.03"),
        ("the same in processor time", f"{statistics.median(used):.4f}", "(what a busy machine hides)"),
        ("first audio p50, ms", f"{1e3 * statistics.median(first):.1f}", "60, then 30"),
        ("first audio p95, ms", f"{1e3 * float(np.percentile(first, 95)):.1f}", ""),
        ("clone of a 10 s clip, s", f"{cloning:.2f}", "3, then 2 with the gate"),
        ("the same in processor time, s", f"{cloning_cpu:.2f}", ""),
        ("load of a stored voice, ms", f"{1e3 * loading:.0f}", ""),
        ("stored voice, kB", f"{len(voice.data) / 1e3:.0f}", "150 to 300"),
    ]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--clips", type=Path, default=os.environ.get("VIVAVOCE_CLIPS", "../shared/clips"))
    options.add_argument("--base", choices=("flite", "espeak"), action="append", help="default: both")
    options.add_argument("--repeats", type=int, default=40, help="sentences timed")
    chosen = options.parse_args()
    if os.environ.get("OMP_NUM_THREADS") != "1":  # has to be set before NumPy is loaded
        os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        os.execv(sys.executable, [sys.executable, "-m", "tests.bench.voice", *sys.argv[1:]])
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

    console = Console(width=140)
    clips = Path(chosen.clips)
    everybody = people(clips)
    if not everybody:
        sys.exit(f"no speakers with two recordings in {clips}: name a folder of clips with --clips")
    console.print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores (one used), "
        f"Python {platform.python_version()}, NumPy {np.__version__}, load {os.getloadavg()[0]:.1f}"
    )
    known = Identities(clips)
    family: BaseFamily
    for family in chosen.base or ("flite", "espeak"):
        engine = CloneSynthesizer(base=family)
        voices = {person: enrol(engine, person) for person in everybody}
        timbres = {person: engine.cast(voices[person]) for person in everybody}
        for timbre in sorted(set(timbres.values())):
            somebody = next(person for person in everybody if timbres[person] == timbre)
            title = f"{family} base, {timbre} ({somebody.key}): speed on one core"
            console.print(speeds(engine, somebody, title=title, repeats=chosen.repeats))
        plain = plain_voices(engine, set(timbres.values()))
        scores = [
            judge(engine, person, known, everybody, voices[person], plain[timbres[person]])
            for person in everybody
        ]
        count = len(list(strangers(clips, everybody[0])))
        console.print(
            likeness(
                scores,
                f"{family} base: {len(everybody)} people, {len(SENTENCES)} sentences each, {count} strangers",
            )
        )


if __name__ == "__main__":
    main()
