"""
Open an uploaded recording by what it contains, never by what it claims to be.

FFmpeg reads the bytes, held to a list of audio containers and codecs: playlists and other demuxers that open
further files are never consulted. Decoding stops at the first bound it meets, so that an upload costs what
its limits say and not what its author hoped.
"""

from __future__ import annotations

import hashlib
import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import av
import av.error
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from numpy.typing import NDArray

from runtime.errors import Undecodable, UploadTooLarge

Samples: TypeAlias = NDArray[np.float32]
"""Shape ``(n, channels)``, full scale ±1."""


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """What one upload may cost. The decoder stops at the first bound it meets, not after it."""

    max_bytes: int = 50 * 1024 * 1024
    """Size of the file as it arrived."""
    max_seconds: float = 300.0
    """Length of the decoded audio; a lossless file of silence unpacks a thousandfold."""
    max_channels: int = 8
    min_rate: int = 4_000
    """Hz."""
    max_rate: int = 192_000
    """Hz."""
    max_samples: int = 300 * 48_000 * 2
    """Samples of all channels together: the bound on memory, four bytes each."""


DEFAULT_LIMITS = DecodeLimits()


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """A decoded upload at its own sample rate, with all its channels. Never written to."""

    samples: Samples
    """Shape ``(n, channels)``, float32, peak at most 1."""
    rate: int
    """Hz, as recorded: nothing here resamples."""
    container: str
    """What the bytes are: ``wav``, ``mp3``, ``ogg``, ``flac``, ``mp4``, ``webm`` …"""
    codec: str
    """FFmpeg's name, such as ``pcm_s24le`` or ``opus``."""
    sha256: str
    """Of the uploaded bytes, hex."""
    declared_mime: str | None = None
    """What the sender said it was. Reported, never believed."""

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate

    @property
    def channels(self) -> int:
        return int(self.samples.shape[1])


def decode_upload(
    data: bytes, *, limits: DecodeLimits = DEFAULT_LIMITS, declared_mime: str | None = None
) -> Recording:
    """
    Decode a whole upload to float samples at its native rate.

    Args:
        data: The file as it arrived.
        limits: Bounds on what it may cost.
        declared_mime: Kept in the result for the report; it decides nothing.

    Raises:
        UploadTooLarge: More bytes than allowed.
        Undecodable: Empty, not audio, damaged, cut off, without channels, outside the bounds, or holding
            samples that are not numbers. ``code`` is ``clip_too_long`` when only its length is at fault.
    """
    if len(data) > limits.max_bytes:
        raise UploadTooLarge(
            f"the file has {len(data)} bytes, and at most {limits.max_bytes} are accepted",
            fix=f"upload less than {limits.max_bytes // 2**20} MiB: trim the recording, or save it as FLAC",
        )
    if not data:
        raise Undecodable(
            "cannot decode audio: the file is empty", fix="upload a recording, for example a WAV"
        )
    if data[:4] == b"RIFF":
        _check_riff(data)
    with _opened(data) as container:
        stream = container.streams.best("audio")
        if not isinstance(stream, AudioStream):
            raise Undecodable(
                "cannot decode audio: the file holds no sound", fix="upload a recording of a voice"
            )
        if stream.codec_context is None:  # the header names a coding that nobody knows
            raise Undecodable(
                "cannot decode audio: the file's coding is unknown",
                fix="save the recording as WAV and upload that",
            )
        rate, channels = stream.codec_context.sample_rate, stream.codec_context.channels
        _check_shape(rate, channels, limits)
        blocks = list(_blocks(container, stream, rate=rate, channels=channels, limits=limits))
        name = _CONTAINER_NAMES.get(container.format.name, container.format.name)
        codec = stream.codec_context.name
        promised = _promised_seconds(stream, name)
    if not blocks:
        raise Undecodable(
            "cannot decode audio: the file holds no samples", fix="record again and upload it whole"
        )
    samples = np.concatenate(blocks)
    if promised is not None and len(samples) / rate < promised - max(0.25, 0.02 * promised):
        raise _cut_off(promised, len(samples) / rate)
    return Recording(
        samples=_settled(samples),
        rate=rate,
        container=name,
        codec=codec,
        sha256=hashlib.sha256(data).hexdigest(),
        declared_mime=declared_mime,
    )


_CONTAINER_NAMES = {"mov,mp4,m4a,3gp,3g2,mj2": "mp4", "matroska,webm": "webm"}

_DEMUXERS = "wav,w64,aiff,au,caf,flac,ogg,mp3,aac,mov,mp4,matroska,webm,amr"
"""Containers of sound alone, or of sound and picture; none that names other files."""

_DECODERS = ",".join(
    (
        *(f"pcm_{kind}" for kind in ("u8", "s8", "alaw", "mulaw")),
        *(f"pcm_{kind}{end}" for kind in ("s16", "s24", "s32", "f32", "f64") for end in ("le", "be")),
        *(
            "mp3",
            "mp3float",
            "mp2",
            "mp2float",
            "aac",
            "aac_fixed",
            "flac",
            "alac",
            "opus",
            "libopus",
            "vorbis",
        ),
        *("adpcm_ms", "adpcm_ima_wav", "gsm_ms", "wavpack", "amrnb", "amrwb"),
    )
)

_UNKNOWN_SIZE = 0x7FFF_0000
"""A RIFF size from here on was written by a streaming encoder that could not know it (0xFFFFFFFF, 0x7FFFFFFF,
0x7FFFF000 and 0x80000000 are all seen)."""

_DAMAGE = 0.02
"""Share of packets that may fail: a stream cut out of a longer one loses its first frame or two."""


def _opened(data: bytes) -> InputContainer:
    restrictions = {"format_whitelist": _DEMUXERS, "codec_whitelist": _DECODERS, "protocol_whitelist": "none"}
    try:
        return av.open(io.BytesIO(data), mode="r", container_options=restrictions)
    except (av.error.FFmpegError, ValueError):
        pass
    if len(data) > 4 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0:
        # One or two bare MPEG frames are too few for the prober to be sure of.
        try:
            return av.open(io.BytesIO(data), mode="r", format="mp3", container_options=restrictions)
        except (av.error.FFmpegError, ValueError):
            pass
    raise Undecodable(
        "cannot decode audio: the bytes are no audio file we can read, or the file is damaged or cut off",
        fix="upload a whole WAV, FLAC, MP3, M4A, Ogg or WebM recording, as bytes and not as text",
    )


def _check_riff(data: bytes) -> None:
    """Say plainly what is wrong with a WAV that FFmpeg would refuse without a word, or take half of."""
    position, rate_bytes = 12, 0
    while position + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, position)
        position += 8
        if name == b"fmt " and size >= 16 and position + 16 <= len(data):
            _, channels, _, rate_bytes = struct.unpack_from("<HHII", data, position)
            if channels == 0:
                raise Undecodable(
                    "cannot decode audio: the WAV says it has 0 channels", fix="export it as mono"
                )
        if name == b"data":
            missing = size - (len(data) - position)
            if size < _UNKNOWN_SIZE and rate_bytes and missing > 0.25 * rate_bytes:
                raise _cut_off(size / rate_bytes, (len(data) - position) / rate_bytes)
            return
        position += size + size % 2


def _check_shape(rate: int, channels: int, limits: DecodeLimits) -> None:
    if not 1 <= channels <= limits.max_channels:
        raise Undecodable(
            f"cannot decode audio: {channels} channels, where 1 to {limits.max_channels} are accepted",
            fix="export the recording as mono",
        )
    if not limits.min_rate <= rate <= limits.max_rate:
        raise Undecodable(
            f"cannot decode audio: a sample rate of {rate} Hz, where {limits.min_rate} to {limits.max_rate} "
            "are accepted",
            fix="export the recording at 48 kHz",
        )


def _blocks(
    container: InputContainer, stream: AudioStream, *, rate: int, channels: int, limits: DecodeLimits
) -> Iterator[Samples]:
    """Decoded pieces, shape ``(n, channels)``, never more in all than the limits allow."""
    allowed = min(int(limits.max_seconds * rate), limits.max_samples // channels)
    decoded = packets = damaged = 0
    for packet in container.demux(stream):
        packets += 1
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            damaged += 1
            continue
        for frame in frames:
            if frame.sample_rate != rate or frame.layout.nb_channels != channels:
                raise Undecodable(
                    "cannot decode audio: the sample rate or the channels change within the file",
                    fix="export one recording as one file",
                )
            decoded += frame.samples
            if decoded > allowed:
                raise Undecodable(
                    f"clip too long: more than {allowed / rate:.0f} s of audio",
                    code="clip_too_long",
                    fix="trim to a continuous 6-15 s of speech",
                )
            yield _floats(frame)
    if damaged > max(2, _DAMAGE * packets):
        raise Undecodable(
            f"cannot decode audio: {damaged} of {packets} packets are damaged",
            fix="upload the original file again, whole",
        )


def _floats(frame: AudioFrame) -> Samples:
    """A decoded frame as ``(n, channels)`` with full scale ±1."""
    raw = frame.to_ndarray()
    block: NDArray[Any] = raw.T if frame.format.is_planar else raw.reshape(-1, frame.layout.nb_channels)
    if block.dtype == np.uint8:
        return np.asarray((block.astype(np.float32) - 128) / 128, np.float32)
    if np.issubdtype(block.dtype, np.integer):
        return np.asarray(block / float(2 ** (8 * block.dtype.itemsize - 1)), np.float32)
    with np.errstate(over="ignore"):
        return np.asarray(block, np.float32)


def _settled(samples: Samples) -> Samples:
    """Finite, within ±1, read-only. Float files may stand above full scale without being clipped."""
    peak = float(np.max(np.abs(samples)))
    if not np.isfinite(peak):
        raise Undecodable(
            "cannot decode audio: some samples are not numbers (NaN or infinite)",
            fix="export the recording as 16-bit or 24-bit PCM",
        )
    if peak > 1.0:
        samples = samples / np.float32(peak)
    samples.setflags(write=False)
    return samples


def _promised_seconds(stream: AudioStream, container: str) -> float | None:
    """What the header says the length is, where the format writes it down; others only estimate it."""
    if container not in {"flac", "mp4"} or stream.duration is None or stream.time_base is None:
        return None
    return float(stream.duration * stream.time_base)


def _cut_off(promised: float, present: float) -> Undecodable:
    return Undecodable(
        f"cannot decode audio: cut off after {present:.1f} s of the {promised:.1f} s its header promises",
        fix="upload the whole file again; stream it with unknown sizes if its length is not known",
    )
