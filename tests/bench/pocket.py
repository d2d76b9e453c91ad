"""
What pocket-tts costs here at full size, with RANDOM weights: time and memory are true, the sound is noise.

    pip install 'vivavoce[pocket]' && python -m tests.bench.pocket [model …]
"""

from __future__ import annotations

import itertools
import logging
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from tests.tts.engines.tiny_pocket import write_model
from tts.engine import SpeechRequest
from tts.engines.pocket import PocketSynthesizer

MODELS = ("english", "english_18m_2026-10", "english_7m_2026-10", "english_2m_2026-10")
LINE = "Thank you for calling, how may I help you on this fine day?"
RUNS = 7


def measure(model: str, *, int8: bool) -> None:
    """One row of the table, measured in a process of its own."""
    with TemporaryDirectory() as folder:
        file = write_model(Path(folder), of=model, tiny=False)
        begun = time.perf_counter()
        engine = PocketSynthesizer(model=str(file), int8=int8)
        load = time.perf_counter() - begun
    clip = np.random.default_rng(0).normal(0, 3000, 24_000 * 10).astype(np.int16)
    begun = time.perf_counter()
    voice = engine.clone(clip, 24_000, voice_id="bench")
    clone = time.perf_counter() - begun
    first, factor = [], []
    for seed in range(RUNS):
        begun = time.perf_counter()
        blocks = engine.speak(SpeechRequest(LINE, voice, seed=seed))
        samples = len(next(blocks).samples)
        first.append(time.perf_counter() - begun)
        samples += sum(len(block.samples) for block in blocks)
        factor.append((time.perf_counter() - begun) * engine.info.rate / samples)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    name = f"{model} int8" if int8 else model
    cost = f"{load:6.2f} {clone:7.2f} {1000 * statistics.median(first):8.0f} {statistics.median(factor):6.3f}"
    print(f"{name:26} {cost} {len(voice.data) / 2**20:8.2f} {memory:7.0f}", flush=True)


def main() -> None:
    match sys.argv[1:]:
        case ["--one", model, *int8]:
            logging.disable(logging.WARNING)
            measure(model, int8=bool(int8))
        case models:
            print("pocket-tts at full size with RANDOM weights: cost only, nothing about sound")
            print(f"{'model':26} load s clone s first ms    RTF voice MB peak MB", flush=True)
            for model, *int8 in itertools.product(models or MODELS, ("", "int8")):
                command = [sys.executable, "-W", "ignore", "-m", "tests.bench.pocket", "--one", model]
                subprocess.run([*command, *filter(None, int8)], check=True)


if __name__ == "__main__":
    main()
