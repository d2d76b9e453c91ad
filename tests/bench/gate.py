"""
How well the gate tells good recordings from bad ones: ``python -m tests.bench.gate [FOLDER]``.

FOLDER (default VIVAVOCE_CLIPS, else ``../shared/clips``) holds ``A_good`` and ``B_bad``; each good clip is
also spoilt at random, in every way the gate should notice. Prints one line a clip that was judged wrongly,
then the table: judged rightly per kind of damage, and the time for ten seconds of sound.
"""

from __future__ import annotations

import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from runtime.media.container import Recording, decode_upload
from tests.tts import damage
from tests.tts.damage import Signal
from tts.voices.gate import Gate, GateReport
from tts.voices.gate.pitch import track_pitch
from tts.voices.gate.sound import Sound

LENGTH = {"clip_too_short", "clip_too_long", "too_little_speech"}

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


@dataclass(frozen=True, slots=True)
class Voice:
    name: str
    samples: Signal
    rate: int
    median_hz: float

    @property
    def person(self) -> str:
        """File names begin with the speaker."""
        return self.name.split("-")[0]


def main() -> None:
    default = Path(__file__).parents[3] / "shared" / "clips"
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("VIVAVOCE_CLIPS", default))
    rounds = int(os.environ.get("ROUNDS", "2"))
    gate = Gate("strict")
    table: dict[str, list[bool]] = defaultdict(list)
    seconds = spent = 0.0

    def judge(
        kind: str, name: str, recording: Recording, expected: set[str], *, warned: bool = False
    ) -> None:
        nonlocal seconds, spent
        begin = time.perf_counter()
        report = gate.judge(recording)
        spent += time.perf_counter() - begin
        seconds += len(recording.samples) / recording.rate
        right = _right(report, expected, warned=warned)
        table[kind].append(right)
        if not right:
            found = [
                f"{reason.code} {reason.value:g}" for reason in report.reasons if reason.value is not None
            ]
            print(f"WRONG {kind:24} {name[:60]:60} expected {sorted(expected) or 'pass'}, found {found}")

    good = sorted((folder / "A_good").iterdir())
    for path in good:
        judge("good, as recorded", path.name, decode_upload(path.read_bytes()), set())
    for path in sorted((folder / "B_bad").iterdir()):
        kind = max((key for key in EXPECTED if path.name.startswith(key)), key=len)
        judge(
            f"bad, {'as found' if EXPECTED[kind] else 'but acceptable'}",
            path.name,
            decode_upload(path.read_bytes()),
            EXPECTED[kind],
        )
    voices = [_voice(path) for path in good]
    rng = np.random.default_rng(int(os.environ.get("SEED", "1")))
    for _ in range(rounds):
        for voice in voices:
            for kind, (samples, rate), expected, warned in _damaged(voice, voices, folder, rng):
                judge(kind, voice.name, damage.recording(samples, rate), expected, warned=warned)

    print(f"\n{'kind':30} {'right':>7} {'of':>5}")
    for kind in sorted(table):
        print(f"{kind:30} {sum(table[kind]) / len(table[kind]):7.1%} {len(table[kind]):5}")
    bad = [
        right
        for kind, rights in table.items()
        if not kind.startswith(("good", "harmless"))
        for right in rights
    ]
    fine = [
        right for kind, rights in table.items() if kind.startswith(("good", "harmless")) for right in rights
    ]
    print(f"{'good accepted':30} {sum(fine) / len(fine):7.1%} {len(fine):5}")
    print(f"{'bad rejected for that reason':30} {sum(bad) / len(bad):7.1%} {len(bad):5}")
    print(f"time for 10 s of sound: {10 * spent / seconds:.2f} s on one core")


def _right(report: GateReport, expected: set[str], *, warned: bool) -> bool:
    """Rejected for (one of) what was expected, or not rejected for anything but its length."""
    reasons = {reason.code for reason in report.reasons}
    if not expected:
        return not reasons - LENGTH
    heard = reasons | ({reason.code for reason in report.warnings} if warned else set())
    return bool(expected & heard)


def _at_length(voice: Voice, voices: list[Voice]) -> Signal | None:
    """At least 5.5 s of this person, joined from other clips where needed; None where there is not enough."""
    joined = voice.samples
    for other in voices:
        if len(joined) / voice.rate >= 5.5:
            return joined
        if other.person == voice.person and other.name != voice.name:
            joined = np.concatenate([joined, damage.resampled(other.samples, other.rate, voice.rate)])
    return joined if len(joined) / voice.rate >= 5.5 else None


def _voice(path: Path) -> Voice:
    recording = decode_upload(path.read_bytes())
    samples = recording.samples[:, 0]
    median = track_pitch(Sound(samples, recording.rate)).median_hz
    return Voice(path.name, samples, recording.rate, median or 0.0)


Case = tuple[str, tuple[Signal, int], set[str], bool]


def _damaged(voice: Voice, voices: list[Voice], folder: Path, rng: np.random.Generator) -> Iterator[Case]:
    """Every kind of damage once, at random strength: kind, signal, what it must be told, warning enough."""
    x, rate = voice.samples, voice.rate
    pick: Callable[..., str] = lambda *names: str(rng.choice(names))  # noqa: E731
    low = int(rng.choice([8_000, 11_025, 16_000]))
    how = pick(*damage.INTERPOLATIONS)
    narrow = damage.upsampled(damage.resampled(x, rate, low), low, 48_000, how)
    yield "band: up-sampled", (narrow, 48_000), {"insufficient_bandwidth"}, False
    noise = damage.white(len(narrow), rng) if rng.random() < 0.5 else damage.pink(len(narrow), 48_000, rng)
    hissing = damage.mixed(narrow, noise, 48_000, below_db=rng.uniform(30, 55))
    yield "band: up-sampled + noise", (hissing, 48_000), {"insufficient_bandwidth", "too_noisy"}, False
    codec, bits = [("mp3", 128_000), ("mp3", 64_000), ("aac", 96_000), ("opus", 48_000)][rng.integers(4)]
    yield (
        "band: up-sampled + codec",
        damage.coded(narrow, 48_000, codec, bits),
        {"insufficient_bandwidth"},
        False,
    )

    over = damage.overdriven(x, by_db=rng.uniform(8, 20), lowered_db=rng.uniform(0, 15))
    yield "clipped, lowered", (over, rate), {"clipping"}, False
    soft = damage.overdriven(x, by_db=rng.uniform(16, 24), lowered_db=rng.uniform(0, 10), soft=True)
    yield "clipped softly", (soft, rate), {"clipping"}, True

    hiss = damage.white(len(x), rng) if rng.random() < 0.5 else damage.pink(len(x), rate, rng)
    noisy = damage.mixed(x, hiss, rate, below_db=rng.uniform(0, 11))
    yield "noise", (noisy, rate), {"too_noisy"}, False
    guitar = decode_upload((folder / "helpers" / "music-acoustic-guitar_x_16000_8.8s.wav").read_bytes())
    if rng.random() < 0.5:
        music = damage.resampled(guitar.samples[:, 0], guitar.rate, rate)
    else:
        music = damage.chords(len(x), rate, rng)
    music = np.roll(music, int(rng.integers(len(music))))
    yield (
        "music",
        (damage.mixed(x, music, rate, below_db=rng.uniform(3, 15)), rate),
        {"music_detected", "too_noisy"},
        False,
    )

    response = decode_upload(next((folder / "helpers").glob("rir-*")).read_bytes())
    if rng.random() < 0.4:
        room = damage.resampled(response.samples[:, 0], response.rate, rate)
    else:
        room = damage.decay(rate, rng.uniform(0.5, 1.2), rng, direct_db=rng.uniform(-6, 3))
    yield "reverberant", (damage.in_room(x, room), rate), {"reverberant"}, True

    other = voices[int(rng.integers(len(voices)))]
    first, second = _at_length(voice, voices), _at_length(other, voices)
    if voice.person != other.person and first is not None and second is not None:
        x = first
        y = damage.resampled(second, other.rate, rate)
        y *= damage.speech_rms(x, rate) / damage.speech_rms(y, rate)
        same = (other.median_hz < 160) == (voice.median_hz < 160)
        alternating = np.concatenate([x, y])
        yield (
            f"two, in turns, {'same' if same else 'other'} sex",
            (alternating, rate),
            {"multiple_speakers"},
            False,
        )
        both = min(len(x), len(y))
        together = x[:both] + y[:both] * 10 ** (-rng.uniform(0, 6) / 20)
        yield "two, at once", (together * np.float32(0.6), rate), {"multiple_speakers"}, False

    x = voice.samples
    yield (
        "long silence",
        (damage.with_gap(x, rate, seconds=rng.uniform(2.4, 5)), rate),
        {"long_silence"},
        True,
    )
    if len(x) / rate > 5.5:
        step = damage.stepped(x, by_db=rng.uniform(16, 26))
        yield "uneven level", (step, rate), {"uneven_level"}, True
        yield "uneven level", (damage.drifting(x, by_db=rng.uniform(20, 30)), rate), {"uneven_level"}, True
    lost = damage.losing_packets(x, rate, share=rng.uniform(0.06, 0.2), rng=rng)
    yield "packets lost", (lost, rate), {"packet_loss"}, False

    yield "harmless: mp3 128k", damage.coded(x, rate, "mp3", 128_000), set(), False
    yield "harmless: aac 96k", damage.coded(x, rate, "aac", 96_000), set(), False
    yield "harmless: opus 64k", damage.coded(x, rate, "opus", 64_000), set(), False
    yield "harmless: 24 kHz", (damage.resampled(x, rate, 24_000), 24_000), set(), False
    yield "harmless: quieter", (x * np.float32(10 ** (-rng.uniform(3, 9) / 20)), rate), set(), False
    faint = damage.mixed(x, damage.pink(len(x), rate, rng), rate, below_db=rng.uniform(36, 50))
    yield "harmless: faint noise", (faint, rate), set(), False


if __name__ == "__main__":
    main()
