"""
From words about a voice to the parameters of one: pitch, size, pace, liveliness, breath, brightness.

A small vocabulary, read word by word. What it does not know it leaves alone, so any description gives a
voice; :func:`describe` tells in words what a set of parameters sounds like. Medians of speaking pitch are
those of adults reading aloud, about 120 Hz for men and 210 Hz for women (Baken and Orlikoff, *Clinical
Measurement of Speech and Voice*, 2nd ed., ch. 6).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

Recipe: TypeAlias = dict[str, Any]
"""Parameters of :class:`tts.engines.clone.design.VoiceDesign`, by name; plain JSON values."""

BOUNDS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "pitch_hz": (70.0, 330.0),
        "tract_length": (0.82, 1.22),
        "pace": (0.6, 1.6),
        "liveliness": (0.2, 1.9),
        "breathiness": (0.0, 0.8),
        "brightness": (-5.0, 5.0),
    }
)
"""Inside what the engine takes, with room to stay natural."""

_BASES: Mapping[str, Recipe] = MappingProxyType(
    {
        "female": {"timbre": "clear", "pitch_hz": 205.0, "tract_length": 1.0},
        "male": {"timbre": "warm", "pitch_hz": 118.0, "tract_length": 1.0},
        "neutral": {"timbre": "bright", "pitch_hz": 160.0, "tract_length": 1.0},
    }
)

_GENDER_WORDS: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(
        ("female", "woman", "girl", "lady", "feminine", "she", "her", "mother", "grandmother"), "female"
    )
    | dict.fromkeys(("male", "man", "boy", "guy", "masculine", "he", "his", "father", "grandfather"), "male")
    | dict.fromkeys(("neutral", "androgynous", "nonbinary"), "neutral")
)

# Factors on pitch, tract length, pace and liveliness; differences on breath and brightness.
_WORDS: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "deep": {"pitch_hz": 0.80, "tract_length": 1.08},
        "low": {"pitch_hz": 0.86, "tract_length": 1.03},
        "baritone": {"pitch_hz": 0.85, "tract_length": 1.05},
        "high": {"pitch_hz": 1.18, "tract_length": 0.96},
        "young": {"pitch_hz": 1.08, "tract_length": 0.95, "liveliness": 1.1},
        "youthful": {"pitch_hz": 1.08, "tract_length": 0.95, "liveliness": 1.1},
        "teenage": {"pitch_hz": 1.15, "tract_length": 0.93, "liveliness": 1.15},
        "child": {"pitch_hz": 1.40, "tract_length": 0.84, "liveliness": 1.2},
        "boy": {"pitch_hz": 1.60, "tract_length": 0.86},
        "girl": {"pitch_hz": 1.25, "tract_length": 0.87},
        "old": {"pitch_hz": 0.95, "pace": 0.88, "breathiness": 0.2, "liveliness": 0.9},
        "elderly": {"pitch_hz": 0.95, "pace": 0.85, "breathiness": 0.25, "liveliness": 0.9},
        "mature": {"pitch_hz": 0.94, "tract_length": 1.02, "pace": 0.95},
        "slow": {"pace": 0.82},
        "measured": {"pace": 0.88},
        "fast": {"pace": 1.22},
        "quick": {"pace": 1.18},
        "calm": {"pace": 0.92, "liveliness": 0.75},
        "soothing": {"pace": 0.9, "liveliness": 0.75, "breathiness": 0.15, "brightness": -1.0},
        "monotone": {"liveliness": 0.35},
        "serious": {"liveliness": 0.8, "pace": 0.96},
        "authoritative": {"pitch_hz": 0.93, "liveliness": 0.85, "tract_length": 1.03},
        "energetic": {"pace": 1.12, "liveliness": 1.4, "brightness": 0.8},
        "cheerful": {"pitch_hz": 1.06, "liveliness": 1.4, "brightness": 0.8},
        "lively": {"liveliness": 1.4},
        "expressive": {"liveliness": 1.35},
        "warm": {"brightness": -1.5, "liveliness": 1.05},
        "soft": {"brightness": -1.5, "breathiness": 0.2},
        "gentle": {"brightness": -1.0, "breathiness": 0.15, "pace": 0.95},
        "mellow": {"brightness": -2.0},
        "dark": {"brightness": -2.5},
        "bright": {"brightness": 2.0},
        "crisp": {"brightness": 1.8},
        "clear": {"brightness": 1.0},
        "breathy": {"breathiness": 0.4},
        "husky": {"breathiness": 0.35, "pitch_hz": 0.93},
        "whispery": {"breathiness": 0.55},
        "large": {"tract_length": 1.08},
        "big": {"tract_length": 1.07},
        "small": {"tract_length": 0.93},
    }
)

_FACTORS = frozenset({"pitch_hz", "tract_length", "pace", "liveliness"})

# The candidates: as described; a slighter and livelier person; a larger and calmer one; a softer, slower one.
_VARIATIONS: tuple[Mapping[str, float], ...] = (
    {},
    {"pitch_hz": 1.10, "tract_length": 0.94, "pace": 1.05, "liveliness": 1.12, "brightness": 0.8},
    {"pitch_hz": 0.90, "tract_length": 1.06, "pace": 0.95, "liveliness": 0.9, "brightness": -0.8},
    {"pitch_hz": 1.04, "tract_length": 1.02, "pace": 0.90, "breathiness": 0.15, "brightness": -1.5},
)

MOST_CANDIDATES = len(_VARIATIONS)

SCRIPTS: Mapping[str, str] = MappingProxyType(
    {
        "en": (
            "Good morning, and thank you for calling. I looked at your order a moment ago, and everything "
            "is on its way. Is there anything else that you would like to know before we finish?"
        ),
        "de": (
            "Guten Morgen, und vielen Dank für Ihren Anruf. Ich habe gerade nach Ihrer Bestellung gesehen, "
            "und alles ist unterwegs. Möchten Sie sonst noch etwas wissen?"
        ),
        "es": (
            "Buenos días, y gracias por llamar. Acabo de mirar su pedido y todo está en camino. "
            "¿Hay algo más que le gustaría saber?"
        ),
        "fr": (
            "Bonjour, et merci de votre appel. Je viens de regarder votre commande et tout est en route. "
            "Y a-t-il autre chose que vous aimeriez savoir ?"
        ),
    }
)
"""Something to say that lets a voice be judged: statements, a question, most sounds of the language."""


def script(language: str = "en") -> str:
    """A sample text in ``language`` (BCP-47), or in English where there is none."""
    return SCRIPTS.get(language.partition("-")[0].lower(), SCRIPTS["en"])


def recipes(description: str, *, gender: str | None = None, count: int = 3) -> list[Recipe]:
    """
    Different voices that fit a description.

    Args:
        description: Free text, e.g. "a warm, deep voice of an older man, unhurried".
        gender: ``male``, ``female`` or ``neutral``; None takes it from the description.
        count: How many, 1 to 4.
    """
    words = re.findall(r"[a-z]+", description.lower())
    base = dict(_BASES[_gender(words, gender)])
    base |= {"pace": 1.0, "liveliness": 1.0, "breathiness": 0.0, "brightness": 0.0}
    if "scottish" in words:
        base["timbre"] = "bright"
    for word in dict.fromkeys(words):
        _apply(base, _WORDS.get(_stem(word), {}))
    return [_varied(base, variation) for variation in _VARIATIONS[:count]]


def describe(recipe: Recipe) -> str:
    """What a recipe sounds like, in a sentence."""
    pitch = "low" if recipe["pitch_hz"] < 110 else "high" if recipe["pitch_hz"] > 225 else "medium"
    pace = "unhurried" if recipe["pace"] < 0.93 else "brisk" if recipe["pace"] > 1.07 else "even"
    tone = "warm" if recipe["brightness"] < -0.9 else "bright" if recipe["brightness"] > 0.9 else "balanced"
    life = "calm" if recipe["liveliness"] < 0.85 else "lively" if recipe["liveliness"] > 1.2 else "natural"
    breath = ", slightly breathy" if recipe["breathiness"] >= 0.2 else ""
    return f"{pitch}-pitched, {tone} in tone{breath}, with an {pace} pace and {life} intonation".replace(
        "an brisk", "a brisk"
    )


def elaborate(gender: str, wish: str = "") -> str:
    """A full description of a voice, from a gender and what little somebody said about it."""
    who = {"male": "A man's voice", "female": "A woman's voice"}.get(_gender([], gender), "A neutral voice")
    wished = f" {wish.strip().rstrip('.')}." if wish.strip() else ""
    sound = describe(recipes(wish, gender=gender)[0])
    return f"{who}, {sound}.{wished} Clear articulation; suited to long conversations."


def _gender(words: list[str], named: str | None) -> str:
    if named is not None:
        return _GENDER_WORDS.get(named.strip().lower(), "neutral")
    return next((_GENDER_WORDS[word] for word in words if word in _GENDER_WORDS), "neutral")


def _stem(word: str) -> str:
    """``deeper``, ``slowly``, ``slower`` mean ``deep`` and ``slow``."""
    for suffix in ("er", "ly", "est"):
        if word not in _WORDS and word.endswith(suffix) and word.removesuffix(suffix) in _WORDS:
            return word.removesuffix(suffix)
    return word


def _apply(recipe: Recipe, change: Mapping[str, float]) -> None:
    for name, amount in change.items():
        recipe[name] = recipe[name] * amount if name in _FACTORS else recipe[name] + amount


def _varied(base: Recipe, variation: Mapping[str, float]) -> Recipe:
    recipe = dict(base)
    for name, amount in variation.items():
        low, high = BOUNDS[name]
        # At the end of a range, vary the other way: candidates are never the same voice.
        varied = recipe[name] * amount if name in _FACTORS else recipe[name] + amount
        if not low <= varied <= high:
            varied = recipe[name] / amount if name in _FACTORS else recipe[name] - amount
        recipe[name] = varied
    for name, (low, high) in BOUNDS.items():
        recipe[name] = round(min(max(recipe[name], low), high), 4)
    return recipe
