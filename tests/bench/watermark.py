"""
Measure the watermark: how surely it is found, how often it is seen where it is not, how loud it is.

    VIVAVOCE_CLIPS=… python -m tests.bench.watermark
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import soxr
from numpy.typing import NDArray

from runtime.media.frame import SPEAKING_RATE, Pcm
from runtime.media.g711 import decode_mulaw, encode_mulaw
from tts.engine import SpeechRequest
from tts.engines.clone import CloneSynthesizer
from tts.provenance.detection import Traces, detect
from tts.provenance.watermark import DEFAULT_KEY, Watermarker
from tts.text.normalize import normalize

SECONDS = 5.0
KEYS = 20
"""A wrong key is a recording without a mark: the signs of two keys have nothing in common."""

LINES = (
    "Thank you for calling, my name is Ada. How may I help you with your order today?",
    "The next train to Boston leaves at 5:30pm from platform 4, and it takes about two hours.",
    "Your account balance is $1,234.56, and the last payment arrived on May 3rd, so all is well.",
    "I have looked into this for you, and it seems that the package was delivered on Monday morning.",
    "Please hold the line while I transfer you to a colleague who can answer that question for you.",
    "It was a bright cold day in April, and the clocks were striking thirteen when he arrived there.",
)

Damage = Callable[[Pcm, int, np.random.Generator], tuple[Pcm, int]]


def whole(samples: Pcm, rate: int, _: np.random.Generator) -> tuple[Pcm, int]:
    return samples, rate


def mulaw(samples: Pcm, rate: int, _: np.random.Generator) -> tuple[Pcm, int]:
    return decode_mulaw(encode_mulaw(soxr.resample(samples, rate, 8_000))), 8_000


def mp3(samples: Pcm, rate: int, _: np.random.Generator) -> tuple[Pcm, int]:
    return coded(samples, rate, "mp3", "libmp3lame", 64_000)


def opus(samples: Pcm, rate: int, _: np.random.Generator) -> tuple[Pcm, int]:
    return coded(soxr.resample(samples, rate, 48_000), 48_000, "ogg", "libopus", 24_000)


def noise(samples: Pcm, rate: int, rng: np.random.Generator) -> tuple[Pcm, int]:
    level = np.sqrt(np.mean(samples.astype(float) ** 2)) / 10
    return np.clip(samples + rng.normal(0, level, len(samples)), -32768, 32767).astype(np.int16), rate


def line_noise(samples: Pcm, rate: int, rng: np.random.Generator) -> tuple[Pcm, int]:
    return noise(*mulaw(samples, rate, rng), rng)


def quiet(samples: Pcm, rate: int, _: np.random.Generator) -> tuple[Pcm, int]:
    return (samples // 16).astype(np.int16), rate


def cut(samples: Pcm, rate: int, rng: np.random.Generator) -> tuple[Pcm, int]:
    begin = int(rng.integers(0, len(samples) // 5))
    return samples[begin : begin + len(samples) * 4 // 5], rate


DAMAGES: dict[str, Damage] = {
    "none": whole,
    "mu-law 8 kHz": mulaw,
    "mp3 64 kbit/s": mp3,
    "opus 24 kbit/s": opus,
    "white noise 20 dB": noise,
    "mu-law + noise 20 dB": line_noise,
    "24 dB quieter": quiet,
    "4 s cut out": cut,
}


def coded(samples: Pcm, rate: int, container: str, codec: str, bit_rate: int) -> tuple[Pcm, int]:
    data = BytesIO()
    with av.open(data, "w", format=container) as out:
        stream = out.add_stream(codec, rate=rate, layout="mono")
        stream.bit_rate = bit_rate
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.rate = rate
        for packet in (*stream.encode(frame), *stream.encode(None)):
            out.mux(packet)
    data.seek(0)
    return decoded(data)


def decoded(file: BytesIO | Path) -> tuple[Pcm, int]:
    with av.open(file if isinstance(file, BytesIO) else str(file)) as container:
        rate = container.streams.audio[0].rate
        to_pcm = av.AudioResampler(format="s16", layout="mono", rate=rate)
        blocks = [
            block.to_ndarray()[0] for frame in container.decode(audio=0) for block in to_pcm.resample(frame)
        ]
    return np.concatenate(blocks), rate


def spoken() -> Iterator[tuple[Pcm, str]]:
    """Five seconds each: every line in every stock voice, and which voice it is."""
    engine = CloneSynthesizer()
    for voice in engine.stock():
        for line in LINES:
            request = SpeechRequest(normalize(line).text, voice.conditioning)
            speech = np.concatenate([block.samples for block in engine.speak(request)])
            yield speech[: int(SECONDS * SPEAKING_RATE)], voice.voice_id


def recorded(folder: Path) -> Iterator[tuple[Pcm, int]]:
    """Five seconds each of every recording below ``folder``."""
    for file in sorted(folder.rglob("*")):
        if file.suffix in (".wav", ".flac", ".mp3", ".opus", ".ogg", ".m4a"):
            samples, rate = decoded(file)
            size = int(SECONDS * rate)
            for begin in range(0, max(1, len(samples) - size // 2), size):
                yield samples[begin : begin + size], rate


def marked(samples: Pcm, rate: int, voice_id: str = "voice_bench") -> Pcm:
    return Watermarker(rate, voice_id=voice_id).push(samples)


def naming(spoken: list[tuple[Pcm, str]], rng: np.random.Generator) -> None:
    """How often the voice that spoke is named among so many, and another one in its place."""
    print(f"\nnaming the voice that spoke, pieces of {SECONDS:g} s; right (wrong)")
    for known in (10, 1_000):
        strangers = [f"voice_{number}" for number in range(known - 8)]
        voices = [*sorted({voice_id for _, voice_id in spoken}), *strangers]
        for damage, apply in DAMAGES.items():
            right = wrong = 0
            for samples, voice_id in spoken:
                traces = Traces(*apply(marked(samples, SPEAKING_RATE, voice_id), SPEAKING_RATE, rng))
                named = traces.name(voices, key=DEFAULT_KEY)
                right += bool(named) and named[0].voice_id == voice_id
                wrong += bool(named) and named[0].voice_id != voice_id
            share = f"{right / len(spoken):6.1%} ({wrong / len(spoken):.1%})"
            print(f"  of {known:5d} known, {damage:22} {share}")


def audibility(pairs: list[tuple[Pcm, Pcm, int]]) -> None:
    """How far the mark is below the speech, by octave."""
    print("\nlevel of the mark below the speech, dB, by octave centre")
    octaves = (250, 500, 1000, 2000, 4000, 8000)
    rows: NDArray[np.float64] = np.zeros((len(octaves), 2))
    for original, mark, rate in pairs:
        hz = np.fft.rfftfreq(len(original), 1 / rate)
        for number, centre in enumerate(octaves):
            band = (hz > centre / 2**0.5) & (hz < centre * 2**0.5)
            for column, signal in enumerate((original, mark.astype(float) - original)):
                rows[number, column] += (np.abs(np.fft.rfft(signal)[band]) ** 2).sum()
    for centre, (speech, echo) in zip(octaves, rows, strict=True):
        print(f"  {centre:5d} Hz  {10 * np.log10(speech / max(echo, 1e-9)):6.1f}")
    speech, echo = rows.sum(axis=0)
    print(f"  {'all':>5}     {10 * np.log10(speech / echo):6.1f}")


def main() -> None:
    rng = np.random.default_rng(1)
    said = list(spoken())
    voices = [samples for samples, _ in said]
    folder = Path(os.environ.get("VIVAVOCE_CLIPS", Path(__file__).parents[3] / "shared" / "clips"))
    clips = list(recorded(folder)) if folder.is_dir() else []
    hosts = [(samples, SPEAKING_RATE) for samples in voices]
    natural = [(samples, rate) for samples, rate in clips if len(samples) >= 0.95 * SECONDS * rate]
    pairs = [(samples, marked(samples, rate), rate) for samples, rate in hosts]
    for name, group in (("clone engine", hosts), ("real clips, marked", natural)):
        print(f"{name}: {len(group)} pieces of {SECONDS:g} s")
        for damage, apply in DAMAGES.items() if group else ():
            found = [detect(*apply(marked(samples, rate), rate, rng)) for samples, rate in group]
            told = [detection for detection in found if detection.conclusive]
            scores = np.array([detection.score for detection in told])
            share = np.mean([detection.found for detection in told])
            print(
                f"  {damage:22} found {share:6.1%}   score mean {scores.mean():5.1f},"
                f" least {scores.min():4.1f}; {len(found) - len(told)} with too little sound"
            )
    print(f"\nwithout a mark ({KEYS} wrong keys and the right one on every piece)")
    for name, group in (("clone engine", hosts), ("real clips", clips)):
        if group:
            false = [
                detect(samples, rate, key=key)
                for samples, rate in group
                for key in (*(b"wrong %d" % number for number in range(KEYS)), b"vivavoce")
            ]
            scores = np.array([detection.score for detection in false if detection.conclusive])
            wrong = sum(detection.found for detection in false)
            print(
                f"  {name:14} {wrong} found of {len(false)}: rate {wrong / len(false):.5f};"
                f" score deviation {scores.std():.2f}, largest {scores.max():.2f}"
            )
    naming(said, rng)
    audibility(pairs)
    samples = np.concatenate(voices)
    begun = time.process_time()
    for at in range(0, len(samples), 12_000):
        marked(samples[at : at + 12_000], SPEAKING_RATE)
    cost = time.process_time() - begun
    print(f"\ncost {1000 * cost / (len(samples) / SPEAKING_RATE):.2f} ms of one core per second of speech")


if __name__ == "__main__":
    main()
