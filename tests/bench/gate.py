"""
How well the gate tells good recordings from bad ones: ``python -m tests.bench.gate [FOLDER]``.

FOLDER (default VIVAVOCE_CLIPS, else ``../shared/clips``) holds ``A_good`` and ``B_bad``; each good clip is
also spoilt at random, in every way the gate should notice, and changed in ways it must not mind. SEED chooses
the random strengths (the limits were set with seeds 1 to 3, so give another), ROUNDS how often each clip is
spoilt. Prints one line a clip that was judged wrongly, then the table: judged rightly per kind of damage, and
the time for ten seconds of sound.
"""

from __future__ import annotations

import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from runtime.media.container import decode_upload
from tests.bench.spoilt import LENGTH, Case, Folder, alone, harmless, spoilt, together
from tts.voices.gate import Gate, GateReport

EXPECTED = {
    "tel": {"insufficient_bandwidth"},
    "wb": {"insufficient_bandwidth"},
    "fakeband": {"insufficient_bandwidth"},
    "noisy": {"too_noisy"},
    "noise5db": {"too_noisy"},
    "noise15db": set(),
    "reverb": {"reverberant"},
    "nonenglish-german": set(),
    "nonenglish-spanish16k": {"insufficient_bandwidth"},
    "edge": set(),
    "packetloss": {"packet_loss"},
    "twospk": {"multiple_speakers"},
    "music8db": {"music_detected"},
    "lossy": {"insufficient_bandwidth"},
    "clipped": {"clipping"},
    "tooshort": {"clip_too_short"},
    "toolong": {"clip_too_long"},
    "tooquiet": {"too_quiet"},
    "mostlysilence": {"long_silence"},
}
"""What each kind of file in ``B_bad`` must be rejected for; nothing where it must pass but for its length."""


class Scores:
    """What was judged, and how often rightly."""

    def __init__(self) -> None:
        self._gate = Gate("strict")
        self._kinds: dict[str, list[bool]] = defaultdict(list)
        self._seconds = self._spent = 0.0

    def add(self, case: Case, name: str) -> None:
        begin = time.process_time()
        report = self._gate.judge(case.recording)
        self._spent += time.process_time() - begin
        self._seconds += case.recording.seconds
        right = _right(report, case)
        self._kinds[case.kind].append(right)
        if not right:
            found = [
                f"{reason.code} {reason.value:g}" for reason in report.reasons if reason.value is not None
            ]
            print(
                f"WRONG {case.kind:30} {name[:44]:44} expected"
                f" {sorted(case.expected) or 'pass'}, found {found}"
            )

    def show(self) -> None:
        print(f"\n{'kind':36} {'right':>7} {'of':>5}")
        for kind in sorted(self._kinds):
            self._line(kind, self._kinds[kind])
        fine = ("good", "harmless", "one")
        self._line(
            "good accepted", [r for kind, all in self._kinds.items() if kind.startswith(fine) for r in all]
        )
        self._line(
            "bad rejected for that reason",
            [r for kind, all in self._kinds.items() if not kind.startswith(fine) for r in all],
        )
        print(f"time for 10 s of sound: {10 * self._spent / self._seconds:.2f} s on one core")

    def _line(self, name: str, rights: list[bool]) -> None:
        print(f"{name:36} {np.mean(rights):7.1%} {len(rights):5}")


def main() -> None:
    default = Path(__file__).parents[3] / "shared" / "clips"
    path = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("VIVAVOCE_CLIPS", default))
    scores = Scores()
    for case, name in _as_found(path):
        scores.add(case, name)
    folder = Folder(path)
    rng = np.random.default_rng(int(os.environ.get("SEED", "1")))
    for voice in folder.unknown:
        scores.add(alone(voice), voice.name)
    for _ in range(int(os.environ.get("ROUNDS", "2"))):
        for voice in folder.voices:
            for case in (*spoilt(voice, folder, rng), *harmless(voice, rng)):
                scores.add(case, voice.name)
        for voice in folder.unknown:
            partner = folder.unknown[int(rng.integers(len(folder.unknown)))]
            for case in together("two unknown", voice, partner, folder.unknown, rng):
                scores.add(case, f"{voice.name[:20]} {partner.name}")
    scores.show()


def _as_found(folder: Path) -> Iterator[tuple[Case, str]]:
    for path in sorted((folder / "A_good").iterdir()):
        yield Case("good, as recorded", decode_upload(path.read_bytes())), path.name
    for path in sorted((folder / "B_bad").iterdir()):
        kind = max((key for key in EXPECTED if path.name.startswith(key)), key=len)
        told = frozenset(EXPECTED[kind])
        group = "bad, as found" if told else "good, though it looks bad"
        yield Case(group, decode_upload(path.read_bytes()), told, allowed=LENGTH), path.name


def _right(report: GateReport, case: Case) -> bool:
    """Rejected for (one of) what was expected, or not rejected for anything that matters."""
    reasons = {reason.code for reason in report.reasons}
    if not case.expected:
        return not reasons - case.allowed
    heard = reasons | ({reason.code for reason in report.warnings} if case.warned else set())
    return bool(case.expected & heard)


if __name__ == "__main__":
    main()
