"""Good recordings made worse, or changed without harm, at random: what the gate is held against."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import soundfile

from runtime.media.container import Recording, decode_upload
from runtime.media.g711 import decode_mulaw, encode_mulaw
from tests.tts import damage
from tests.tts.damage import Signal
from tts.voices.gate.pitch import track_pitch
from tts.voices.gate.sound import Sound

LENGTH = frozenset({"clip_too_short", "clip_too_long", "too_little_speech"})
"""What is not held against a change: many of the clips are short to begin with."""

_ENOUGH_SECONDS = 5.5
_HIGH_VOICE_HZ = 160.0


@dataclass(frozen=True, slots=True)
class Case:
    """One recording, and what the gate must say of it."""

    kind: str
    recording: Recording
    expected: frozenset[str] = frozenset()
    """One of these must be told; nothing, where it must pass."""
    warned: bool = False
    """A warning is telling enough."""
    allowed: frozenset[str] = LENGTH
    """May be told as well of what must pass."""


@dataclass(frozen=True)
class Voice:
    """One clip of one person."""

    name: str
    samples: Signal
    rate: int

    @property
    def person(self) -> str:
        """File names begin with the speaker."""
        return "jfk" if self.name.startswith("jfk") else self.name.split("-")[0]

    @cached_property
    def high(self) -> bool:
        return (track_pitch(Sound(self.samples, self.rate)).median_hz or 0.0) >= _HIGH_VOICE_HZ


@dataclass(frozen=True)
class Folder:
    """A folder of clips: ``A_good``, ``C_conversation`` and ``helpers``."""

    path: Path
    voices: tuple[Voice, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "voices", tuple(_voices(self.path / "A_good", "")))

    @cached_property
    def unknown(self) -> tuple[Voice, ...]:
        """People on whom no limit of the gate was set; their recordings end at 8 kHz."""
        return tuple(v for v in _voices(self.path / "C_conversation", "libri") if len(v.samples) > 5 * v.rate)

    @cached_property
    def room(self) -> tuple[Signal, int]:
        return _mono(next((self.path / "helpers").glob("rir-*")))

    @cached_property
    def guitar(self) -> tuple[Signal, int]:
        return _mono(next((self.path / "helpers").glob("music-*")))

    @cached_property
    def street(self) -> tuple[Signal, int]:
        return _mono(next((self.path / "helpers").glob("noise-*")))


def spoilt(voice: Voice, folder: Folder, rng: np.random.Generator) -> Iterator[Case]:
    """Every kind of damage once, at random strength."""
    yield from _narrowed(voice, rng)
    yield from _overloaded(voice, rng)
    yield from _surrounded(voice, folder, rng)
    yield from _interrupted(voice, rng)
    partner = folder.voices[int(rng.integers(len(folder.voices)))]
    yield from together("two", voice, partner, folder.voices, rng)


def together(
    kind: str, voice: Voice, partner: Voice, voices: Sequence[Voice], rng: np.random.Generator
) -> Iterator[Case]:
    """Two people at a like level, in turns and at once; nothing where there is too little of one of them."""
    first, second = _at_length(voice, voices), _at_length(partner, voices)
    if voice.person == partner.person or first is None or second is None:
        return
    rate = voice.rate
    second = damage.resampled(second, partner.rate, rate)
    second *= damage.speech_rms(first, rate) / damage.speech_rms(second, rate)
    sexes = "same" if voice.high == partner.high else "other"
    told = frozenset({"multiple_speakers"})
    turns = np.concatenate([first[: 8 * rate], second[: 8 * rate]])
    yield _case(f"{kind}, in turns, {sexes} sex", turns, rate, told)
    both = min(len(first), len(second))
    mixed = first[:both] + second[:both] * np.float32(10 ** (-rng.uniform(0, 6) / 20))
    yield _case(f"{kind}, at once, {sexes} sex", mixed * np.float32(0.6), rate, told)


def harmless(voice: Voice, rng: np.random.Generator) -> Iterator[Case]:
    """What people do to good recordings without harm: it must be accepted."""
    x, rate = voice.samples, voice.rate
    yield _case("harmless: mp3 128k", *damage.coded(x, rate, "mp3", 128_000))
    yield _case("harmless: mp3 192k", *damage.coded(x, rate, "mp3", 192_000))
    yield _case("harmless: aac 96k", *damage.coded(x, rate, "aac", 96_000))
    yield _case("harmless: opus 64k", *damage.coded(x, rate, "opus", 64_000))
    other_rate = 48_000 if rate == 44_100 else 44_100
    yield _case("harmless: 44.1 to 48 kHz or back", damage.resampled(x, rate, other_rate), other_rate)
    yield _case("harmless: 24 kHz", damage.resampled(x, rate, 24_000), 24_000)
    yield _case("harmless: quieter", x * np.float32(10 ** (-rng.uniform(3, 9) / 20)), rate)
    cut = int(rng.uniform(0.02, 0.15) * len(x))
    yield _case("harmless: trimmed", x[cut : len(x) - cut // 2], rate)
    yield _case("harmless: turned over", -x, rate)
    yield _case("harmless: stereo, twice the same", np.column_stack([x, x]), rate)
    yield Case("harmless: FLAC of 24 bits", decode_upload(_flac24(x, rate)))
    room = damage.decay(rate, rng.uniform(0.08, 0.15), rng, direct_db=rng.uniform(6, 12))
    yield _case("harmless: slight room", damage.in_room(x, room), rate)
    faint = damage.mixed(x, damage.pink(len(x), rate, rng), rate, below_db=rng.uniform(36, 50))
    yield _case("harmless: faint noise", faint, rate)
    ends = [np.zeros(int(rng.uniform(0.1, 0.7) * rate), np.float32) for _ in range(2)]
    yield _case("harmless: silence at both ends", np.concatenate([ends[0], x, ends[1]]), rate)


def alone(voice: Voice) -> Case:
    """Somebody unknown, speaking alone, in whatever band."""
    allowed = LENGTH | {"insufficient_bandwidth", "too_noisy"}
    return Case("one, unknown", damage.recording(voice.samples, voice.rate), allowed=allowed)


def _narrowed(voice: Voice, rng: np.random.Generator) -> Iterator[Case]:
    x, rate, told = voice.samples, voice.rate, frozenset({"insufficient_bandwidth"})
    low = int(rng.choice([8_000, 11_025, 12_000, 16_000]))
    new = int(rng.choice([44_100, 48_000]))
    narrow = damage.upsampled(
        damage.resampled(x, rate, low), low, new, str(rng.choice(damage.INTERPOLATIONS))
    )
    yield _case("band: up-sampled", narrow, new, told)
    dither = np.asarray((rng.random(len(narrow)) - rng.random(len(narrow))) / 32_768, np.float32)
    yield _case("band: up-sampled + dither", narrow + dither, new, told)
    hiss = damage.white(len(narrow), rng) if rng.random() < 0.5 else damage.pink(len(narrow), new, rng)
    hissing = damage.mixed(narrow, hiss, new, below_db=rng.uniform(30, 55))
    yield _case("band: up-sampled + noise", hissing, new, told | {"too_noisy"})
    codec, bits = [("mp3", 128_000), ("mp3", 64_000), ("aac", 96_000), ("opus", 48_000)][rng.integers(4)]
    yield _case("band: up-sampled + codec", *damage.coded(narrow, new, codec, bits), told)
    line = decode_mulaw(encode_mulaw(_pcm(damage.resampled(x, rate, 8_000))))
    yield _case(
        "band: telephone, up-sampled",
        damage.resampled(np.asarray(line / 32_768, np.float32), 8_000, new),
        new,
        told,
    )


def _overloaded(voice: Voice, rng: np.random.Generator) -> Iterator[Case]:
    x, told = voice.samples, frozenset({"clipping"})
    over = damage.overdriven(x, by_db=rng.uniform(8, 20), lowered_db=rng.uniform(0, 15))
    yield _case("clipped, lowered", over, voice.rate, told)
    soft = damage.overdriven(x, by_db=rng.uniform(16, 24), lowered_db=rng.uniform(0, 10), soft=True)
    yield _case("clipped softly", soft, voice.rate, told, warned=True)


def _surrounded(voice: Voice, folder: Folder, rng: np.random.Generator) -> Iterator[Case]:
    x, rate = voice.samples, voice.rate
    hiss = damage.white(len(x), rng) if rng.random() < 0.5 else damage.pink(len(x), rate, rng)
    noisy = damage.mixed(x, hiss, rate, below_db=rng.uniform(0, 11))
    yield _case("noise", noisy, rate, frozenset({"too_noisy"}))
    music = damage.chords(len(x), rate, rng)
    if rng.random() < 0.5:
        music = damage.resampled(*folder.guitar, rate)
    bed = damage.mixed(x, np.roll(music, int(rng.integers(len(music)))), rate, below_db=rng.uniform(3, 15))
    yield _case("music", bed, rate, frozenset({"music_detected", "too_noisy"}))
    room = damage.decay(rate, rng.uniform(0.5, 1.2), rng, direct_db=rng.uniform(-6, 3))
    if rng.random() < 0.4:
        room = damage.resampled(*folder.room, rate)
    yield _case("reverberant", damage.in_room(x, room), rate, frozenset({"reverberant"}), warned=True)


def _interrupted(voice: Voice, rng: np.random.Generator) -> Iterator[Case]:
    x, rate = voice.samples, voice.rate
    pause = damage.with_gap(x, rate, seconds=rng.uniform(2.4, 5))
    yield _case("long silence", pause, rate, frozenset({"long_silence"}), warned=True)
    if len(x) / rate > _ENOUGH_SECONDS:
        uneven = frozenset({"uneven_level"})
        yield _case("uneven level", damage.stepped(x, by_db=rng.uniform(16, 26)), rate, uneven, warned=True)
        yield _case("uneven level", damage.drifting(x, by_db=rng.uniform(20, 30)), rate, uneven, warned=True)
    lost = damage.losing_packets(x, rate, share=rng.uniform(0.06, 0.2), rng=rng)
    yield _case("packets lost", lost, rate, frozenset({"packet_loss"}))
    dead = np.column_stack([x, np.zeros_like(x)][:: int(rng.choice([-1, 1]))])
    yield _case("one dead channel", dead, rate, frozenset({"dead_channel"}), warned=True)


def _case(
    kind: str, samples: Signal, rate: int, expected: frozenset[str] = frozenset(), *, warned: bool = False
) -> Case:
    return Case(kind, damage.recording(samples, rate), expected, warned)


def _at_length(voice: Voice, voices: Sequence[Voice]) -> Signal | None:
    """At least 5.5 s of this person, joined from other clips where needed; None where there is not enough."""
    joined = voice.samples
    for other in voices:
        if len(joined) / voice.rate >= _ENOUGH_SECONDS:
            return joined
        if other.person == voice.person and other.name != voice.name:
            joined = np.concatenate([joined, damage.resampled(other.samples, other.rate, voice.rate)])
    return joined if len(joined) / voice.rate >= _ENOUGH_SECONDS else None


def _voices(folder: Path, beginning: str) -> Iterator[Voice]:
    for path in sorted(folder.glob(f"{beginning}*")):
        yield Voice(path.name, *_mono(path))


def _mono(path: Path) -> tuple[Signal, int]:
    recording = decode_upload(path.read_bytes())
    return recording.samples[:, 0], recording.rate


def _flac24(samples: Signal, rate: int) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="FLAC", subtype="PCM_24")
    return file.getvalue()


def _pcm(samples: Signal) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    return np.rint(np.clip(samples, -1, 1) * 32_767).astype(np.int16)
