"""Say written text as a person would read it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tts.text.spoken import Part, Spoken


def normalize(text: str, *, languages: Sequence[str] = ("en",)) -> Spoken:
    return Spoken.of(Part(found[0], *found.span()) for found in re.finditer(r"\S+", text))
