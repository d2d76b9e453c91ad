"""
Opus for WebRTC: our voice as mono packets of 20 ms, and a caller's packets as PCM.

The inband error correction (RFC 6716 §2.1.7) is on, so that a receiver can make up a lost packet from the
next. libopus runs in this process, on small pieces, and nearly all of what a packet costs is libopus.
"""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np

from runtime.media.frame import PTIME, Pcm

OPUS_RATE = 48_000
"""Hz of RTP timestamps (RFC 7587 §4.1) and of what the decoder makes."""

BIT_RATE = 24_000
"""Bits per second: between what RFC 7587 §3.1.1 gives speech of 8 kHz (16 to 20 kb/s) and of 20 (from 28)."""

EXPECTED_LOSS = 10
"""Per cent, by which libopus weighs error correction against quality."""

COMPLEXITY = 0
"""0 to 10. On our own speech at this bit rate 5 costs 2.7 times as much, and its spectrum is no nearer to the
original's (4.9 to 5.4 dB for all settings); 0 costs less than a third of aiortc's stereo at 96 kb/s."""


class OpusEncoder:
    """
    One utterance, from PCM of any block length to packets of 20 ms.

    Args:
        rate: Hz of the PCM: 8, 12, 16, 24 or 48 kHz.
    """

    def __init__(self, rate: int) -> None:
        self.frame_samples = round(PTIME * rate)
        self._rate = rate
        self._rest: Pcm = np.zeros(0, np.int16)
        self._codec = av.CodecContext.create("libopus", "w")
        self._codec.bit_rate = BIT_RATE
        self._codec.format = "s16"
        self._codec.layout = "mono"
        self._codec.sample_rate = rate
        self._codec.time_base = Fraction(1, rate)
        self._codec.options = {
            "application": "voip",
            "frame_duration": "20",
            "fec": "1",
            "packet_loss": str(EXPECTED_LOSS),
            "compression_level": str(COMPLEXITY),
        }

    def push(self, samples: Pcm) -> list[bytes]:
        """Take PCM of any length, and return the packets it completes."""
        waiting = np.concatenate((self._rest, samples)) if len(self._rest) else samples
        whole = len(waiting) // self.frame_samples * self.frame_samples
        self._rest = waiting[whole:]
        return self._encode(waiting[:whole]) if whole else []

    def flush(self) -> list[bytes]:
        """The last packet, filled up with silence; empty where nothing is left."""
        if not len(self._rest):
            return []
        last = np.zeros(self.frame_samples, np.int16)
        last[: len(self._rest)] = self._rest
        self._rest = self._rest[:0]
        return self._encode(last)

    def _encode(self, samples: Pcm) -> list[bytes]:
        """Whole packets, any number: one crossing to libopus for all of them."""
        frame = av.AudioFrame.from_ndarray(samples[None, :], format="s16", layout="mono")
        frame.sample_rate = self._rate
        return [bytes(packet) for packet in self._codec.encode(frame)]


class OpusDecoder:
    """Packets of one stream, mono or stereo, to mono PCM at 48 kHz."""

    def __init__(self) -> None:
        self._codec = av.CodecContext.create("libopus", "r")
        self._codec.format = "s16"
        self._codec.layout = "mono"
        self._codec.sample_rate = OPUS_RATE

    def decode(self, packet: bytes) -> Pcm:
        """
        Raises:
            ValueError: It is no Opus packet.
        """
        if not packet:
            return np.zeros(0, np.int16)
        try:
            frames = self._codec.decode(av.Packet(packet))
        except av.FFmpegError as error:
            raise ValueError(f"not an Opus packet: {error}") from error
        # The plane may be padded; a frame's own to_ndarray costs a tenth of the decoding.
        parts = [np.frombuffer(bytes(frame.planes[0]), np.int16, frame.samples) for frame in frames]
        return parts[0] if len(parts) == 1 else np.concatenate([np.zeros(0, np.int16), *parts])
