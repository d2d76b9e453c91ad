"""
How far the server's own ear for voices can be trusted: ``python -m tests.bench.likeness``.

Recordings of ``VIVAVOCE_CLIPS`` (default ``../shared/clips``) are compared with each other and with clones
of them. The people are halved at random many times: the constants come from one half, the
figures from the other.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runtime.media.container import decode_upload
from tts.engine import SpeechRequest
from tts.engines.clone import CloneSynthesizer
from tts.voices.gate.channels import choose_channel
from tts.voices.likeness import LINE, raw_timbre
from tts.voices.voice import WEAK_LIKENESS

HALVINGS = 40
_NOT_ONE_PERSON = ("multi-speaker", "dialogue", "call-ibm", "join")
_SHORTEST_REFERENCE = 4.0

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Heard:
    person: str
    raw: Vector
    clone: Vector | None
    """Of a line that the clone of this recording spoke."""


def person_of(name: str) -> str:
    """File names begin with the speaker, and what they read after it."""
    if name.startswith(("jfk", "librivox", "turn-dograh")):
        return re.split(r"[\d_]|-sense|-(?!dograh)", name)[0]
    return re.split(r"[_-]", name)[0] if not name.startswith("sbspk1") else name.split("_")[0]


def listen(folder: Path) -> list[Heard]:
    engine = CloneSynthesizer()
    found = []
    for path in sorted(folder.glob("[AC]_*/*")):
        if any(word in path.name for word in _NOT_ONE_PERSON):
            continue
        recording = decode_upload(path.read_bytes())
        mono, _ = choose_channel(recording)
        raw = raw_timbre(mono, recording.rate)
        if raw is None:
            continue
        clone = None
        if recording.seconds >= _SHORTEST_REFERENCE:
            clip = (np.clip(mono[: 15 * recording.rate], -1, 1) * 32_767).astype(np.int16)
            voice = engine.clone(clip, recording.rate, voice_id="bench")
            spoken = [block.samples for block in engine.speak(SpeechRequest(LINE, voice))]
            clone = raw_timbre(
                np.concatenate(spoken).astype(np.float32) / np.float32(32_768), engine.info.rate
            )
        found.append(Heard(person_of(path.name), raw, clone))
    return found


def constants(heard: list[Heard]) -> tuple[Vector, Vector]:
    """What is usual among these people, and how one of them varies from recording to recording."""
    groups = [
        np.array([h.raw for h in heard if h.person == person]) for person in sorted({h.person for h in heard})
    ]
    usual = np.mean([group.mean(axis=0) for group in groups], axis=0)
    spread = np.concatenate(
        [(g - g.mean(axis=0)) * np.sqrt(len(g) / (len(g) - 1)) for g in groups if len(g) > 1]
    )
    return usual, np.sqrt(np.mean(spread**2, axis=0))


def main() -> None:
    folder = Path(os.environ.get("VIVAVOCE_CLIPS", Path(__file__).parents[3] / "shared" / "clips"))
    heard = listen(folder)
    people = sorted({h.person for h in heard})
    rng = np.random.default_rng(0)
    same: list[float] = []
    other: list[float] = []
    own: list[float] = []
    for _ in range(HALVINGS):
        known = set(rng.permutation(people)[: len(people) // 2])
        usual, spread = constants([h for h in heard if h.person in known])
        unknown = [h for h in heard if h.person not in known]
        units = [(h.raw - usual) / spread for h in unknown]
        units = [unit / np.linalg.norm(unit) for unit in units]
        for at, (h, unit) in enumerate(zip(unknown, units, strict=True)):
            for before, earlier in zip(unknown[:at], units, strict=False):
                (same if before.person == h.person else other).append(float(unit @ earlier))
            if h.clone is not None:
                clone = (h.clone - usual) / spread
                own.append(float(unit @ clone / np.linalg.norm(clone)))
    print(f"{len(heard)} recordings of {len(people)} people; people the constants were not made from:")
    for name, scores in (
        ("another recording of the person", same),
        ("a recording of somebody else", other),
        ("a clone of the recording", own),
    ):
        low, middle, high = np.percentile(scores, [5, 50, 95])
        under = np.mean(np.array(scores) < WEAK_LIKENESS)
        print(f"  {name:34} {low:5.2f} {middle:5.2f} {high:5.2f} (5, 50, 95 %), weak {under:6.1%}")
    usual, spread = constants(heard)
    print(f"usual  {np.round(usual, 2).tolist()}\nspread {np.round(spread, 2).tolist()}")


if __name__ == "__main__":
    main()
