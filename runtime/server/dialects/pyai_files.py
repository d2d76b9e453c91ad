"""PyAI: stored files under signed addresses, which anyone may fetch while they last."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header
from starlette.responses import Response, StreamingResponse

from runtime.server.dialects.pyai import PyaiRoute
from runtime.server.dialects.route import Services, access
from runtime.server.dialects.sound import BINARY

router = APIRouter(prefix="/v1", route_class=PyaiRoute, tags=["pyai"])

FILE = {"content": {kind: BINARY for kind in ("audio/mpeg", "audio/wav")}}


@router.get("/files/{token}", response_class=Response, responses={200: FILE, 206: FILE})
@access(anyone=True, refuses=(416,))
async def get_file(
    services: Services, token: str, range: Annotated[str | None, Header(max_length=255)] = None
) -> Response:
    """What a signed address stands for; a part of it where a ``Range`` of bytes is asked for."""
    file = await services.files.open(token, range)
    return StreamingResponse(
        file.pieces,
        200 if file.whole else 206,
        media_type=file.media_type,
        headers=file.headers() | {"cache-control": "private, max-age=3600"},
    )
