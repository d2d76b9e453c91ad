"""
How speech leaves as a file: WAV, MP3, Opus, FLAC, AAC, bare PCM or G.711, streamed as it is made.

Opus, AAC and MP3 begin with some milliseconds of priming that are not in the PCM: positions in speech are
counted in PCM samples, before encoding.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer

from runtime.errors import InvalidRequest
from runtime.media.frame import Pcm
from runtime.media.g711 import encode_alaw, encode_mulaw
from runtime.media.resample import StreamResampler

Tags = Mapping[str, str]
"""``title``, ``artist``, ``comment``, ``copyright``, ``date``, ``encoded_by`` and free names."""


@dataclass(frozen=True, slots=True)
class SpeechFormat:
    """One way to write speech down."""

    name: str
    content_type: str
    extension: str
    rates: tuple[int, ...] = ()
    """Hz it can carry, ascending; empty means any."""

    def rate_for(self, rate: int) -> int:
        """``rate`` where the format carries it, else the next higher that it does, else its highest."""
        if not self.rates:
            return rate
        return next((carried for carried in self.rates if carried >= rate), self.rates[-1])


_MPEG_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)

SPEECH_FORMATS: Mapping[str, SpeechFormat] = MappingProxyType(
    {
        format.name: format
        for format in (
            SpeechFormat("wav", "audio/wav", "wav"),
            SpeechFormat("mp3", "audio/mpeg", "mp3", _MPEG_RATES),
            SpeechFormat("opus", "audio/ogg", "ogg", (8_000, 12_000, 16_000, 24_000, 48_000)),
            SpeechFormat("flac", "audio/flac", "flac"),
            SpeechFormat("aac", "audio/aac", "aac", _MPEG_RATES),
            SpeechFormat("pcm", "audio/pcm", "pcm"),
            SpeechFormat("g711_ulaw", "audio/basic", "ulaw", (8_000,)),
            SpeechFormat("g711_alaw", "audio/x-alaw-basic", "alaw", (8_000,)),
        )
    }
)
"""By the name clients ask for in ``response_format``."""


class StreamEncoder:
    """
    Mono PCM in, bytes of a playable file out, as soon as they exist.

    Args:
        format: A name in :data:`SPEECH_FORMATS`.
        rate: Hz of the PCM that will be pushed.
        output_rate: Hz of the file; None keeps ``rate`` where the format carries it, else takes the next it
            does.
        tags: Written where the format has a place for them: RIFF INFO, ID3v2, Vorbis comments. Bare PCM and
            G.711 have none.

    Raises:
        InvalidRequest: Unknown format, or an output rate it cannot carry.
    """

    def __init__(
        self, format: str, rate: int, *, output_rate: int | None = None, tags: Tags | None = None
    ) -> None:
        self.format = speech_format(format)
        self.output_rate = _settled_rate(self.format, rate, output_rate)
        self._resampler = StreamResampler(rate, self.output_rate)
        self._writer = _writer(self.format.name, self.output_rate, tags or {})

    @property
    def content_type(self) -> str:
        return self.format.content_type

    def push(self, pcm: Pcm) -> bytes:
        """Bytes that became final; often empty for the framed codecs."""
        return self._writer.write(self._resampler.push(pcm))

    def finish(self) -> bytes:
        """The rest of the file. Nothing may be pushed after it."""
        return self._writer.write(self._resampler.flush()) + self._writer.close()


def encode(
    pcm: Pcm, format: str, rate: int, *, output_rate: int | None = None, tags: Tags | None = None
) -> bytes:
    """
    The whole utterance as one file, with its true sizes in the header where the format has a place for them.

    Arguments and errors as for :class:`StreamEncoder`.
    """
    chosen = speech_format(format)
    out_rate = _settled_rate(chosen, rate, output_rate)
    resampler = StreamResampler(rate, out_rate)
    whole = np.concatenate([resampler.push(pcm), resampler.flush()])
    if chosen.name == "wav":
        return _riff_header(out_rate, tags or {}, data_bytes=2 * len(whole)) + whole.astype("<i2").tobytes()
    if chosen.name not in _MUXED:
        writer = _writer(chosen.name, out_rate, tags or {})
        return writer.write(whole) + writer.close()
    # A file that can be sought in gets its sizes, and players the gapless length, when the muxer closes it.
    file = io.BytesIO()
    muxed = _Muxed(chosen.name, out_rate, tags or {}, file)
    muxed.write(whole)
    muxed.close()
    return file.getvalue()


def speech_format(name: str) -> SpeechFormat:
    """
    Raises:
        InvalidRequest: No such format; the message lists those there are.
    """
    if name not in SPEECH_FORMATS:
        known = ", ".join(SPEECH_FORMATS)
        raise InvalidRequest(
            f"unknown audio format {name!r}",
            code="unsupported_format",
            param="response_format",
            fix=f"use one of {known}",
        )
    return SPEECH_FORMATS[name]


def _settled_rate(format: SpeechFormat, rate: int, output_rate: int | None) -> int:
    if output_rate is None:
        return format.rate_for(rate)
    if (format.rates and output_rate not in format.rates) or not 4_000 <= output_rate <= 192_000:
        carried = ", ".join(map(str, format.rates)) or "4000 to 192000"
        raise InvalidRequest(
            f"{format.name} cannot carry {output_rate} Hz", param="sample_rate", fix=f"use one of {carried}"
        )
    return output_rate


class _Writer(Protocol):
    def write(self, pcm: Pcm) -> bytes: ...

    def close(self) -> bytes: ...


def _writer(name: str, rate: int, tags: Tags) -> _Writer:
    match name:
        case "pcm":
            return _Bare(encode_pcm)
        case "g711_ulaw":
            return _Bare(encode_mulaw)
        case "g711_alaw":
            return _Bare(encode_alaw)
        case "wav":
            return _Bare(encode_pcm, header=_riff_header(rate, tags, data_bytes=None))
        case _:
            return _Muxed(name, rate, tags, _Outbox())


def encode_pcm(samples: Pcm) -> bytes:
    """Little-endian 16-bit, as ``pcm`` and WAV carry it."""
    return samples.astype("<i2").tobytes()


class _Bare:
    """Samples one after the other, perhaps with something before the first."""

    def __init__(self, code: Callable[[Pcm], bytes], *, header: bytes = b"") -> None:
        self._code = code
        self._header = header

    def write(self, pcm: Pcm) -> bytes:
        header, self._header = self._header, b""
        return header + self._code(pcm)

    def close(self) -> bytes:
        header, self._header = self._header, b""
        return header


_UNKNOWN_BYTES = 0xFFFF_FFFF
"""What a WAV says its size is while nobody knows it; players then read to the end."""

_INFO_CHUNKS = MappingProxyType(
    {"title": b"INAM", "artist": b"IART", "comment": b"ICMT", "copyright": b"ICOP", "date": b"ICRD"}
)
"""RIFF INFO, *Multimedia Programming Interface and Data Specifications 1.0*, 1991. It has no free names:
other tags go into the comment as ``name=value``."""


def _riff_header(rate: int, tags: Tags, *, data_bytes: int | None) -> bytes:
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)
    info = _info_list(tags)
    if data_bytes is None:
        riff_bytes = data_bytes = _UNKNOWN_BYTES
    else:
        riff_bytes = 4 + len(form) + len(info) + 8 + data_bytes
    return (
        struct.pack("<4sI4s", b"RIFF", riff_bytes, b"WAVE")
        + form
        + info
        + struct.pack("<4sI", b"data", data_bytes)
    )


def _info_list(tags: Tags) -> bytes:
    if not tags:
        return b""
    named = {key: value for key, value in tags.items() if key in _INFO_CHUNKS}
    free = [f"{key}={value}" for key, value in tags.items() if key not in _INFO_CHUNKS]
    if free:
        named["comment"] = "; ".join([*([named["comment"]] if "comment" in named else []), *free])
    body = b"INFO"
    for key, value in named.items():
        text = value.encode() + b"\0"
        body += struct.pack("<4sI", _INFO_CHUNKS[key], len(text)) + text + b"\0" * (len(text) % 2)
    return struct.pack("<4sI", b"LIST", len(body)) + body


@dataclass(frozen=True, slots=True)
class _Muxing:
    muxer: str
    codec: str
    bit_rate: int | None = None
    """Bits per second; None for lossless."""
    options: Mapping[str, str] = field(default_factory=dict)


_MUXED = MappingProxyType(
    {
        "mp3": _Muxing("mp3", "libmp3lame", 96_000),
        # Pages of a fifth of a second: the first sound of a stream waits for its page to fill.
        "opus": _Muxing("ogg", "libopus", 48_000, {"page_duration": "200000"}),
        "flac": _Muxing("flac", "flac"),
        "aac": _Muxing("adts", "aac", 96_000, {"write_id3v2": "1"}),
    }
)


class _Outbox:
    """A file that can only be written to, emptied as often as one likes."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def write(self, data: bytes) -> int:
        self._bytes += data
        return len(data)

    def take(self) -> bytes:
        taken = bytes(self._bytes)
        self._bytes.clear()
        return taken


class _Muxed:
    """FFmpeg's encoder and muxer, writing into ``file``."""

    def __init__(self, name: str, rate: int, tags: Tags, file: _Outbox | io.BytesIO) -> None:
        muxing = _MUXED[name]
        self._file = file
        self._rate = rate
        self._position = 0
        self._container: OutputContainer = av.open(
            file,
            "w",
            format=muxing.muxer,
            container_options={**muxing.options, "flush_packets": "1", "fflags": "+bitexact"},
        )
        self._container.metadata.update(tags)
        stream = self._container.add_stream(muxing.codec, rate=rate, layout="mono")
        assert isinstance(stream, AudioStream)
        self._stream = stream
        if muxing.bit_rate is not None:
            self._stream.bit_rate = muxing.bit_rate

    def write(self, pcm: Pcm) -> bytes:
        if len(pcm):
            frame = AudioFrame.from_ndarray(np.ascontiguousarray(pcm)[None], format="s16", layout="mono")
            frame.sample_rate = self._rate
            frame.pts = self._position
            self._position += len(pcm)
            self._container.mux(self._stream.encode(frame))
        return self._taken()

    def close(self) -> bytes:
        self._container.mux(self._stream.encode(None))
        self._container.close()
        return self._taken()

    def _taken(self) -> bytes:
        return self._file.take() if isinstance(self._file, _Outbox) else b""
