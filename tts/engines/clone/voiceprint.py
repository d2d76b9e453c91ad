"""
What is kept of a person: how their voice sounds in every frame of the clip, and which sound it was making.

The print does not depend on a base voice; the conversion is worked out when the voice is loaded, so a stored
voice speaks through whichever base voice is installed, and better with every better conversion.

Stored as a compressed ``.npz`` (no pickles), format 1:

=========== ============ ===========================================================================
``format``  int          1
``kind``    str          ``voiceprint``
``features`` f16 (n, 44) spectral features of the frames (:mod:`~tts.engines.clone.spectrum`), natural
                         log amplitude, minus ``level``
``level``   f32          mean log amplitude of the speech at an RMS of :data:`LEVEL`
``f0``      f16 (n,)     Hz, 0 unvoiced
``breath``  u8 (n, 5)    aperiodicity times 255
``phone``   u8 (n,)      index into ``PHONES``
``state``   u8 (n,)      0, 1, 2: beginning, middle, end of the phone
``follows`` bool (n,)    whether the frame directly follows the one before it in the clip
``top_hz``  f32          highest frequency the clip carries
``pace``    f32 (2,)     seconds of speech and phones in it
=========== ============ ===========================================================================

Pauses are dropped, and at most :data:`MOST_SECONDS` of speech is kept.
"""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass
from zipfile import BadZipFile

import numpy as np
import soxr
from numpy.typing import NDArray

from runtime.errors import EnrolmentError, SynthesisFailed
from tts.engines.clone.align import align
from tts.engines.clone.breath import aperiodicity
from tts.engines.clone.envelope import envelope
from tts.engines.clone.phones import SILENCE
from tts.engines.clone.pitch import track
from tts.engines.clone.score import HOP, Floats, Labels
from tts.engines.clone.spectrum import CEPSTRA, FEATURES, FFT, RATE, encode

FORMAT = 1
LEVEL = 0.06
"""RMS of the speech before it is measured: -24 dBFS."""
MOST_SECONDS = 15.0
_LEAST_SECONDS = 1.0
_FAINTEST = 1e-4
"""Peak, -80 dBFS, under which there is nothing but the converter's own noise."""


@dataclass(frozen=True, slots=True)
class Voiceprint:
    """The speech frames of one clip. Rows are frames, 5 ms apart where ``follows`` is set."""

    features: Floats
    f0: Floats
    breath: Floats
    labels: Labels
    follows: NDArray[np.bool_]
    top_hz: float
    """Highest frequency the clip carries: half its genuine rate."""
    seconds: float
    """Of speech, without pauses."""
    phones: int
    """How many phones that speech held."""
    level: float
    """RMS of the speech as recorded, of full scale."""

    @classmethod
    def of(cls, samples: Floats, rate: int) -> Voiceprint:
        """
        Analyse a recording.

        Args:
            samples: Mono, ±1, at its genuine ``rate``, Hz.

        Raises:
            EnrolmentError: It holds too little speech to learn from.
        """
        if float(np.abs(samples).max(initial=0)) < _FAINTEST:
            raise EnrolmentError("the recording is silent", fix="check the microphone and record again")
        wide = soxr.resample(samples, rate, RATE, quality="VHQ") if rate != RATE else samples
        segments = align(wide, RATE)
        frames = int(len(wide) / RATE / HOP) + 1
        labels = Labels.of(segments, frames)
        speech = np.flatnonzero(labels.phone != SILENCE)[: int(MOST_SECONDS / HOP)]
        if len(speech) * HOP < _LEAST_SECONDS:
            raise EnrolmentError(
                f"only {len(speech) * HOP:.1f} s of speech could be followed",
                fix="record 6 to 15 s of speech",
            )
        level = _loudness(wide, speech)
        wide = (wide * (LEVEL / level)).astype(np.float32)
        f0 = track(wide, RATE)
        features = encode(envelope(wide, f0, RATE, FFT), RATE)
        breath = aperiodicity(wide, f0, RATE)
        spoken = [s for s in segments if s.phone != SILENCE and s.end <= (speech[-1] + 2) * HOP]
        return cls(
            features=features[speech],
            f0=f0[speech],
            breath=breath[speech],
            labels=Labels(labels.phone[speech], labels.state[speech]),
            follows=np.diff(speech, prepend=-2) == 1,
            top_hz=min(rate, RATE) / 2,
            seconds=sum(s.end - s.start for s in spoken),
            phones=len(spoken),
            level=level,
        )

    @property
    def median_hz(self) -> float:
        """Median F0 of the voiced frames; 0 where none is."""
        voiced = self.f0[self.f0 > 0]
        return float(np.median(voiced)) if len(voiced) else 0.0

    def to_bytes(self) -> bytes:
        """The stored form."""
        offset = np.float32(self.features[:, 0].mean())
        features = self.features.copy()
        features[:, 0] -= offset
        features[:, CEPSTRA:] -= offset
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            format=np.int16(FORMAT),
            kind=np.str_("voiceprint"),
            features=features.astype(np.float16),
            offset=offset,
            level=np.float32(self.level),
            f0=self.f0.astype(np.float16),
            breath=np.round(self.breath * 255).astype(np.uint8),
            phone=self.labels.phone,
            state=self.labels.state,
            follows=self.follows,
            top_hz=np.float32(self.top_hz),
            pace=np.array([self.seconds, self.phones], np.float32),
        )
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Voiceprint:
        """
        Read the stored form.

        Raises:
            SynthesisFailed: It is damaged, or of a newer format.
        """
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as stored:
                if int(stored["format"]) != FORMAT or str(stored["kind"]) != "voiceprint":
                    raise SynthesisFailed(
                        f"the voice is stored in format {stored['format']}; this engine reads {FORMAT}",
                        fix="clone the voice again from its recording",
                    )
                features = stored["features"].astype(np.float32)
                if features.ndim != 2 or features.shape[1] != FEATURES:
                    raise ValueError(f"features have shape {features.shape}")
                features[:, 0] += stored["offset"]
                features[:, CEPSTRA:] += stored["offset"]
                seconds, phones = stored["pace"].tolist()
                return cls(
                    features=features,
                    f0=stored["f0"].astype(np.float32),
                    breath=stored["breath"].astype(np.float32) / 255,
                    labels=Labels(stored["phone"], stored["state"]),
                    follows=stored["follows"],
                    top_hz=float(stored["top_hz"]),
                    seconds=seconds,
                    phones=int(phones),
                    level=float(stored["level"]),
                )
        except (OSError, KeyError, ValueError, EOFError, BadZipFile, zlib.error) as error:
            raise SynthesisFailed(
                f"the stored voice is damaged: {error}", fix="clone the voice again from its recording"
            ) from error


def _loudness(samples: Floats, speech: NDArray[np.intp]) -> float:
    """RMS over the speech frames."""
    step = int(HOP * RATE)
    whole = np.pad(samples, (0, step))[: (len(samples) // step + 1) * step].reshape(-1, step)
    rows = speech[speech < len(whole)]
    return float(np.sqrt((whole[rows].astype(np.float64) ** 2).mean())) + 1e-9
