"""PyAI: voices designed from words. Heard in the answer, kept by a second call."""

from __future__ import annotations

import base64
import secrets
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from runtime.errors import InvalidRequest, NotFound
from runtime.server.dialects.pyai import PyaiRoute
from runtime.server.dialects.route import Caller, Services, access
from tts.voices.design import MOST_CANDIDATES, script

router = APIRouter(prefix="/v1/voice/design", route_class=PyaiRoute, tags=["pyai"])


class Attributes(BaseModel):
    """Words that are added to the prompt."""

    gender: Annotated[str | None, Field(max_length=32)] = None
    age: Annotated[str | None, Field(max_length=32)] = None
    accent: Annotated[str | None, Field(max_length=32)] = None
    pace: Annotated[str | None, Field(max_length=32)] = None
    energy: Annotated[str | None, Field(max_length=32)] = None


class DesignRequest(BaseModel):
    prompt: Annotated[str, Field(min_length=1, max_length=2_000)]
    candidates: Annotated[int, Field(ge=1, le=MOST_CANDIDATES)] = 3
    sample_text: Annotated[str | None, Field(min_length=1)] = None
    attributes: Attributes = Attributes()


class SaveRequest(BaseModel):
    candidate_id: Annotated[str, Field(min_length=1, max_length=16)]
    name: Annotated[str, Field(min_length=1)]


class Sample(TypedDict):
    candidate_id: str
    format: Literal["mp3"]
    audio: str
    """Base64."""


class Design(TypedDict):
    object: Literal["voice.design"]
    design_id: str
    status: Literal["ready"]
    candidates: int
    estimated_seconds: int
    samples: list[Sample]


class KeptDesign(TypedDict):
    object: Literal["voice"]
    voice_id: str
    name: str
    source: Literal["design"]


@router.post("", status_code=201)
@access("voice:clone")
async def design_voice(caller: Caller, services: Services, body: DesignRequest) -> Design:
    """Up to four different voices that fit the prompt, each saying a sentence. Nothing is kept."""
    wanted = body.attributes
    words = (body.prompt, wanted.age, wanted.accent, wanted.pace, wanted.energy)
    design_id = f"dsn_{secrets.token_urlsafe(24)}"
    names = [f"c{number}" for number in range(1, body.candidates + 1)]
    samples = await services.designs.samples(
        caller.tenant_id,
        agent_id=None,
        text=body.sample_text or script(),
        description=" ".join(word for word in words if word),
        gender=wanted.gender,
        generation_ids=[f"{design_id}.{name}" for name in names],
    )
    return {
        "object": "voice.design",
        "design_id": design_id,
        "status": "ready",
        "candidates": len(samples),
        "estimated_seconds": 0,
        "samples": [
            {"candidate_id": name, "format": "mp3", "audio": base64.b64encode(sample.audio).decode()}
            for name, sample in zip(names, samples, strict=True)
        ],
    }


@router.post("/{id}/save", status_code=201)
@access("voice:clone", once=True)
async def save_design(caller: Caller, services: Services, id: str, body: SaveRequest) -> KeptDesign:
    """Keep one of the candidates as a voice."""
    try:
        voice = await services.designs.keep(
            caller.tenant_id,
            f"{id}.{body.candidate_id}",
            agent_id=None,
            name=body.name,
            actor=caller.key_id,
        )
    except InvalidRequest as error:
        if error.code == "invalid_generation_id":
            raise NotFound("No such design or candidate, or no longer.", param="id") from error
        raise
    return {"object": "voice", "voice_id": voice.id, "name": voice.name, "source": "design"}
