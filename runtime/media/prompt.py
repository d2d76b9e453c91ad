"""
Speech made ready for a telephone: trimmed, band-limited, at the level of the network, in a PBX's file.

The level is -26 dBov of active speech (ITU-T P.56), at which networks and their tests are lined up: about
-20 dBm0, since a full-scale sine of mu-law is 3.17 dBm0 (G.711).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import av
import numpy as np
from av.audio.frame import AudioFrame
from scipy.signal import butter, sosfiltfilt

from runtime.errors import InvalidRequest
from runtime.media.active_level import active_level
from runtime.media.encode import encode, encode_pcm
from runtime.media.frame import Pcm
from runtime.media.g711 import encode_alaw, encode_mulaw
from runtime.media.level import FADE_SECONDS, FULL_SCALE, peak_dbfs
from runtime.media.resample import StreamResampler

LEVEL_DBOV = -26.0
"""ITU-T P.56; the nominal level of P.800 and G.191."""

LOUDEST_DBOV, QUIETEST_DBOV = -16.0, -36.0

PEAK_DBFS = -1.5
"""No sample is louder; a prompt that would be gets quieter as a whole. Mu-law and A-law end above it."""

BEFORE, AFTER = 0.10, 0.25
"""Seconds of silence around the speech, so that prompts played one after another have an even beat."""

LOW_HZ = 120.0
"""Nothing below: no telephone carries it, and hum would. At 300 Hz the filter takes 0.02 dB."""

_QUIET_DB = 35.0
"""By how much a sound at the edge is below the active level to be trimmed as silence."""

_WINDOW = 0.010


@dataclass(frozen=True, slots=True)
class PromptFormat:
    """One kind of file that a PBX or a carrier plays."""

    name: str
    extension: str
    content_type: str
    rate: int
    """Hz."""
    write: Callable[[Pcm], bytes]


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt that is ready."""

    data: bytes
    """The file."""
    seconds: float
    level_dbov: float
    """Active speech level, ITU-T P.56."""
    peak_dbfs: float


def prompt_format(name: str) -> PromptFormat:
    """
    Raises:
        InvalidRequest: No such format; the message lists those there are.
    """
    if name not in PROMPT_FORMATS:
        raise InvalidRequest(
            f"unknown prompt format {name[:40]!r}",
            code="unsupported_format",
            param="format",
            fix=f"use one of {', '.join(PROMPT_FORMATS)}",
        )
    return PROMPT_FORMATS[name]


def finish_prompt(speech: Pcm, rate: int, format: PromptFormat, *, level_dbov: float = LEVEL_DBOV) -> Prompt:
    """
    Make a file of a prompt's speech. The same speech makes the same bytes.

    Args:
        speech: Mono int16.
        rate: Hz of it.
        level_dbov: Active speech level of the file.

    Raises:
        InvalidRequest: There is no sound in it, or the level is out of range.
    """
    if not QUIETEST_DBOV <= level_dbov <= LOUDEST_DBOV:
        raise InvalidRequest(
            f"a level of {level_dbov:g} dBov is not between {QUIETEST_DBOV:g} and {LOUDEST_DBOV:g}",
            param="level_dbov",
        )
    resampler = StreamResampler(rate, format.rate)
    narrow = _without_hum(np.concatenate([resampler.push(speech), resampler.flush()]), format.rate)
    level = active_level(_rounded(narrow), format.rate)
    if level is None:
        raise _no_sound()
    padded = _padded(_trimmed(narrow, format.rate, floor_dbov=level - _QUIET_DB), format.rate)
    # Once more: what is trimmed and padded has other pauses.
    level = active_level(_rounded(padded), format.rate)
    if level is None:
        raise _no_sound()
    gain = 10.0 ** ((level_dbov - level) / 20.0)
    most = FULL_SCALE * 10.0 ** (PEAK_DBFS / 20.0) / float(np.max(np.abs(padded)))
    whole = _rounded(padded * min(gain, most))
    reached = active_level(whole, format.rate)
    if reached is None:
        raise _no_sound()
    return Prompt(
        format.write(whole), len(whole) / format.rate, round(reached, 2), round(peak_dbfs(whole), 2)
    )


def _no_sound() -> InvalidRequest:
    return InvalidRequest(
        "there is no sound in the prompt", code="nothing_to_speak", param="text", fix="write words"
    )


def _without_hum(samples: Pcm, rate: int) -> np.ndarray:
    """High-passed forwards and backwards, so that nothing is shifted."""
    sections = butter(4, LOW_HZ, "highpass", fs=rate, output="sos")
    wide = samples.astype(np.float64)
    if len(wide) < 2:
        return wide
    filtered: np.ndarray = sosfiltfilt(sections, wide, padlen=min(len(wide) - 1, rate // 10))
    return filtered


def _trimmed(samples: np.ndarray, rate: int, *, floor_dbov: float) -> np.ndarray:
    """From the first to the last moment that is louder than the floor, and a little around them."""
    size = round(_WINDOW * rate)
    windows = samples[: len(samples) // size * size].reshape(-1, size)
    power = np.mean(windows * windows, axis=1)
    (loud,) = np.nonzero(power > 10.0 ** (floor_dbov / 10.0) * FULL_SCALE**2)
    if not len(loud):
        return samples
    return samples[max(0, int(loud[0]) - 1) * size : (int(loud[-1]) + 2) * size]


def _padded(samples: np.ndarray, rate: int) -> np.ndarray:
    """Between two silences, without a click at either edge."""
    edge = min(len(samples), round(FADE_SECONDS * rate))
    ramp = 0.5 - 0.5 * np.cos(np.pi * (np.arange(edge) + 0.5) / max(1, edge))
    faded = samples.copy()
    faded[:edge] *= ramp
    faded[len(faded) - edge :] *= ramp[::-1]
    return np.concatenate([np.zeros(round(BEFORE * rate)), faded, np.zeros(round(AFTER * rate))])


def _rounded(samples: np.ndarray) -> Pcm:
    rounded: Pcm = np.clip(np.rint(samples), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
    return rounded


_WAVE_MULAW, _WAVE_ALAW = 7, 6
"""Format tags of RFC 2361."""


def _g711_wav(tag: int, code: Callable[[Pcm], bytes]) -> Callable[[Pcm], bytes]:
    def write(samples: Pcm) -> bytes:
        data = code(samples)
        form = struct.pack("<4sIHHIIHHH", b"fmt ", 18, tag, 1, 8_000, 8_000, 1, 8, 0)
        fact = struct.pack("<4sII", b"fact", 4, len(samples))
        padding = b"\0" * (len(data) % 2)
        body = b"WAVE" + form + fact + struct.pack("<4sI", b"data", len(data)) + data + padding
        return struct.pack("<4sI", b"RIFF", len(body)) + body

    return write


def _encoded(name: str, rate: int) -> Callable[[Pcm], bytes]:
    return lambda samples: encode(samples, name, rate)


def _g722(samples: Pcm) -> bytes:
    """ITU-T G.722 at 64 kbit/s, two samples a byte."""
    if len(samples) % 2:
        samples = np.append(samples, np.int16(0))
    file = io.BytesIO()
    with av.open(file, "w", format="g722") as container:
        stream = container.add_stream("g722", rate=16_000, layout="mono")
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples)[None], format="s16", layout="mono")
        frame.sample_rate = 16_000
        frame.pts = 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


PROMPT_FORMATS: Mapping[str, PromptFormat] = MappingProxyType(
    {
        format.name: format
        for format in (
            PromptFormat("ulaw8k", "ulaw", "audio/basic", 8_000, encode_mulaw),
            PromptFormat("alaw8k", "alaw", "audio/x-alaw-basic", 8_000, encode_alaw),
            PromptFormat("wav8k-ulaw", "wav", "audio/wav", 8_000, _g711_wav(_WAVE_MULAW, encode_mulaw)),
            PromptFormat("wav8k-alaw", "wav", "audio/wav", 8_000, _g711_wav(_WAVE_ALAW, encode_alaw)),
            PromptFormat("wav8k", "wav", "audio/wav", 8_000, _encoded("wav", 8_000)),
            PromptFormat("wav16k", "wav", "audio/wav", 16_000, _encoded("wav", 16_000)),
            PromptFormat("slin", "sln", "audio/l16;rate=8000", 8_000, encode_pcm),
            PromptFormat("slin16", "sln16", "audio/l16;rate=16000", 16_000, encode_pcm),
            PromptFormat("g722", "g722", "audio/G722", 16_000, _g722),
            PromptFormat("mp3", "mp3", "audio/mpeg", 24_000, _encoded("mp3", 24_000)),
        )
    }
)
"""By name. Asterisk plays .ulaw, .alaw, .sln, .sln16, .g722 and 16-bit WAV; Twilio's <Play> WAV and MP3."""
