"""The gate says of a language what it was told, and refuses nobody for it."""

from __future__ import annotations

import pytest

from tts.voices.gate.language import other_language


@pytest.mark.parametrize("declared", [None, "en", "EN-gb", "en-US"])
def test_nothing_is_said_of_the_engines_own_language(declared: str | None) -> None:
    assert other_language(declared, spoken=("en-US",)) is None


def test_an_engine_of_all_languages_minds_none() -> None:
    assert other_language("de", spoken=("*",)) is None
    assert other_language("de", spoken=()) is None


@pytest.mark.parametrize("declared", ["de", "es-MX", "zh-Hant-TW"])
def test_another_language_warns(declared: str) -> None:
    warning = other_language(declared, spoken=("en-US", "en-GB"))
    assert warning is not None
    assert (warning.code, warning.severity) == ("other_language", "warning")
    assert declared in warning.message
    assert "speaks en" in warning.message
