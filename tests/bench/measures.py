"""How alike, how clear and how bright: the measures of the voice benchmark."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy.signal import welch

Samples = NDArray[np.float32]

SENTENCES = (
    "Hello, thanks for calling. How can I help you today?",
    "Your appointment is on Thursday at three in the afternoon.",
    "The quick brown fox jumps over the lazy dog near the river bank.",
    "I am sorry, could you please repeat the last part of your question?",
    "She had your dark suit in greasy wash water all year.",
    "We can ship the package to your home address for free.",
    "The birch canoe slid on the smooth planks.",
    "Please hold the line while I look up your account.",
    "It is easy to tell the depth of a well.",
    "The total comes to forty two dollars, and it will arrive on Monday morning.",
)
"""Things an agent says, and classic test sentences; none of them is spoken in any clip."""


@lru_cache(maxsize=1)
def _encoder() -> Any:
    import torch  # type: ignore[import-not-found, unused-ignore]
    from resemblyzer import VoiceEncoder

    torch.set_num_threads(1)
    return VoiceEncoder("cpu", verbose=False)


def identity(samples: Samples, rate: int) -> NDArray[np.float32]:
    """Unit vector of the speaker by Resemblyzer (Wan et al., ICASSP 2018), unknown to the engine."""
    from resemblyzer import preprocess_wav

    vector: NDArray[np.float32] = _encoder().embed_utterance(preprocess_wav(samples, source_sr=rate))
    return vector


@lru_cache(maxsize=1)
def _recogniser() -> Any:
    from pocketsphinx import Decoder

    return Decoder(samprate=16_000, loglevel="FATAL")


def recognised(samples: Samples, rate: int) -> str:
    """What pocketsphinx hears, with its default search."""
    narrow = np.pad(soxr.resample(samples, rate, 16_000), 3_200)
    pcm = (narrow * (0.7 * 32767 / (np.abs(narrow).max() + 1e-9))).astype("<i2").tobytes()
    decoder = _recogniser()
    decoder.start_utt()
    decoder.process_raw(pcm, False, True)
    decoder.end_utt()
    heard = decoder.hyp()
    return str(heard.hypstr) if heard else ""


def word_errors(said: str, heard: str) -> tuple[int, int]:
    """Substitutions, insertions and deletions; and how many words were said."""
    expected, found = (re.sub(r"[^a-z' ]", " ", text.lower()).split() for text in (said, heard))
    row = list(range(len(found) + 1))
    for index, word in enumerate(expected, 1):
        previous, row[0] = row[0], index
        for column, other in enumerate(found, 1):
            cost = min(previous + (word != other), row[column] + 1, row[column - 1] + 1)
            previous, row[column] = row[column], cost
    return row[-1], len(expected)


def long_term_spectrum(samples: Samples, rate: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Hz and dB, of the frames within 40 dB of the loudest; bins of about 23 Hz, smoothed over 160 Hz."""
    step = rate // 50
    frames = samples[: len(samples) // step * step].reshape(-1, step)
    level = (frames.astype(np.float64) ** 2).mean(1)
    speech = frames[level > level.max() * 1e-4].reshape(-1)
    hz, power = welch(speech, rate, nperseg=1024)
    return hz, 10 * np.log10(np.convolve(power, np.ones(7) / 7, "same") + 1e-14)


def spectrum_error(one: Samples, other: Samples, rate: int, *, top_hz: float) -> float:
    """RMS difference of two long-term spectra in dB, 100 Hz to ``top_hz``, apart from their levels."""
    hz, first = long_term_spectrum(one, rate)
    _, second = long_term_spectrum(other, rate)
    band = (hz > 100) & (hz < top_hz)
    return float((first - second)[band].std())
