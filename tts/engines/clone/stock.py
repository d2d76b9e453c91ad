"""The voices that come with the engine: its base voices, and designs upon them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final, Literal

from tts.engine import Conditioning
from tts.engines.clone.design import VoiceDesign
from tts.voices.voice import StockVoice


@dataclass(frozen=True, slots=True)
class _Part:
    name: str
    gender: Literal["female", "male"]
    description: str
    design: VoiceDesign


_CAST: Final[tuple[_Part, ...]] = (
    _Part("Clara", "female", "clear and even; good for information", VoiceDesign(timbre="clear")),
    _Part("Ray", "male", "warm and unhurried", VoiceDesign(timbre="warm")),
    _Part("Angus", "male", "light, with a Scottish colour", VoiceDesign(timbre="bright")),
    _Part(
        "Mina",
        "female",
        "young and quick",
        VoiceDesign(
            timbre="clear", pitch_hz=215, tract_length=0.94, pace=1.08, liveliness=1.2, brightness=0.8
        ),
    ),
    _Part(
        "Ruth",
        "female",
        "low, calm and a little breathy",
        VoiceDesign(timbre="clear", pitch_hz=150, tract_length=1.05, breathiness=0.3, brightness=-0.8),
    ),
    _Part(
        "Otto",
        "male",
        "deep and even",
        VoiceDesign(timbre="warm", pitch_hz=80, tract_length=1.08, liveliness=0.9, brightness=-0.5),
    ),
    _Part(
        "Felix",
        "male",
        "bright and brisk",
        VoiceDesign(timbre="warm", pitch_hz=125, tract_length=0.93, pace=1.15, liveliness=1.3, brightness=1),
    ),
    _Part(
        "Ida",
        "female",
        "soft and close",
        VoiceDesign(timbre="bright", pitch_hz=190, tract_length=0.88, breathiness=0.35, brightness=-0.4),
    ),
)


def designed(design: VoiceDesign, *, voice_id: str, version: str) -> Conditioning:
    """The conditioning of a design: its own JSON."""
    data = design.to_json().encode()
    return Conditioning(voice_id, "clone", version, data, hashlib.sha256(data).hexdigest())


def stock_voices(version: str) -> tuple[StockVoice, ...]:
    """Every stock voice, in the order a person should hear them."""
    return tuple(
        StockVoice(
            voice_id=part.name.lower(),
            name=part.name,
            gender=part.gender,
            language="en-US",
            description=part.description,
            conditioning=designed(part.design, voice_id=part.name.lower(), version=version),
        )
        for part in _CAST
    )
