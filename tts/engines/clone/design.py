"""The parameters of a voice that nobody recorded."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Literal, TypeAlias

from runtime.errors import InvalidRequest

Timbre: TypeAlias = Literal["clear", "warm", "bright"]
"""Which base voice the design starts from: a woman, a man, and a Scot with a lighter voice."""

BOUNDS: dict[str, tuple[float, float]] = {
    "pitch_hz": (60.0, 350.0),
    "tract_length": (0.80, 1.25),
    "pace": (0.5, 2.0),
    "liveliness": (0.0, 2.0),
    "breathiness": (0.0, 1.0),
    "brightness": (-6.0, 6.0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceDesign:
    """
    A voice by its dimensions; every one is heard on its own.

    Raises:
        InvalidRequest: A parameter is outside its range, or the timbre is unknown.
    """

    timbre: Timbre = "clear"
    pitch_hz: float | None = None
    """Median speaking pitch, 60 to 350; None keeps the timbre's own."""
    tract_length: float = 1.0
    """Length of the vocal tract relative to the timbre's, 0.80 to 1.25: longer is a larger person."""
    pace: float = 1.0
    """Speaking rate relative to the timbre's, 0.5 to 2."""
    liveliness: float = 1.0
    """Pitch range relative to the timbre's, 0 (monotone) to 2."""
    breathiness: float = 0.0
    """Share of breath in the voiced sounds above the timbre's own, 0 to 1."""
    brightness: float = 0.0
    """Spectral tilt in dB per octave around 1 kHz, -6 to 6."""

    def __post_init__(self) -> None:
        if self.timbre not in ("clear", "warm", "bright"):
            raise InvalidRequest(
                f"timbre is {self.timbre!r}", param="timbre", fix="use one of: clear, warm, bright"
            )
        for name, (low, high) in BOUNDS.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise InvalidRequest(
                    f"{name} is {value}", param=name, fix=f"use a number from {low:g} to {high:g}"
                )

    def to_json(self) -> str:
        """Sorted JSON, so that equal designs have equal bytes."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> VoiceDesign:
        """Read what :meth:`to_json` wrote; unknown names are refused by the constructor."""
        known = {field.name for field in fields(cls)}
        try:
            loaded = json.loads(text)
        except ValueError as error:
            raise InvalidRequest(f"the design is not JSON: {error}", fix="send a JSON object") from error
        unknown = set(loaded) - known
        if unknown:
            raise InvalidRequest(f"unknown design parameter {min(unknown)!r}", fix=f"use: {sorted(known)}")
        return cls(**loaded)
