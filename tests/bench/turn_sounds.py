"""What callers do while we speak: interrupt us, or make sounds that should not stop us."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
from scipy.signal import lfilter

from runtime.media.frame import LISTENING_RATE, Pcm
from tests.turn.voices import noise, recording, silence
from tts.engine import SpeechRequest
from tts.engines.clone import CloneSynthesizer

LEAD_IN = 1.0
LEAD_OUT = 1.5
"""Seconds of a quiet line around each sound."""

BACK_CHANNELS = ("Uh-huh.", "Yeah.", "Okay.", "Right.", "I see.", "Sure.", "Yes.")
COMMANDS = ("Stop.", "Wait.", "No.", "Hold on.", "Excuse me.", "Stop it please.")


@dataclass(frozen=True, slots=True)
class Sound:
    """One trial: a sound on an otherwise quiet line."""

    kind: str
    name: str
    pcm: Pcm
    onset: int
    """First sample of it that can be heard."""


def interruptions(clips: Path) -> Iterator[Sound]:
    """Real people who begin to speak: the first three seconds of every good and every conversational clip."""
    for folder in ("A_good", "C_conversation"):
        for path in sorted((clips / folder).iterdir()):
            if not any(word in path.name for word in ("join", "derived", "multi-speaker")):
                yield _on_a_line("real speech", path.stem, recording(path)[: 3 * LISTENING_RATE])


def commands() -> Iterator[Sound]:
    """Short orders, spoken by the stock voices."""
    yield from _spoken("spoken command", COMMANDS)


def harmless(sounds: Path | None) -> Iterator[Sound]:
    """
    Sounds that should not stop us.

    Args:
        sounds: A folder with recordings in subfolders named after their kind (``backchannel``, ``cough``,
            ``keyboard``); keyboards are cut to three seconds a trial.
    """
    yield from _spoken("spoken back-channel", BACK_CHANNELS)
    for seed in range(20):
        yield _on_a_line("made cough", str(seed), _cough(seed))
        yield _on_a_line("made typing", str(seed), _typing(seed))
    if sounds is None:
        return
    for folder in sorted(path for path in sounds.iterdir() if path.is_dir()):
        for path in sorted(folder.iterdir()):
            pcm = recording(path)
            step = 3 * LISTENING_RATE if folder.name == "keyboard" else len(pcm)
            for begin in range(0, min(len(pcm), 4 * step), step):
                yield _on_a_line(f"recorded {folder.name}", f"{path.stem}@{begin}", pcm[begin : begin + step])


def _on_a_line(kind: str, name: str, pcm: Pcm) -> Sound:
    """The sound at -20 dBFS of its loudest hundredth of a second, with faint room noise before and after."""
    levels = _levels(pcm, LISTENING_RATE)
    gain = 10 ** ((-20.0 - levels.max()) / 20)
    loud = np.clip(pcm * gain, -32768, 32767).astype(np.int16)
    before = round(LEAD_IN * LISTENING_RATE)
    padded = np.concatenate([silence(LEAD_IN), loud, silence(LEAD_OUT)])
    room = noise(len(padded) / LISTENING_RATE, level=-66.0)
    return Sound(kind, name, padded + room, before + onset(pcm, LISTENING_RATE))


def onset(pcm: Pcm, rate: int) -> int:
    """
    The sample at which an ear calls the beginning, by level alone.

    The first of three 10 ms frames in a row that are within 20 dB of the loud ones and 10 dB above the noise
    (breaths and clicks before the first word are longer ago, and are no onset of speech).
    """
    levels = _levels(pcm, rate)
    floor = max(np.percentile(levels, 95) - 20.0, np.percentile(levels, 5) + 10.0)
    loud = levels > min(floor, np.percentile(levels, 95) - 6.0)
    runs = loud[:-2] & loud[1:-1] & loud[2:]
    return int(np.argmax(runs)) * (rate // 100)


def _levels(pcm: Pcm, rate: int) -> np.ndarray:
    """dBFS of each 10 ms."""
    hop = rate // 100
    frames = pcm[: len(pcm) // hop * hop].reshape(-1, hop) / 32768.0
    levels: np.ndarray = 10 * np.log10(np.mean(frames**2, axis=1) + 1e-10)
    return levels


def _spoken(kind: str, texts: tuple[str, ...]) -> Iterator[Sound]:
    engine = CloneSynthesizer()
    for voice in engine.stock():
        for text in texts:
            blocks = [block.samples for block in engine.speak(SpeechRequest(text, voice.conditioning))]
            pcm = soxr.resample(np.concatenate(blocks), engine.info.rate, LISTENING_RATE)
            yield _on_a_line(kind, f"{voice.voice_id}: {text}", pcm)


def _cough(seed: int) -> Pcm:
    """One to three bursts of coloured noise with a hard onset: the shape of a cough, without its voice."""
    rng = np.random.default_rng(seed)
    bursts = []
    for _ in range(rng.integers(1, 4)):
        count = round(rng.uniform(0.2, 0.35) * LISTENING_RATE)
        envelope = np.exp(-np.arange(count) / LISTENING_RATE / 0.09)
        burst = rng.standard_normal(count) * envelope
        for formant in rng.uniform((400, 1200), (900, 2400)):
            radius, angle = 0.96, 2 * np.pi * formant / LISTENING_RATE
            burst = lfilter([1.0], [1, -2 * radius * np.cos(angle), radius**2], burst)
        bursts += [burst / np.abs(burst).max(), np.zeros(round(rng.uniform(0.1, 0.4) * LISTENING_RATE))]
    return (np.concatenate(bursts) * 20_000).astype(np.int16)


def _typing(seed: int) -> Pcm:
    """Three seconds of key clicks, 4 to 9 a second, each 15 ms of decaying noise."""
    rng = np.random.default_rng(1000 + seed)
    typing = np.zeros(3 * LISTENING_RATE)
    click = np.exp(-np.arange(240) / 60.0)
    at = 0.0
    while (at := at + rng.uniform(0.1, 0.3)) < 2.9:
        begin = round(at * LISTENING_RATE)
        typing[begin : begin + 240] += rng.standard_normal(240) * click * rng.uniform(0.3, 1.0)
    return (typing * 12_000).astype(np.int16)
