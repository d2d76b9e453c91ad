"""How speech leaves as a file: WAV, MP3, Opus, FLAC, AAC, bare PCM or G.711, streamed as it is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from runtime.media.frame import Pcm


@dataclass(frozen=True, slots=True)
class SpeechFormat:
    """One way to write speech down."""

    name: str
    content_type: str
    extension: str
    rates: tuple[int, ...] = ()
    """Hz it can carry; empty means any."""


SPEECH_FORMATS: Mapping[str, SpeechFormat] = MappingProxyType(
    {
        format.name: format
        for format in (
            SpeechFormat("wav", "audio/wav", "wav"),
            SpeechFormat(
                "mp3", "audio/mpeg", "mp3", (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
            ),
            SpeechFormat("opus", "audio/ogg", "ogg", (8_000, 12_000, 16_000, 24_000, 48_000)),
            SpeechFormat("flac", "audio/flac", "flac"),
            SpeechFormat(
                "aac", "audio/aac", "aac", (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
            ),
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
        output_rate: Hz of the file; None keeps ``rate`` where the format can carry it, else takes the
            nearest rate it can.
        tags: ``title``, ``artist``, ``comment`` and free names, written where the format has a place for
            them: RIFF INFO, ID3v2, Vorbis comments. Bare PCM, G.711 and ADTS have none.

    Raises:
        UnsupportedFormat: Unknown format, or a rate it cannot carry.
    """

    def __init__(
        self, format: str, rate: int, *, output_rate: int | None = None, tags: Mapping[str, str] | None = None
    ) -> None:
        raise NotImplementedError

    def push(self, pcm: Pcm) -> bytes:
        """Bytes that became final; often empty for the framed codecs."""
        raise NotImplementedError

    def finish(self) -> bytes:
        """The rest of the file. Nothing may be pushed after it."""
        raise NotImplementedError


def encode(
    pcm: Pcm, format: str, rate: int, *, output_rate: int | None = None, tags: Mapping[str, str] | None = None
) -> bytes:
    """The whole utterance as one file; unlike the stream, a WAV carries its true sizes."""
    raise NotImplementedError
