"""PyAI: calls that are over, their transcripts and their recordings."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired, cast

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from typing_extensions import TypedDict

from runtime.server.dialects.pyai import Cursor, Limit, Page, PyaiRoute, page, public_url
from runtime.server.dialects.route import Caller, Services, access
from runtime.server.files import ADDRESS_SECONDS
from runtime.server.recordings import MEDIA_TYPE
from runtime.store.models import CallRow
from runtime.store.recordings import RecordingRow

router = APIRouter(prefix="/v1/omni/calls", route_class=PyaiRoute, tags=["pyai"])


class CallRecording(TypedDict):
    """Stereo WAV: the caller left, the agent right."""

    url: str
    """Needs the key."""
    duration_seconds: float
    size_bytes: int
    created_at: int


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
    recording: CallRecording | None
    """Where the call was recorded."""


class Word(TypedDict):
    word: str
    start_ms: int
    end_ms: int


class Turn(TypedDict):
    role: Literal["user", "assistant", "system"]
    text: str
    complete: bool
    """False for a reply that was cut short: ``text`` is what was heard of it."""
    start_ms: NotRequired[int]
    """Since the call began; absent for what was typed."""
    end_ms: NotRequired[int]
    text_heard: NotRequired[str]
    """Of the agent: what was heard of it, as ``text``."""
    text_generated: NotRequired[str]
    """Of the agent: all that it would have said."""
    words: NotRequired[list[Word]]
    """Of the agent, where the engine tells: the words that were heard, since the call began."""


class Transcript(TypedDict):
    object: Literal["omni.transcript"]
    call_id: str
    turns: list[Turn]


class RecordingAddress(TypedDict):
    object: Literal["omni.recording"]
    call_id: str
    url: str
    """Needs no key."""
    expires_at: int
    """Milliseconds since the Unix epoch."""


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
    recorded = await services.recordings.of_calls(caller.tenant_id, [row.id for row in rows])
    calls = [call_json(row, recorded.get(row.id)) for row in rows]
    return page(calls, more=more, last=rows[-1].id if rows else None)


@router.get("/{id}")
@access("omni:read")
async def get_call(caller: Caller, services: Services, id: str) -> Call:
    """One call."""
    row = await services.call_log.get(caller.tenant_id, id)
    return call_json(row, (await services.recordings.of_calls(caller.tenant_id, [id])).get(id))


@router.get("/{id}/transcript")
@access("omni:read")
async def get_transcript(caller: Caller, services: Services, id: str) -> Transcript:
    """What was said, in order. Of a reply that the caller cut short, what they heard of it."""
    row = await services.call_log.get(caller.tenant_id, id)
    return {"object": "omni.transcript", "call_id": row.id, "turns": cast(list[Turn], row.turns)}


@router.get(
    "/{id}/recording",
    response_model=RecordingAddress,
    responses={302: {"description": "``Location`` is a signed address of the WAV."}},
)
@access("omni:read")
async def get_recording(
    request: Request,
    caller: Caller,
    services: Services,
    id: str,
    response: Annotated[Literal["url"] | None, Query()] = None,
) -> Response:
    """
    The sound of a call: leads to a WAV, the caller left and the agent right.

    With ``response=url`` the address is told instead; both work for a day and need no key.
    """
    row = await services.recordings.get(caller.tenant_id, id)
    address = public_url(request) + services.files.address(caller.tenant_id, row.blob, MEDIA_TYPE)
    if response is None:
        return RedirectResponse(address, 302)
    told: RecordingAddress = {
        "object": "omni.recording",
        "call_id": id,
        "url": address,
        "expires_at": int((services.clock.wall() + ADDRESS_SECONDS) * 1000),
    }
    return JSONResponse(told)


@router.delete("/{id}/recording", status_code=204)
@access("omni:session")
async def delete_recording(caller: Caller, services: Services, id: str) -> Response:
    """Forget the sound of a call, and keep what was said."""
    await services.recordings.get(caller.tenant_id, id)
    await services.recordings.delete(caller.tenant_id, id)
    return Response(status_code=204)


@router.delete("/{id}", status_code=204)
@access("omni:session")
async def delete_call(caller: Caller, services: Services, id: str) -> Response:
    """Forget a call with its transcript and its recording."""
    await services.call_log.get(caller.tenant_id, id)
    await services.recordings.delete(caller.tenant_id, id)
    await services.call_log.delete(caller.tenant_id, id)
    return Response(status_code=204)


def call_json(row: CallRow, recorded: RecordingRow | None) -> Call:
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
        "recording": None if recorded is None else recording_json(recorded),
    }


def recording_json(row: RecordingRow) -> CallRecording:
    return {
        "url": f"/v1/omni/calls/{row.call_id}/recording",
        "duration_seconds": round(row.seconds, 3),
        "size_bytes": row.size_bytes,
        "created_at": int(row.created_at * 1000),
    }
