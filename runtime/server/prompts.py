"""Prompts for a PBX or a carrier, made together: a ZIP of files, and a manifest of what they are."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from runtime.errors import VivavoceError
from runtime.media.prompt import LEVEL_DBOV, Prompt, PromptFormat, finish_prompt, prompt_format
from runtime.server.speech import SpeechOrder, SpeechService
from tts.provenance.marks import Marks

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptOrder:
    """One prompt that is wanted."""

    name: str
    """Of its file, without the extension; may name folders."""
    text: str
    voice: str | None = None
    speed: float = 1.0


@dataclass(frozen=True, slots=True)
class PromptFile:
    """What became of an order: a prompt and its marks, or what stood against it."""

    order: PromptOrder
    made: tuple[Prompt, Marks] | None
    error: VivavoceError | None = None


async def render_prompts(
    speech: SpeechService,
    tenant_id: str,
    orders: Sequence[PromptOrder],
    *,
    format: str,
    level_dbov: float = LEVEL_DBOV,
) -> bytes:
    """
    A ZIP of all prompts that could be made, and ``manifest.json``, which also says which could not, and why.

    Raises:
        InvalidRequest: There is no such format.
    """
    chosen = prompt_format(format)
    files = [await _render(speech, tenant_id, order, chosen, level_dbov) for order in orders]
    return _zipped(files, chosen)


async def _render(
    speech: SpeechService, tenant_id: str, order: PromptOrder, format: PromptFormat, level_dbov: float
) -> PromptFile:
    try:
        spoken = await speech.speak(
            tenant_id, SpeechOrder(text=order.text, voice=order.voice, format="pcm", speed=order.speed)
        )
        pcm = np.frombuffer(b"".join([piece async for piece in spoken]), "<i2").astype(np.int16, copy=False)
        prompt = finish_prompt(pcm, spoken.rate, format, level_dbov=level_dbov)
    except VivavoceError as error:
        return PromptFile(order, None, error)
    return PromptFile(order, (prompt, spoken.marks))


def _zipped(files: Sequence[PromptFile], format: PromptFormat) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            if file.made is not None:
                _add(archive, f"{file.order.name}.{format.extension}", file.made[0].data)
        manifest = {"format": format.name, "prompts": [_entry(file, format) for file in files]}
        _add(archive, MANIFEST, json.dumps(manifest, indent=2, ensure_ascii=False).encode())
    return packed.getvalue()


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    """With the oldest date a ZIP can have: the same prompts make the same bytes."""
    archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)


def _entry(file: PromptFile, format: PromptFormat) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": file.order.name, "text": file.order.text}
    if file.made is None:
        assert file.error is not None
        told = {"code": file.error.code, "message": file.error.message, "fix": file.error.fix}
        return {**entry, "error": told}
    prompt, marks = file.made
    return {
        **entry,
        "file": f"{file.order.name}.{format.extension}",
        "sha256": hashlib.sha256(prompt.data).hexdigest(),
        "seconds": round(prompt.seconds, 3),
        "level_dbov": prompt.level_dbov,
        "peak_dbfs": prompt.peak_dbfs,
        "voice_id": marks.voice_id,
        "provenance": marks.tags(),
    }
