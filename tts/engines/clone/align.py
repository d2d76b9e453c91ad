"""
Which sound is where in a recording that nobody transcribed.

A recogniser writes down what it hears, and the same acoustic model then lays those words along the recording
phone by phone. Wrong words do little harm: what is misheard is misheard as something that sounds alike.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import soxr

from runtime.errors import EnrolmentError
from tts.engines.clone.phones import from_cmu
from tts.engines.clone.score import Floats, Segment

_RATE = 16_000
_FRAME = 0.010
_WIDEST_SEARCH = 1_000
"""HMMs alive per frame: a third of the default, at twice the speed and the same phones in our clips."""


@lru_cache(maxsize=1)
def _recogniser() -> Any:
    from pocketsphinx import Decoder  # loads a shared library: only where clips are enrolled

    return Decoder(samprate=_RATE, loglevel="FATAL", fwdflat=False, bestpath=False, maxhmmpf=_WIDEST_SEARCH)


@lru_cache(maxsize=1)
def _aligner() -> Any:
    from pocketsphinx import Decoder

    # Without these two the second alignment pass fails on a quarter of real clips.
    return Decoder(samprate=_RATE, loglevel="FATAL", lm=None, bestpath=False)


def transcribe(samples: Floats, rate: int) -> str:
    """What the recogniser hears, in lower case; empty where it hears no words."""
    decoder = _recogniser()
    _decode(decoder, _pcm(samples, rate))
    heard = decoder.hyp()
    return str(heard.hypstr) if heard else ""


def align(samples: Floats, rate: int) -> tuple[Segment, ...]:
    """
    The phones of a recording, in order.

    Raises:
        EnrolmentError: No words could be made out, so there is nothing to learn the sounds from.
    """
    text = transcribe(samples, rate)
    if not text.strip():
        raise EnrolmentError(
            "no words could be made out in the recording",
            fix="speak a few whole sentences, close to the microphone",
        )
    pcm = _pcm(samples, rate)
    decoder = _aligner()
    decoder.set_align_text(text)
    _decode(decoder, pcm)
    if decoder.hyp() is None:
        raise EnrolmentError(
            "the recording could not be followed word by word",
            fix="speak clearly and without music behind you",
        )
    decoder.set_alignment()
    _decode(decoder, pcm)
    return tuple(
        Segment(from_cmu(phone.name), phone.start * _FRAME, (phone.start + phone.duration) * _FRAME)
        for word in decoder.get_alignment()
        for phone in word
    )


def _decode(decoder: Any, pcm: bytes) -> None:
    decoder.start_utt()
    decoder.process_raw(pcm, False, True)
    decoder.end_utt()


def _pcm(samples: Floats, rate: int) -> bytes:
    narrow = soxr.resample(samples, rate, _RATE) if rate != _RATE else samples
    loudest = float(np.abs(narrow).max(initial=1e-6))
    return bytes((narrow * (0.7 * 32767 / loudest)).astype("<i2").tobytes())
