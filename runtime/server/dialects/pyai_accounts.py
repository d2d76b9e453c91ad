"""PyAI: sandbox keys, keys, credits, the audit log, and who am I."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypedDict

from runtime.server.accounts import STARTING_CREDITS
from runtime.server.auth import Principal
from runtime.server.dialects.pyai import Limit, Page, PyaiRoute, milliseconds, page, public_url
from runtime.server.dialects.route import Caller, Services, access
from runtime.store.models import KeyRow

router = APIRouter(prefix="/v1", route_class=PyaiRoute, tags=["pyai"])


class SandboxRequest(BaseModel):
    label: Annotated[str, Field(max_length=64)] = ""
    scopes: list[str] | None = None
    credits: Annotated[int, Field(ge=0, le=STARTING_CREDITS)] = STARTING_CREDITS


class SandboxKey(TypedDict):
    object: Literal["sandbox.key"]
    api_key: str
    """Shown once."""
    environment: str
    expires_at: int | None
    base_url: str
    key_id: str
    org_id: str
    project_id: str
    scopes: list[str]
    docs: str
    note: str


class Credit(TypedDict):
    balance: int


class Gateway(TypedDict):
    requests_per_minute: int | None


class Identity(TypedDict):
    object: Literal["identity"]
    key_id: str
    org_id: str
    project_id: str
    environment: str
    status: str
    org_status: str
    scopes: list[str]
    expires_at: int | None


class Me(Identity):
    workspace_id: int
    credit: Credit
    gateway: Gateway
    key_budget_cents: int | None


class KeyJson(TypedDict):
    object: Literal["key"]
    id: str
    label: str
    hint: str
    """How it ends."""
    environment: str
    scopes: list[str]
    created_at: int
    expires_at: int | None
    revoked_at: int | None


class MadeKey(KeyJson):
    api_key: str
    """Shown once."""


class Movement(TypedDict):
    id: str
    amount: int
    kind: str
    ref: str
    balance: int
    created_at: int


class LedgerJson(TypedDict):
    object: Literal["ledger"]
    balance: int
    data: list[Movement]


class Event(TypedDict):
    seq: int
    at: float
    actor: str
    actor_type: str
    verb: str
    object: str
    detail: dict[str, Any]
    prev_hash: str
    hash: str


class Events(TypedDict):
    object: Literal["list"]
    data: list[Event]


class Verification(TypedDict):
    object: Literal["audit.verification"]
    valid: bool
    events: int
    broken_at: int | None


@router.post("/sandbox/keys", status_code=201)
@access(anyone=True, refuses=(404,))
async def create_sandbox_key(
    request: Request, services: Services, body: SandboxRequest | None = None
) -> SandboxKey:
    """A key for a new tenant that shares nothing with any other. On servers on loopback, for trying out."""
    wanted = body or SandboxRequest()
    made = await services.accounts.create_sandbox(
        label=wanted.label, scopes=wanted.scopes, credits=wanted.credits
    )
    return {
        "object": "sandbox.key",
        "api_key": made.key,
        "environment": made.row.environment,
        "expires_at": milliseconds(made.row.expires_at),
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
async def whoami(caller: Caller, services: Services) -> Me:
    """What this key is and may do."""
    tenant = await services.accounts.tenant(caller.tenant_id)
    return {
        **identity_json(caller),
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
async def list_keys(caller: Caller, services: Services) -> Page[KeyJson]:
    """Your keys, oldest first; of each only what tells it from the others."""
    return page([key_json(row) for row in await services.accounts.keys(caller.tenant_id)])


@router.post("/keys", status_code=201)
@access("account:admin")
async def create_key(caller: Caller, services: Services, body: NewKeyRequest) -> MadeKey:
    """Another key. It is shown once, and may do nothing that the asking key may not."""
    made = await services.accounts.create_key(
        caller.tenant_id,
        label=body.label,
        scopes=body.scopes,
        granted_by=caller.scopes,
        environment=caller.environment,
    )
    return {**key_json(made.row), "api_key": made.key}


@router.post("/keys/{id}/rotate", status_code=201)
@access("account:admin")
async def rotate_key(caller: Caller, services: Services, id: str) -> MadeKey:
    """A successor with the same rights; the old key stops at once."""
    made = await services.accounts.rotate_key(caller.tenant_id, id)
    return {**key_json(made.row), "api_key": made.key}


@router.delete("/keys/{id}", status_code=204)
@access("account:admin")
async def revoke_key(caller: Caller, services: Services, id: str) -> Response:
    """The key stops with the next request."""
    await services.accounts.revoke_key(caller.tenant_id, id)
    return Response(status_code=204)


@router.get("/credits")
@access("account:admin")
async def list_credits(caller: Caller, services: Services, limit: Limit = 20) -> LedgerJson:
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
) -> Events:
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
async def verify_audit(caller: Caller, services: Services) -> Verification:
    """Recompute every hash; ``broken_at`` is the number of the first event that was tampered with."""
    events, broken_at = await services.accounts.first_audit_break(caller.tenant_id)
    return {
        "object": "audit.verification",
        "valid": broken_at is None,
        "events": events,
        "broken_at": broken_at,
    }


def identity_json(principal: Principal) -> Identity:
    return {
        "object": "identity",
        "key_id": principal.key_id,
        "org_id": principal.tenant_id,
        "project_id": principal.tenant_id,
        "environment": principal.environment,
        "status": "active",
        "org_status": "active",
        "scopes": sorted(principal.scopes),
        "expires_at": milliseconds(principal.expires_at),
    }


def key_json(row: KeyRow) -> KeyJson:
    return {
        "object": "key",
        "id": row.id,
        "label": row.label,
        "hint": f"…{row.hint}",
        "environment": row.environment,
        "scopes": row.scopes,
        "created_at": int(row.created_at),
        "expires_at": milliseconds(row.expires_at),
        "revoked_at": milliseconds(row.revoked_at),
    }
