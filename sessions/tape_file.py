"""
A tape on disk: a stereo WAV that grows, and can be read to its last second after a crash.

The caller is on the left, the agent on the right, 16 bits at 16 kHz: what telephones and recognisers use.
Runs in a thread of its own; every method blocks.
"""

from __future__ import annotations

import fcntl
import io
import os
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from runtime.media.frame import Pcm
from runtime.media.g711 import decode_alaw, decode_mulaw
from runtime.media.opus import OPUS_RATE, OpusDecoder
from runtime.media.resample import StreamResampler
from sessions.tape import PACKET_HEADER_BYTES, Sound

RECORDING_RATE = 16_000
"""Hz."""

HEADER_BYTES = 44
FRAME_BYTES = 4
"""Of both sides' sample."""

LONGEST_WAV = 0xFFFF_FFFF - HEADER_BYTES
"""Bytes of sound that a RIFF header can tell: eighteen hours."""

_NOTHING = np.zeros(0, np.int16)


class Side:
    """One side's sound at the recording's rate, as one stream."""

    def __init__(self) -> None:
        self._resampler = StreamResampler(RECORDING_RATE, RECORDING_RATE)
        self._opus: OpusDecoder | None = None
        self._ready: list[Pcm] = []

    def push(self, sounds: Sequence[Sound]) -> None:
        for sound in sounds:
            if not sound.coded:
                silence = np.zeros(round(sound.seconds * self._resampler.rate_in), np.int16)
                self._ready.append(self._resampler.push(silence))
            elif sound.coding == "opus":
                self._take(self._unpacked(sound), OPUS_RATE)
            else:
                self._take(decoded(sound), sound.rate)

    def _take(self, pcm: Pcm, rate: int) -> None:
        if rate != self._resampler.rate_in:
            self._ready.append(self._resampler.flush())
            self._resampler = StreamResampler(rate, RECORDING_RATE, quality="MQ")
        self._ready.append(self._resampler.push(pcm))

    def _unpacked(self, sound: Sound) -> Pcm:
        """As many samples as it lasts, whatever its packets hold."""
        self._opus = self._opus or OpusDecoder()
        pieces, at = [], 0
        while at < len(sound.coded):
            begin = at + PACKET_HEADER_BYTES
            at = begin + int.from_bytes(sound.coded[at:begin])
            pieces.append(self._opus.decode(sound.coded[begin:at]))
        return filled(np.concatenate(pieces), round(sound.seconds * OPUS_RATE))

    def flush(self) -> None:
        self._ready.append(self._resampler.flush())

    @property
    def samples(self) -> int:
        """That wait to be written."""
        return sum(len(block) for block in self._ready)

    def pop(self, samples: int) -> Pcm:
        """The next ``samples``, filled up with silence."""
        whole = np.concatenate([*self._ready, np.zeros(max(0, samples - self.samples), np.int16)])
        self._ready = [whole[samples:]]
        return whole[:samples]


class TapeFile:
    """
    A recording that is being made. While it is open its file is locked, so that whoever looks for what a
    crash left behind can tell.

    Args:
        path: Made anew.

    Raises:
        OSError: It cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("xb", buffering=0)
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._file.write(wav_header(0))
        self._caller = Side()
        self._agent = Side()
        self._written = 0

    def write(self, caller: Sequence[Sound], agent: Sequence[Sound]) -> None:
        """Add what both sides said meanwhile."""
        self._caller.push(caller)
        self._agent.push(agent)
        self._interleave(min(self._caller.samples, self._agent.samples))

    def close(self, seconds: float) -> None:
        """
        The call is over, and was so long: fill up or cut both sides to it, and finish the header.

        The file stays locked until :meth:`release`.
        """
        self._caller.flush()
        self._agent.flush()
        self._interleave(round(seconds * RECORDING_RATE) - self._written)
        finish_header(self._file)

    def release(self) -> None:
        """Write no more and leave the file as it is to whoever wants it. Harmless twice."""
        self._file.close()

    def _interleave(self, samples: int) -> None:
        samples = min(samples, LONGEST_WAV // FRAME_BYTES - self._written)
        if samples <= 0:
            return
        both = np.stack([self._caller.pop(samples), self._agent.pop(samples)], axis=1)
        self._file.write(both.astype("<i2", copy=False).tobytes())
        self._written += samples


def recovered(path: Path) -> float | None:
    """
    Finish a file that a crash left behind; how many seconds it has, or None while somebody still writes it.

    Raises:
        OSError: It cannot be read or written.
    """
    with path.open("r+b", buffering=0) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        return finish_header(file)


def finish_header(file: io.FileIO) -> float:
    """Write the sizes that the file turned out to have; returns its seconds of sound."""
    whole = max(0, os.fstat(file.fileno()).st_size - HEADER_BYTES) // FRAME_BYTES * FRAME_BYTES
    file.truncate(HEADER_BYTES + whole)
    file.seek(0)
    file.write(wav_header(whole))
    return whole / FRAME_BYTES / RECORDING_RATE


def wav_header(sound_bytes: int) -> bytes:
    """RIFF/WAVE, PCM, two channels of 16 bits: Microsoft's Multimedia Programming Interface 1.0."""
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF",
        HEADER_BYTES - 8 + sound_bytes,
        b"WAVE",
        b"fmt ",
        16,
        1,
        2,
        RECORDING_RATE,
        RECORDING_RATE * FRAME_BYTES,
        FRAME_BYTES,
        16,
        b"data",
        sound_bytes,
    )


def decoded(sound: Sound) -> Pcm:
    """
    Its samples, shape ``(sound.samples,)``; silence where there are fewer bytes than that.

    Not of Opus, which needs the packets before: see :class:`Side`.
    """
    if sound.coding == "pcmu":
        pcm = decode_mulaw(sound.coded)
    elif sound.coding == "pcma":
        pcm = decode_alaw(sound.coded)
    else:
        pcm = np.frombuffer(sound.coded, "<i2").astype(np.int16, copy=False)
    return filled(pcm, sound.samples)


def filled(pcm: Pcm, samples: int) -> Pcm:
    """So many of them, with silence for those that are not there."""
    missing = samples - len(pcm)
    return np.concatenate([pcm, np.zeros(missing, np.int16)]) if missing > 0 else pcm[:samples]
