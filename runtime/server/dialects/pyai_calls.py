"""PyAI: calls that are over, and their transcripts."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from starlette.responses import Response
from typing_extensions import TypedDict

from runtime.server.dialects.pyai import Cursor, Limit, Page, PyaiRoute, page
from runtime.server.dialects.route import Caller, Services, access
from runtime.store.models import CallRow

router = APIRouter(prefix="/v1/omni/calls", route_class=PyaiRoute, tags=["pyai"])


class Call(TypedDict):
    object: Literal["omni.call"]
    id: str
    session_label: str
    transport: str
    voice_id: str
    started_at: int
    ended_at: int
    duration_seconds: float
    turns: int
    recording: dict[str, Any] | None


class Transcript(TypedDict):
    object: Literal["omni.transcript"]
    call_id: str
    turns: list[dict[str, Any]]


@router.get("")
@access("omni:read")
async def list_calls(
    caller: Caller,
    services: Services,
    limit: Limit = 20,
    cursor: Cursor = None,
    session_label: Annotated[str | None, Query(max_length=256)] = None,
) -> Page[Call]:
    """Your calls that are over, newest first; all of them, or those of one agent."""
    rows, more = await services.call_log.page(
        caller.tenant_id, limit=limit, after=cursor, agent_id=session_label
    )
    return page([call_json(row) for row in rows], more=more, last=rows[-1].id if rows else None)


@router.get("/{id}")
@access("omni:read")
async def get_call(caller: Caller, services: Services, id: str) -> Call:
    """One call."""
    return call_json(await services.call_log.get(caller.tenant_id, id))


@router.get("/{id}/transcript")
@access("omni:read")
async def get_transcript(caller: Caller, services: Services, id: str) -> Transcript:
    """What was said, in order. Of a reply that the caller cut short, what they heard of it."""
    row = await services.call_log.get(caller.tenant_id, id)
    return {"object": "omni.transcript", "call_id": row.id, "turns": row.turns}


@router.delete("/{id}", status_code=204)
@access("omni:session")
async def delete_call(caller: Caller, services: Services, id: str) -> Response:
    """Forget a call with its transcript."""
    await services.call_log.delete(caller.tenant_id, id)
    return Response(status_code=204)


def call_json(row: CallRow) -> Call:
    return {
        "object": "omni.call",
        "id": row.id,
        "session_label": row.agent_id,
        "transport": row.transport,
        "voice_id": row.voice,
        "started_at": int(row.began_at * 1000),
        "ended_at": int((row.began_at + row.seconds) * 1000),
        "duration_seconds": round(row.seconds, 3),
        "turns": len(row.turns),
        "recording": None,
    }
