"""Whose recordings they are: references to clone from, and others to be recognised by."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from tests.bench.measures import Samples

_LEAST_REFERENCE = 6.0
"""Seconds, as the gate asks; a speaker of short sentences has some of them joined."""
_NOT_ONE_PERSON = ("twospk", "dialogue", "call-", "multi-speaker")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a reference and other recordings that it does not contain."""

    key: str
    """The part of the file names that says who it is."""
    reference: tuple[Path, ...]
    others: tuple[Path, ...]


def load(path: Path) -> tuple[Samples, int]:
    """Mono samples, ±1, and their rate."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return samples.mean(1), rate


def joined(paths: tuple[Path, ...]) -> tuple[Samples, int]:
    """Recordings of one rate, end to end with 0.2 s between them."""
    parts, rate = [], 0
    for path in paths:
        samples, rate = load(path)
        parts += [samples, np.zeros(rate // 5, np.float32)]
    return np.concatenate(parts[:-1]), rate


def people(clips: Path) -> tuple[Person, ...]:
    """Everybody whom ``PAIRS.tsv`` gives two or more recordings, and enough of them for a reference."""
    groups: list[set[Path]] = []
    with (clips / "PAIRS.tsv").open() as table:
        for row in csv.DictReader(table, delimiter="\t"):
            if row["relation"] == "same":
                pair = {clips / row["file_1"], clips / row["file_2"]}
                touching = [group for group in groups if group & pair]
                groups = [group for group in groups if not group & pair] + [pair.union(*touching)]
    return tuple(person for group in groups if (person := _person(sorted(group))) is not None)


def _person(files: list[Path]) -> Person | None:
    by_length = sorted(files, key=lambda path: (-soundfile.info(path).duration, path.name))
    reference: list[Path] = []
    while by_length[1:] and sum(soundfile.info(path).duration for path in reference) < _LEAST_REFERENCE:
        reference.append(by_length.pop(0))
    if sum(soundfile.info(path).duration for path in reference) < _LEAST_REFERENCE:
        return None
    name = reference[0].name
    key = "librivox" if name.startswith("librivox") else name.split("-")[0].split("_")[0]
    return Person(key, tuple(reference), tuple(by_length))


def strangers(clips: Path, person: Person) -> Iterator[Path]:
    """Every clip, good or bad, that holds one voice which is not this person's."""
    for path in sorted(clips.glob("[ABC]_*/*")):
        if person.key not in path.name and not any(word in path.name for word in _NOT_ONE_PERSON):
            yield path
