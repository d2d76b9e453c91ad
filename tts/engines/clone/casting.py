"""Which base voice speaks for whom, and whether there is one here at all."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, Literal, TypeAlias

from runtime.errors import EngineUnavailable
from tts.engines.clone import flite
from tts.engines.clone.design import Timbre
from tts.engines.clone.lengthened import Lengthened
from tts.engines.clone.score import BaseVoice

BaseFamily: TypeAlias = Literal["flite", "espeak"]

_TIMBRES: Final[dict[BaseFamily, dict[Timbre, str]]] = {
    "flite": {"clear": "slt", "warm": "rms", "bright": "awb"},
    "espeak": {"clear": "female", "warm": "male", "bright": "scot"},
}
_HIGH_VOICE_HZ = 155.0
"""Median pitch above which a clip is given a woman's base voice; men and women part near here."""
_SLT_TRACT = 1.12
"""Length of slt's vocal tract, against her own, in women's clones: docs/voice.md compares 1 to 1.18."""


def available() -> BaseFamily:
    """
    The best family of base voices that is installed.

    Raises:
        EngineUnavailable: None is.
    """
    if flite.installed():
        return "flite"
    from tts.engines.clone import espeak  # GPL: see its docstring

    if espeak.installed():
        return "espeak"
    raise EngineUnavailable(
        "no base voice is installed",
        fix="install flite (Debian and Ubuntu: apt-get install libflite1) or the extra vivavoce[espeak]",
    )


@lru_cache(maxsize=8)
def _voice(family: BaseFamily, name: str) -> BaseVoice:
    if family == "flite":
        return flite.FliteVoice(name)
    from tts.engines.clone.espeak import EspeakVoice

    return EspeakVoice(name)


def for_timbre(family: BaseFamily, timbre: Timbre) -> BaseVoice:
    """The base voice a design starts from."""
    return _voice(family, _TIMBRES[family][timbre])


@lru_cache(maxsize=8)
def for_clip(family: BaseFamily, timbre: Timbre) -> BaseVoice:
    """The base voice that a clone speaks through."""
    voice = for_timbre(family, timbre)
    if family == "flite" and timbre == "clear":
        return Lengthened(voice, _SLT_TRACT)
    return voice


def for_pitch(median_hz: float) -> Timbre:
    """The timbre nearest to a person whose median pitch this is."""
    return "clear" if median_hz > _HIGH_VOICE_HZ else "warm"
