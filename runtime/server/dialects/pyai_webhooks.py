"""PyAI: webhooks, what was sent to them, and a way to try them."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response
from typing_extensions import TypedDict

from runtime.errors import InvalidRequest
from runtime.server.dialects.pyai import Limit, Page, PyaiRoute, page
from runtime.server.dialects.route import Caller, Once, Services, access
from runtime.server.webhooks import EventKind
from runtime.store.webhooks import DeliveryRow, WebhookRow

router = APIRouter(prefix="/v1/webhooks", route_class=PyaiRoute, tags=["pyai"])

Url = Annotated[str, Field(min_length=1, max_length=2_048)]
Events = Annotated[list[EventKind], Field(max_length=32, description="None are all.")]


class NewWebhook(BaseModel):
    model_config = ConfigDict(extra="forbid")

    url: Url
    events: Events = []
    description: Annotated[str | None, Field(max_length=500)] = None


class WebhookChange(BaseModel):
    """What is sent is set; the rest stays."""

    model_config = ConfigDict(extra="forbid")

    url: Url | None = None
    events: Events | None = None
    description: Annotated[str | None, Field(max_length=500)] = None
    enabled: bool | None = None


class Webhook(TypedDict):
    object: Literal["webhook"]
    id: str
    url: str
    events: list[str]
    description: str | None
    enabled: bool
    secret_hint: str
    created_at: int
    updated_at: int


class WebhookWithSecret(Webhook):
    secret: str
    """Shown once."""


class Delivery(TypedDict):
    object: Literal["webhook.delivery"]
    id: str
    event_id: str
    type: str
    status: Literal["pending", "delivered", "failed"]
    attempts: int
    response_status: int | None
    error: str | None
    next_attempt_at: int | None
    created_at: int
    delivered_at: int | None
    payload: dict[str, Any]


class TestSent(TypedDict):
    object: Literal["webhook.test"]
    event_id: str


@router.post("", status_code=201)
@access("omni:session", once=True)
async def create_webhook(
    caller: Caller, services: Services, once: Once, body: NewWebhook
) -> WebhookWithSecret:
    """Have events sent to an address. The secret that signs them is shown once."""
    row, secret = await services.webhooks.create(
        caller.tenant_id, url=body.url, events=body.events, description=body.description, once=once
    )
    return {**webhook_json(row), "secret": secret}


@router.get("")
@access("omni:read")
async def list_webhooks(caller: Caller, services: Services) -> Page[Webhook]:
    """Your webhooks, oldest first."""
    return page([webhook_json(row) for row in await services.webhooks.all(caller.tenant_id)])


@router.get("/{id}")
@access("omni:read")
async def get_webhook(caller: Caller, services: Services, id: str) -> Webhook:
    """One webhook."""
    return webhook_json(await services.webhooks.get(caller.tenant_id, id))


@router.patch("/{id}")
@access("omni:session")
async def change_webhook(caller: Caller, services: Services, id: str, body: WebhookChange) -> Webhook:
    """Another address, other events, on or off. What was to be sent already goes where it was to go."""
    fields = body.model_dump(exclude_unset=True)
    for name in ("url", "events", "enabled"):
        if name in fields and fields[name] is None:
            raise InvalidRequest(f"{name} cannot be cleared.", param=name, fix="leave it out")
    return webhook_json(await services.webhooks.change(caller.tenant_id, id, fields))


@router.delete("/{id}", status_code=204)
@access("omni:session")
async def delete_webhook(caller: Caller, services: Services, id: str) -> Response:
    """Send nothing more to it, not even what is waiting."""
    await services.webhooks.delete(caller.tenant_id, id)
    return Response(status_code=204)


@router.post("/{id}/rotate", status_code=201)
@access("omni:session")
async def rotate_secret(caller: Caller, services: Services, id: str) -> WebhookWithSecret:
    """A new secret, shown once; it signs from now on."""
    row, secret = await services.webhooks.rotate(caller.tenant_id, id)
    return {**webhook_json(row), "secret": secret}


@router.post("/{id}/test", status_code=202)
@access("omni:session")
async def send_test(caller: Caller, services: Services, id: str) -> TestSent:
    """Send an event of type ``webhook.test``; see the deliveries for how that went."""
    return {"object": "webhook.test", "event_id": await services.webhooks.test(caller.tenant_id, id)}


@router.get("/{id}/deliveries")
@access("omni:read")
async def list_deliveries(caller: Caller, services: Services, id: str, limit: Limit = 20) -> Page[Delivery]:
    """What was sent there in the last thirty days and how that went, newest first."""
    rows = await services.webhooks.deliveries(caller.tenant_id, id, limit=limit)
    return page([delivery_json(row) for row in rows])


def webhook_json(row: WebhookRow) -> Webhook:
    return {
        "object": "webhook",
        "id": row.id,
        "url": row.url,
        "events": row.events,
        "description": row.description,
        "enabled": row.enabled,
        "secret_hint": f"…{row.hint}",
        "created_at": int(row.created_at),
        "updated_at": int(row.updated_at),
    }


STATES: dict[str, Literal["pending", "delivered", "failed"]] = {
    "pending": "pending",
    "delivered": "delivered",
    "failed": "failed",
}


def delivery_json(row: DeliveryRow) -> Delivery:
    return {
        "object": "webhook.delivery",
        "id": row.id,
        "event_id": row.event_id,
        "type": row.kind,
        "status": STATES[row.state],
        "attempts": row.attempts,
        "response_status": row.status,
        "error": row.error,
        "next_attempt_at": int(row.next_at) if row.state == "pending" else None,
        "created_at": int(row.created_at),
        "delivered_at": None if row.delivered_at is None else int(row.delivered_at),
        "payload": json.loads(row.body),
    }
