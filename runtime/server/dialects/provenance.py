"""Provenance: was this recording made here?"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, File, UploadFile

from runtime.server.dialects.pyai import PyaiRoute
from runtime.server.dialects.route import Caller, Services, access
from tts.voices.upload import Upload

router = APIRouter(prefix="/v1", route_class=PyaiRoute, tags=["provenance"])


@router.post("/provenance/verify")
@access(body="upload")
async def verify_recording(
    caller: Caller, services: Services, file: Annotated[UploadFile, File()]
) -> dict[str, Any]:
    """
    Look for our marks in a recording. Nothing is stored.

    ``verdict`` is ``watermarked``, ``not_detected`` (no proof that a person spoke) or ``inconclusive`` (too
    little sound); ``score`` is in standard deviations of recordings without a mark.
    """
    found = await services.provenance.verify(Upload(await file.read(), file.content_type))
    return found.to_json()
