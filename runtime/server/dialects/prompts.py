"""Prompts for PBXs and carriers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from runtime.errors import InvalidRequest
from runtime.media.prompt import LEVEL_DBOV, LOUDEST_DBOV, QUIETEST_DBOV
from runtime.server.dialects.pyai import PyaiRoute
from runtime.server.dialects.route import Caller, Services, access
from runtime.server.prompts import PromptOrder, render_prompts

router = APIRouter(prefix="/v1", route_class=PyaiRoute, tags=["telephony"])

MOST_PROMPTS = 100

NAME = r"^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$"
"""Of files: letters, digits, ``_``, ``-`` and ``.``, in folders with ``/``; nothing that leads elsewhere."""


class PromptBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(pattern=NAME, max_length=200, description="Of its file, without extension.")]
    text: Annotated[str, Field(min_length=1, max_length=20_000)]
    voice: Annotated[str | None, Field(max_length=255, description="Where it is not that of all.")] = None
    speed: Annotated[float | None, Field(ge=0.25, le=4)] = None


class PromptsBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    prompts: Annotated[list[PromptBody], Field(min_length=1, max_length=MOST_PROMPTS)]
    voice: Annotated[str | None, Field(max_length=255)] = None
    format: Annotated[str, Field(max_length=32)] = "ulaw8k"
    speed: Annotated[float, Field(ge=0.25, le=4)] = 1.0
    level_dbov: Annotated[
        float, Field(ge=QUIETEST_DBOV, le=LOUDEST_DBOV, description="Active speech level, ITU-T P.56.")
    ] = LEVEL_DBOV


@router.post(
    "/prompts",
    response_class=Response,
    responses={200: {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}}},
)
@access("voice:synthesize")
async def create_prompts(caller: Caller, services: Services, body: PromptsBody) -> Response:
    """
    Render prompts as files for a telephone system: a ZIP with them and a `manifest.json`.

    A prompt that cannot be made is told in the manifest, with its `error`; the others are there.
    """
    names = [prompt.name for prompt in body.prompts]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InvalidRequest(f"two prompts are called {twice[0]!r}", param="prompts")
    if (characters := sum(len(prompt.text) for prompt in body.prompts)) > services.speech.max_characters:
        raise InvalidRequest(
            f"the prompts have {characters} characters; the most in one request is"
            f" {services.speech.max_characters}.",
            code="text_too_long",
            param="prompts",
            fix="send them in several requests",
        )
    orders = [
        PromptOrder(
            name=prompt.name,
            text=prompt.text,
            voice=prompt.voice or body.voice,
            speed=prompt.speed or body.speed,
        )
        for prompt in body.prompts
    ]
    packed = await render_prompts(
        services.speech, caller.tenant_id, orders, format=body.format, level_dbov=body.level_dbov
    )
    headers = {"content-disposition": 'attachment; filename="prompts.zip"', "x-ai-generated": "true"}
    return Response(packed, media_type="application/zip", headers=headers)
