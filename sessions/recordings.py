"""Cut a recording into utterances: the same turn taking as in a call, but with all of the audio at hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray

from runtime.media.container import DecodeLimits, Recording, decode_upload
from runtime.media.frame import LISTENING_RATE, Pcm
from runtime.turn.endpointing import Endpointer, ServerVad
from runtime.turn.events import TurnEnded
from runtime.turn.vad import SileroVad, VadBatch

POLICY = ServerVad(threshold=0.35, prefix_padding=0.3, silence_duration=0.6, max_turn=20.0)
"""A low threshold, as a missed word is worse here than a recognised cough; pieces short enough to stream."""


@dataclass(frozen=True, slots=True)
class Passage:
    """One utterance of a recording."""

    start: float
    """Seconds from the recording's beginning."""
    pcm: Pcm
    """Mono int16 at 16 kHz."""


@dataclass(frozen=True, slots=True)
class Passages:
    """A recording, cut. What lies between its passages is silence, or sound that is no speech."""

    seconds: float
    passages: tuple[Passage, ...]


class RecordingCutter:
    """
    Decodes and cuts; lives in a worker process, as a long recording takes seconds.

    Args:
        limits: What an upload may cost.
    """

    def __init__(self, limits: DecodeLimits) -> None:
        self._limits = limits
        self._model = SileroVad()

    def cut(self, data: bytes) -> Passages:
        """
        All channels, mixed.

        Args:
            data: A file of any container and codec that is read.

        Raises:
            UploadTooLarge: More bytes than allowed.
            Undecodable: Not audio, or longer than allowed.
        """
        recording = decode_upload(data, limits=self._limits)
        return self._cut(recording.samples.mean(axis=1, dtype=np.float32), recording)

    def cut_channels(self, data: bytes) -> tuple[Passages, ...]:
        """As :meth:`cut`, each channel by itself."""
        recording = decode_upload(data, limits=self._limits)
        return tuple(self._cut(channel, recording) for channel in recording.samples.T)

    def _cut(self, mono: NDArray[np.float32], recording: Recording) -> Passages:
        pcm = _listening_pcm(mono, recording.rate)
        return Passages(recording.seconds, tuple(self._passages(pcm)))

    def _passages(self, pcm: Pcm) -> list[Passage]:
        batch = VadBatch(self._model)
        endpointer = Endpointer(POLICY)
        stream = batch.open()
        # The last words may stand at the very end; silence brings their turn to its end, too.
        hangover = np.zeros(round((POLICY.silence_duration + 0.1) * LISTENING_RATE), np.int16)
        stream.push(np.concatenate([pcm, hangover]))
        turns = [
            event
            for _, window in batch.step()
            for event in endpointer.push(window.probability)
            if isinstance(event, TurnEnded)
        ]
        stream.close()
        pieces = [(turn.start, min(turn.speech_end + LISTENING_RATE // 4, turn.end)) for turn in turns]
        return [Passage(start / LISTENING_RATE, pcm[start:end]) for start, end in pieces]


def _listening_pcm(mono: NDArray[np.float32], rate: int) -> Pcm:
    if rate != LISTENING_RATE:
        mono = soxr.resample(mono, rate, LISTENING_RATE)
    pcm: Pcm = np.round(np.clip(mono, -1.0, 1.0) * 32767.0).astype(np.int16)
    return pcm
