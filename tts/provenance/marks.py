"""Say of a recording, in words that machines read, that it is synthetic and which voice made it."""

from __future__ import annotations

from dataclasses import dataclass

from tts.engine import Conditioning, EngineInfo

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""Media made by a model that was derived from sampled content. Source: IPTC Digital Source Type NewsCodes."""


@dataclass(frozen=True, slots=True)
class Marks:
    """What every output carries beside its watermark."""

    voice_id: str
    engine: str
    engine_version: str

    @classmethod
    def of(cls, conditioning: Conditioning, info: EngineInfo) -> Marks:
        """The marks of what ``info``'s engine says in this voice."""
        return cls(conditioning.voice_id, info.name, info.version)

    def headers(self) -> dict[str, str]:
        """For an HTTP response."""
        return {
            "x-ai-generated": "true",
            "x-voice-id": self.voice_id,
            "x-engine": f"{self.engine}/{self.engine_version}",
        }

    def tags(self) -> dict[str, str]:
        """For an audio file: RIFF INFO, ID3v2, Vorbis comments."""
        return {
            "comment": "Synthetic speech, made by vivavoce",
            "digitalSourceType": SOURCE_TYPE,
            "voice_id": self.voice_id,
            "engine": f"{self.engine}/{self.engine_version}",
        }
