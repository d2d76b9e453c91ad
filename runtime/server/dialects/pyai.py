"""
PyAI: clones, the voice catalogue, agents, and who am I.

Two shapes of error. Authentication, scope, billing and rate errors are OpenAI's ``{"error": {…}}``; errors
about a request or a resource are RFC 9457 ``application/problem+json`` and carry the same ``error`` member,
so a client of either kind finds what it looks for.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Query, UploadFile
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from runtime.errors import Forbidden, InvalidRequest, RateLimited, VivavoceError
from runtime.server.accounts import STARTING_CREDITS
from runtime.server.agents import Agent
from runtime.server.auth import Principal, Scheme
from runtime.server.dialects.route import Caller, DialectRoute, Once, Services, access
from runtime.server.voices import Enrolment, SourceClip, StoredReport
from runtime.store.models import KeyRow
from tts.voices.voice import StockVoice, Voice, VoiceState

OPENAI_SHAPED = frozenset({401, 402, 403, 429})
"""Statuses below 500 that are not problem+json."""

ERROR_TYPES = {
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    429: "rate_limit_error",
}

STATUS = {
    VoiceState.QUEUED: "pending",
    VoiceState.ANALYSING: "pending",
    VoiceState.ENROLLING: "pending",
    VoiceState.READY: "ready",
    VoiceState.REJECTED: "failed",
    VoiceState.ERROR: "failed",
}


def render_error(error: VivavoceError, request: Request) -> Response:
    """An error as PyAI's clients read it."""
    headers = {}
    if isinstance(error, RateLimited) or (error.status == 503 and hasattr(error, "retry_after")):
        headers["retry-after"] = str(max(1, round(getattr(error, "retry_after", 1.0))))
    if error.status == 401:
        headers["www-authenticate"] = "Bearer"
    member = error_json(error)
    if error.status in OPENAI_SHAPED or error.status >= 500:
        return JSONResponse({"error": member}, error.status, headers)
    problem = {
        "type": f"{public_url(request)}/problems/{error.code}",
        "title": HTTPStatus(error.status).phrase,
        "status": error.status,
        "detail": error.message,
        "request_id": request.state.request_id,
        "error": member,
    }
    return JSONResponse(problem, error.status, headers, media_type="application/problem+json")


def error_json(error: VivavoceError) -> dict[str, Any]:
    """The ``error`` member of every refusal."""
    member: dict[str, Any] = {
        "message": error.message,
        "type": ERROR_TYPES.get(
            error.status, "server_error" if error.status >= 500 else "invalid_request_error"
        ),
        "code": "credit_exhausted" if error.status == 402 else error.code,
        "param": getattr(error, "param", None),
    }
    if isinstance(error, Forbidden) and error.required_scope:
        member |= {"reason": "insufficient_scope", "required_scope": error.required_scope}
    if error.fix:
        member["fix"] = error.fix
    return member


def public_url(request: Request) -> str:
    """What the client calls us, without a slash at the end."""
    configured: str | None = request.app.state.settings.public_url
    return (configured or str(request.base_url)).rstrip("/")


class PyaiRoute(DialectRoute):
    schemes = Scheme.BEARER | Scheme.API_KEY
    render = staticmethod(render_error)


router = APIRouter(prefix="/v1", route_class=PyaiRoute, tags=["pyai"])

Limit = Annotated[int, Query(ge=1, le=100)]
Cursor = Annotated[str | None, Query(max_length=64)]


# --- clones -------------------------------------------------------------------------------------------------


@router.post("/voice/clones", status_code=201)
@access("voice:clone", body="upload", once=True)
async def create_clone(
    caller: Caller,
    services: Services,
    once: Once,
    name: Annotated[str, Form()],
    file: Annotated[UploadFile, File()],
    language: Annotated[str | None, Form(max_length=35)] = None,
    metadata: Annotated[str | None, Form(description="A JSON object, given back with the voice.")] = None,
    consent: Annotated[
        bool, Form(description="You attest that the speaker gave explicit permission.")
    ] = False,
) -> dict[str, Any]:
    """Make a voice of a recording of 6 to 15 seconds. Poll it until it is ``ready`` or ``failed``."""
    order = Enrolment(
        name=name,
        clips=[await _clip(file)],
        language=language,
        attributes={"metadata": _metadata(metadata)} if metadata else {},
        consent=consent,
        once=once,
        actor=caller.key_id,
    )
    return clone_json(await services.voices.enrol(caller.tenant_id, order))


@router.post("/voice/clones/check")
@access("voice:clone", body="upload")
async def check_clip(
    caller: Caller, services: Services, file: Annotated[UploadFile, File()]
) -> dict[str, Any]:
    """What the quality gate would say of a recording. Nothing is stored."""
    return (await services.voices.check([await _clip(file)])).to_json()


@router.get("/voice/clones")
@access("voice:clone")
async def list_clones(
    caller: Caller, services: Services, limit: Limit = 20, cursor: Cursor = None
) -> dict[str, Any]:
    """Your clones, newest first."""
    voices, more = await services.voices.page(caller.tenant_id, limit=limit, after=cursor)
    return _page([clone_json(voice) for voice in voices], more=more)


@router.get("/voice/clones/{id}")
@access("voice:clone")
async def get_clone(caller: Caller, services: Services, id: str) -> dict[str, Any]:
    """One clone."""
    return clone_json(await services.voices.get(caller.tenant_id, id))


@router.delete("/voice/clones/{id}", status_code=204)
@access("voice:clone")
async def delete_clone(caller: Caller, services: Services, id: str) -> Response:
    """Delete a clone with its recording. Calls that speak in it now keep it to their end."""
    await services.voices.delete(caller.tenant_id, id, actor=caller.key_id)
    return Response(status_code=204)


@router.post("/voice/clones/{id}/consent/revoke")
@access("voice:clone")
async def revoke_consent(caller: Caller, services: Services, id: str) -> dict[str, Any]:
    """
    The speaker has taken their consent back: the voice speaks nowhere from now on.

    Calls that are up end with the utterance they are saying.
    """
    await services.voices.revoke_consent(caller.tenant_id, id, actor=caller.key_id)
    ended = services.calls.retire_voice(id)
    return {"object": "voice.consent", "voice_id": id, "revoked": True, "calls_ended": ended}


@router.get("/voice/clones/{id}/report")
@access("voice:clone")
async def get_report(caller: Caller, services: Services, id: str) -> dict[str, Any]:
    """What the gate measured, what it wanted, and what to change."""
    return _report_json(id, await services.voices.report(caller.tenant_id, id))


@router.get("/voice/clones/{id}/report.png", response_class=Response)
@access("voice:clone")
async def get_report_picture(caller: Caller, services: Services, id: str) -> Response:
    """The report as a picture: spectrogram, cut-off, silences, verdict."""
    return Response(await services.voices.report_picture(caller.tenant_id, id), media_type="image/png")


# --- the voice catalogue ------------------------------------------------------------------------------------


@router.get("/voices")
@access()
async def list_voices(caller: Caller, services: Services) -> dict[str, Any]:
    """Every voice you can speak in now: the stock voices, then your own that are ready."""
    own, _ = await services.voices.page(caller.tenant_id, limit=1000)
    data = [stock_json(voice) for voice in services.voices.stock()]
    data += [catalogue_json(voice) for voice in own if voice.state is VoiceState.READY]
    return _page(data, more=False)


@router.get("/voices/{id}")
@access()
async def get_voice(caller: Caller, services: Services, id: str) -> dict[str, Any]:
    """One voice of the catalogue; preset aliases such as ``alloy`` name the stock voice they stand for."""
    if (stock := services.resolver.stock_voice(id)) is not None:
        return stock_json(stock)
    return catalogue_json(await services.voices.get(caller.tenant_id, id))


# --- agents -------------------------------------------------------------------------------------------------


class AgentFields(BaseModel):
    """What an agent can be told; members we do not know are refused, so that a typing error shows."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str | None, Field(min_length=1, max_length=200)] = None
    voice_id: Annotated[str | None, Field(max_length=255)] = None
    voice_fallback: Annotated[str | None, Field(max_length=255)] = None
    persona_system_prompt: Annotated[str | None, Field(max_length=32_000)] = None
    greeting: Annotated[str | None, Field(max_length=1_000)] = None
    language: Annotated[str | None, Field(max_length=35)] = None
    brain: Annotated[str | None, Field(max_length=32)] = None
    brain_model: Annotated[str | None, Field(max_length=255)] = None
    temperature: Annotated[float | None, Field(ge=0, le=2)] = None
    speed: Annotated[float | None, Field(ge=0.25, le=4)] = None
    flow: dict[str, Any] | Annotated[str, Field(max_length=262_144)] | None = None
    tools: Annotated[list[dict[str, Any]] | None, Field(max_length=64)] = None
    barge_sensitivity: str | float | None = None
    ack_mode: Annotated[str | None, Field(max_length=32)] = None
    recordings_enabled: bool | None = None
    consent_line: Annotated[str | None, Field(max_length=500)] = None
    metadata: Annotated[
        dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]] | None,
        Field(max_length=16),
    ] = None
    keyterms: Annotated[list[str] | None, Field(max_length=100)] = None
    goals: Annotated[list[str] | None, Field(max_length=20)] = None
    greeting_variants: list[str] | None = None
    persona_perspective: str | None = None
    idle_check_in: dict[str, Any] | bool | None = None
    extraction_schema: dict[str, Any] | None = None
    extraction_webhook_url: Annotated[str | None, Field(max_length=2_048)] = None

    def columns(self) -> dict[str, Any]:
        """The members that were sent: an absent one stays as it is, a null one is cleared."""
        sent = self.model_dump(exclude_unset=True)
        fields = {ours: sent.pop(theirs) for theirs, ours in OWN_COLUMNS.items() if theirs in sent}
        if sent:
            fields["attributes"] = sent
        return fields


OWN_COLUMNS = {
    "name": "name",
    "voice_id": "voice_id",
    "voice_fallback": "voice_fallback",
    "persona_system_prompt": "instructions",
    "greeting": "greeting",
    "language": "language",
    "brain": "brain",
}
"""PyAI's name of a member, and ours; the rest are attributes."""


class NewAgent(AgentFields):
    name: Annotated[str, Field(min_length=1, max_length=200)]


@router.post("/agents", status_code=201)
@access("omni:session", once=True)
async def create_agent(caller: Caller, services: Services, body: NewAgent) -> dict[str, Any]:
    """Make an agent that speaks in ``voice_id``."""
    fields = body.columns()
    fields["attributes"] = {k: v for k, v in fields.get("attributes", {}).items() if v is not None}
    return agent_json(await services.agents.create(caller.tenant_id, fields))


@router.get("/agents")
@access()
async def list_agents(
    caller: Caller, services: Services, limit: Limit = 20, cursor: Cursor = None
) -> dict[str, Any]:
    """Your agents, newest first."""
    agents, more = await services.agents.page(caller.tenant_id, limit=limit, after=cursor)
    return _page([agent_json(agent) for agent in agents], more=more, id_member="agent_id")


@router.get("/agents/{id}")
@access()
async def get_agent(caller: Caller, services: Services, id: str) -> dict[str, Any]:
    """One agent."""
    return agent_json(await services.agents.get(caller.tenant_id, id))


@router.patch("/agents/{id}")
@access("omni:session")
async def change_agent(caller: Caller, services: Services, id: str, body: AgentFields) -> dict[str, Any]:
    """Change what is sent; the next call lives by it."""
    fields = body.columns()
    if "name" in fields and fields["name"] is None:
        raise InvalidRequest("name cannot be cleared.", param="name")
    return agent_json(await services.agents.change(caller.tenant_id, id, fields))


@router.delete("/agents/{id}", status_code=204)
@access("omni:session")
async def delete_agent(caller: Caller, services: Services, id: str) -> Response:
    """Delete an agent; its running calls go on to their end."""
    await services.agents.delete(caller.tenant_id, id)
    return Response(status_code=204)


# --- accounts -----------------------------------------------------------------------------------------------


class SandboxRequest(BaseModel):
    label: Annotated[str, Field(max_length=64)] = ""
    scopes: list[str] | None = None
    credits: Annotated[int, Field(ge=0, le=STARTING_CREDITS)] = STARTING_CREDITS


@router.post("/sandbox/keys", status_code=201)
@access(anyone=True)
async def create_sandbox_key(
    request: Request, services: Services, body: SandboxRequest | None = None
) -> dict[str, Any]:
    """A key for a new tenant that shares nothing with any other. On servers on loopback, for trying out."""
    wanted = body or SandboxRequest()
    made = await services.accounts.create_sandbox(
        label=wanted.label, scopes=wanted.scopes, credits=wanted.credits
    )
    return {
        "object": "sandbox.key",
        "api_key": made.key,
        "environment": made.row.environment,
        "expires_at": _milliseconds(made.row.expires_at),
        "base_url": public_url(request),
        "key_id": made.row.id,
        "org_id": made.row.tenant_id,
        "project_id": made.row.tenant_id,
        "scopes": made.row.scopes,
        "docs": f"{public_url(request)}/docs",
        "note": "The key is shown once. It opens a tenant of its own and ends after seven days.",
    }


@router.get("/me")
@access()
async def whoami(caller: Caller, services: Services) -> dict[str, Any]:
    """What this key is and may do."""
    tenant = await services.accounts.tenant(caller.tenant_id)
    return identity_json(caller) | {
        "workspace_id": tenant.number,
        "credit": {"balance": tenant.credit_balance},
        "gateway": {"requests_per_minute": services.limiter.per_minute or None},
        "key_budget_cents": None,
    }


class NewKeyRequest(BaseModel):
    label: Annotated[str, Field(max_length=64)] = ""
    scopes: Annotated[list[str], Field(min_length=1)]


@router.get("/keys")
@access("account:admin")
async def list_keys(caller: Caller, services: Services) -> dict[str, Any]:
    """Your keys, oldest first; of each only what tells it from the others."""
    return _page([key_json(row) for row in await services.accounts.keys(caller.tenant_id)], more=False)


@router.post("/keys", status_code=201)
@access("account:admin")
async def create_key(caller: Caller, services: Services, body: NewKeyRequest) -> dict[str, Any]:
    """Another key. It is shown once, and may do nothing that the asking key may not."""
    made = await services.accounts.create_key(
        caller.tenant_id,
        label=body.label,
        scopes=body.scopes,
        granted_by=caller.scopes,
        environment=caller.environment,
    )
    return key_json(made.row) | {"api_key": made.key}


@router.post("/keys/{id}/rotate", status_code=201)
@access("account:admin")
async def rotate_key(caller: Caller, services: Services, id: str) -> dict[str, Any]:
    """A successor with the same rights; the old key stops at once."""
    made = await services.accounts.rotate_key(caller.tenant_id, id)
    return key_json(made.row) | {"api_key": made.key}


@router.delete("/keys/{id}", status_code=204)
@access("account:admin")
async def revoke_key(caller: Caller, services: Services, id: str) -> Response:
    """The key stops with the next request."""
    await services.accounts.revoke_key(caller.tenant_id, id)
    return Response(status_code=204)


@router.get("/credits")
@access("account:admin")
async def list_credits(caller: Caller, services: Services, limit: Limit = 20) -> dict[str, Any]:
    """The balance, and what changed it, newest first."""
    entries = await services.accounts.ledger(caller.tenant_id, limit=limit)
    return {
        "object": "ledger",
        "balance": await services.accounts.balance(caller.tenant_id),
        "data": [
            {
                "id": row.id,
                "amount": row.amount,
                "kind": row.kind,
                "ref": row.ref,
                "balance": row.balance,
                "created_at": int(row.at),
            }
            for row in entries
        ],
    }


@router.get("/audit")
@access("account:admin")
async def list_audit(
    caller: Caller, services: Services, limit: Limit = 100, after: Annotated[int, Query(ge=0)] = 0
) -> dict[str, Any]:
    """Who did what, oldest first. Each event carries the hash of the one before."""
    events = await services.accounts.audit(caller.tenant_id, limit=limit, after=after)
    return {
        "object": "list",
        "data": [
            {
                "seq": row.seq,
                "at": row.at,
                "actor": row.actor,
                "actor_type": row.actor_type,
                "verb": row.verb,
                "object": row.object,
                "detail": row.detail,
                "prev_hash": row.prev_hash,
                "hash": row.hash,
            }
            for row in events
        ],
    }


@router.get("/audit/verify")
@access("account:admin")
async def verify_audit(caller: Caller, services: Services) -> dict[str, Any]:
    """Recompute every hash; ``broken_at`` is the number of the first event that was tampered with."""
    events, broken_at = await services.accounts.first_audit_break(caller.tenant_id)
    return {
        "object": "audit.verification",
        "valid": broken_at is None,
        "events": events,
        "broken_at": broken_at,
    }


# --- rendering ----------------------------------------------------------------------------------------------


def clone_json(voice: Voice) -> dict[str, Any]:
    failure = None
    if voice.reason is not None:
        failure = voice.reason.to_json()
        failure["cause"] = voice.reason.message
    return {
        "id": voice.id,
        "voice_id": voice.id,
        "object": "voice",
        "name": voice.name,
        "status": STATUS[voice.state],
        "created_at": int(voice.created_at.timestamp()),
        "language": voice.language,
        "failure": failure,
        "report_url": f"/v1/voice/clones/{voice.id}/report",
    }


def stock_json(voice: StockVoice) -> dict[str, Any]:
    return {
        "object": "voice",
        "voice_id": voice.voice_id,
        "name": voice.name,
        "gender": _initial(voice.gender),
        "language": voice.language,
        "bio": voice.description,
        "source": "stock",
        "preview_url": f"/v1/voices/{voice.voice_id}/preview",
    }


def catalogue_json(voice: Voice) -> dict[str, Any]:
    return {
        "object": "voice",
        "voice_id": voice.id,
        "name": voice.name,
        "gender": _initial(voice.gender),
        "language": voice.language,
        "bio": voice.description,
        "source": "design" if voice.origin == "designed" else "clone",
        "preview_url": f"/v1/voices/{voice.id}/preview",
    }


def agent_json(agent: Agent) -> dict[str, Any]:
    return {
        **agent.attributes,
        "object": "agent",
        "agent_id": agent.id,
        "id": agent.id,
        "name": agent.name,
        "voice_id": agent.voice_id,
        "voice_fallback": agent.voice_fallback,
        "persona_system_prompt": agent.instructions,
        "greeting": agent.greeting,
        "language": agent.language,
        "brain": agent.brain,
        "created_at": int(agent.created_at.timestamp()),
        "updated_at": int(agent.updated_at.timestamp()),
    }


def identity_json(principal: Principal) -> dict[str, Any]:
    return {
        "object": "identity",
        "key_id": principal.key_id,
        "org_id": principal.tenant_id,
        "project_id": principal.tenant_id,
        "environment": principal.environment,
        "status": "active",
        "org_status": "active",
        "scopes": sorted(principal.scopes),
        "expires_at": _milliseconds(principal.expires_at),
    }


def key_json(row: KeyRow) -> dict[str, Any]:
    return {
        "object": "key",
        "id": row.id,
        "label": row.label,
        "hint": f"…{row.hint}",
        "environment": row.environment,
        "scopes": row.scopes,
        "created_at": int(row.created_at),
        "expires_at": _milliseconds(row.expires_at),
        "revoked_at": _milliseconds(row.revoked_at),
    }


def _report_json(voice_id: str, report: StoredReport) -> dict[str, Any]:
    return {
        "id": report.id,
        **report.body,
        "plot_url": f"/v1/voice/clones/{voice_id}/report.png",
        "created_at": int(report.created_at),
    }


def _page(data: list[dict[str, Any]], *, more: bool, id_member: str = "voice_id") -> dict[str, Any]:
    return {
        "object": "list",
        "data": data,
        "has_more": more,
        "next_cursor": data[-1][id_member] if more else None,
    }


def _initial(gender: str | None) -> str | None:
    """PyAI writes M and F."""
    return None if gender is None else {"male": "M", "female": "F"}.get(gender, gender)


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds * 1000)


async def _clip(file: UploadFile) -> SourceClip:
    return SourceClip(await file.read(), file.content_type, file.filename)


def _metadata(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise InvalidRequest("metadata is not a JSON object.", param="metadata")
    return value
