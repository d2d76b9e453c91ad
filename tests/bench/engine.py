"""Cost of the embedded engine: real-time factor, first audio, size of a voice. One process, one core."""

from __future__ import annotations

import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from runtime.cli.reference import synthesise_reference
from tests.bench.machine import percentile
from tts.engine import Conditioning, SpeechRequest
from tts.engines.clone import CloneSynthesizer

SENTENCE = "The train to the coast leaves at nine from platform seven."
TEXTS = (
    SENTENCE,
    "Thank you for calling; I have found your booking, and I will read it back to you now.",
    "Every morning the baker opens the door, sweeps the step, and greets the first people in the street.",
    "If you would like to change the date, please tell me which day suits you better.",
)
ROUNDS = 15


def main() -> None:
    """Print the table."""
    synthesizer = CloneSynthesizer()
    samples, rate = synthesise_reference()
    voice = synthesizer.clone(samples, rate, voice_id="voice_bench")
    synthesizer.load(voice)
    busy, audio = _speak_all(synthesizer, voice)
    first = [_first_audio(synthesizer, voice) for _ in range(ROUNDS)]
    print("| figure | value |\n|---|---|")
    print(f"| real-time factor, {len(TEXTS) * 3} utterances, {audio:.0f} s of audio | {busy / audio:.4f} |")
    print(f"| first audio of {len(SENTENCE)} characters, p50 | {percentile(first, 50) * 1e3:.1f} ms |")
    print(f"| the same, p95 | {percentile(first, 95) * 1e3:.1f} ms |")
    print(f"| stored size of a voice | {len(voice.data) / 1024:.0f} KiB |")


def _speak_all(synthesizer: CloneSynthesizer, voice: Conditioning) -> tuple[float, float]:
    busy = audio = 0.0
    for seed in range(3):
        for text in TEXTS:
            started = time.perf_counter()
            blocks = list(synthesizer.speak(SpeechRequest(text, voice, seed=seed)))
            busy += time.perf_counter() - started
            audio += sum(len(block.samples) / block.rate for block in blocks)
    return busy, audio


def _first_audio(synthesizer: CloneSynthesizer, voice: Conditioning) -> float:
    started = time.perf_counter()
    next(iter(synthesizer.speak(SpeechRequest(SENTENCE, voice))))
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
