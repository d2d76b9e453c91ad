"""Provenance: was this recording made here?"""

from __future__ import annotations

from typing import Annotated, Literal, cast

from fastapi import APIRouter, File, UploadFile
from typing_extensions import TypedDict

from runtime.server.dialects.pyai import PyaiRoute
from runtime.server.dialects.route import Caller, Services, access
from tts.voices.upload import Upload

router = APIRouter(prefix="/v1", route_class=PyaiRoute, tags=["provenance"])


class VoiceMarkJson(TypedDict):
    voice_id: str
    score: float
    """In standard deviations of voices that did not speak."""
    threshold: float
    spans: list[list[float]]


class EvidenceJson(TypedDict):
    verdict: Literal["watermarked", "not_detected", "inconclusive"]
    score: float
    """In standard deviations of recordings without a mark."""
    threshold: float
    seconds: float
    spans: list[list[float]]
    """Where the mark was found: ``[begin, end]`` in seconds."""
    voice_id: str | None
    """Of the voice that spoke most surely."""
    voices: list[VoiceMarkJson]
    tags: dict[str, str]
    tagged_as_synthetic: bool


@router.post("/provenance/verify")
@access(body="upload", refuses=(422,))
async def verify_recording(
    caller: Caller, services: Services, file: Annotated[UploadFile, File()]
) -> EvidenceJson:
    """
    Look for our marks in a recording. Nothing is stored.

    ``verdict`` is ``watermarked``, ``not_detected`` (no proof that a person spoke) or ``inconclusive`` (too
    little sound); ``score`` is in standard deviations of recordings without a mark. ``voice_id`` is the voice
    that spoke, where it is a stock voice or one of yours, and ``voices`` all that were heard.
    """
    found = await services.provenance.verify(caller.tenant_id, Upload(await file.read(), file.content_type))
    return cast(EvidenceJson, found.to_json())
