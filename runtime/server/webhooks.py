"""
Tells tenants' servers what happened, at least once, signed.

An event is written into the outbox in the transaction that makes it true, so it is sent if, and only if, that
was kept. Whoever sends it claims it for a moment first; a server that dies meanwhile leaves it to the next
one. What is sent twice has the same ``id`` and the same bytes.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import secrets as random_bytes
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, get_args

import httpcore

from runtime.clock import Clock
from runtime.errors import InvalidRequest, NotFound
from runtime.server.fetch import guarded_pool, require_public
from runtime.server.leadership import Leadership
from runtime.server.secrets import Secrets, signature
from runtime.store.database import Database, Transaction
from runtime.store.ids import new_id
from runtime.store.webhooks import DeliveryRow, WebhookRow

log = logging.getLogger(__name__)

EventKind = Literal[
    "call.started",
    "call.ended",
    "recording.ready",
    "voice.ready",
    "voice.failed",
    "transcription.completed",
    "transcription.failed",
]
EVENT_KINDS: tuple[str, ...] = get_args(EventKind)

TEST_KIND = "webhook.test"
"""Sent when its owner asks for it, whatever events are wanted."""

SIGNATURE_HEADER = b"x-pyai-signature"

MOST_WEBHOOKS = 20
"""Of one tenant."""

ANSWER_SECONDS = 10.0
"""Longest wait for an answer."""

CLAIM_SECONDS = 20.0
"""After that a claimed delivery is anybody's again: longer than an attempt takes."""

POLL_SECONDS = 0.5
AT_ONCE = 16
KEEP_SECONDS = 30 * 86_400.0
"""How long the record of what was delivered or given up is kept."""


async def announce(
    store: Transaction, tenant_id: str, kind: EventKind, data: Mapping[str, Any], *, at: float
) -> None:
    """Write an event into the outbox of every webhook that wants it. Part of the caller's transaction."""
    hooks = [
        hook
        for hook in await store.webhooks.all(tenant_id)
        if hook.enabled and (not hook.events or kind in hook.events)
    ]
    if not hooks:
        return
    event_id, body = event(kind, data, at=at)
    for hook in hooks:
        await store.deliveries.add(tenant_id, _delivery(hook, event_id, kind, body, at=at))


async def announce_to(
    store: Transaction,
    tenant_id: str,
    url: str,
    secret: str,
    kind: EventKind,
    data: Mapping[str, Any],
    *,
    at: float,
) -> None:
    """The same for one address that came with a single job; ``secret`` is encrypted."""
    event_id, body = event(kind, data, at=at)
    row = DeliveryRow(
        id=new_id("dlv", at=at),
        webhook_id=None,
        event_id=event_id,
        kind=kind,
        url=url,
        secret=secret,
        body=body,
        state="pending",
        attempts=0,
        next_at=at,
        created_at=at,
    )
    await store.deliveries.add(tenant_id, row)


def event(kind: str, data: Mapping[str, Any], *, at: float) -> tuple[str, str]:
    """A fresh event's id, and its body."""
    event_id = new_id("evt", at=at)
    content = {"id": event_id, "object": "event", "type": kind, "created_at": int(at), "data": dict(data)}
    return event_id, json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def _delivery(hook: WebhookRow, event_id: str, kind: str, body: str, *, at: float) -> DeliveryRow:
    return DeliveryRow(
        id=new_id("dlv", at=at),
        webhook_id=hook.id,
        event_id=event_id,
        kind=kind,
        url=hook.url,
        secret=hook.secret,
        body=body,
        state="pending",
        attempts=0,
        next_at=at,
        created_at=at,
    )


class WebhookService:
    """A tenant's webhooks."""

    def __init__(
        self, *, database: Database, secrets: Secrets, clock: Clock, allow_hosts: Collection[str] = ()
    ) -> None:
        self._database = database
        self._secrets = secrets
        self._clock = clock
        self._allowed = frozenset(host.lower() for host in allow_hosts)

    async def create(
        self,
        tenant_id: str,
        *,
        url: str,
        events: Sequence[str],
        description: str | None,
        once: str | None = None,
    ) -> tuple[WebhookRow, str]:
        """
        Register an address; returns it with its secret, which is shown once.

        Args:
            once: The idempotency record it is made under: made again, it is the same webhook.

        Raises:
            InvalidRequest: The address cannot be one, leads into a private network, or is one too many.
        """
        await self.check_url(url, param="url")
        secret = new_secret()
        now = self._clock.wall()
        row = WebhookRow(
            id=new_id("wh", at=now) if once is None else f"wh_{once.removeprefix('once_')}",
            url=url,
            events=sorted(set(events)),
            description=description,
            secret=self._secrets.encrypt(secret),
            hint=secret[-4:],
            enabled=True,
            created_at=now,
            updated_at=now,
        )
        async with self._database.write() as store:
            if (made := await store.webhooks.find(tenant_id, row.id)) is not None:
                return made, self._secrets.decrypt(made.secret)
            if len(await store.webhooks.all(tenant_id)) >= MOST_WEBHOOKS:
                raise InvalidRequest(
                    f"There are {MOST_WEBHOOKS} webhooks already.",
                    code="too_many_webhooks",
                    fix="delete one that is no longer needed",
                )
            await store.webhooks.add(tenant_id, row)
        return row, secret

    async def all(self, tenant_id: str) -> Sequence[WebhookRow]:
        """Oldest first."""
        async with self._database.read() as store:
            return await store.webhooks.all(tenant_id)

    async def get(self, tenant_id: str, webhook_id: str) -> WebhookRow:
        """Raises NotFound."""
        async with self._database.read() as store:
            return await _found(store, tenant_id, webhook_id)

    async def change(self, tenant_id: str, webhook_id: str, fields: Mapping[str, Any]) -> WebhookRow:
        """
        Set these columns.

        Raises:
            NotFound: There is none such.
            InvalidRequest: As for :meth:`create`.
        """
        await self.get(tenant_id, webhook_id)
        if "url" in fields:
            await self.check_url(fields["url"], param="url")
        async with self._database.write() as store:
            await store.webhooks.change(tenant_id, webhook_id, at=self._clock.wall(), **fields)
            return await _found(store, tenant_id, webhook_id)

    async def rotate(self, tenant_id: str, webhook_id: str) -> tuple[WebhookRow, str]:
        """Another secret; the old one signs nothing from now on. Raises NotFound."""
        secret = new_secret()
        sealed = {"secret": self._secrets.encrypt(secret), "hint": secret[-4:]}
        return await self.change(tenant_id, webhook_id, sealed), secret

    async def delete(self, tenant_id: str, webhook_id: str) -> None:
        """Raises NotFound."""
        async with self._database.write() as store:
            if not await store.webhooks.delete(tenant_id, webhook_id):
                raise no_such_webhook()

    async def test(self, tenant_id: str, webhook_id: str) -> str:
        """Send an event that says nothing but that it is one; returns its id. Raises NotFound."""
        now = self._clock.wall()
        async with self._database.write() as store:
            hook = await _found(store, tenant_id, webhook_id)
            event_id, body = event(TEST_KIND, {"webhook_id": hook.id}, at=now)
            await store.deliveries.add(tenant_id, _delivery(hook, event_id, TEST_KIND, body, at=now))
        return event_id

    async def deliveries(self, tenant_id: str, webhook_id: str, *, limit: int) -> Sequence[DeliveryRow]:
        """What was sent there and how that went, newest first. Raises NotFound."""
        async with self._database.read() as store:
            await _found(store, tenant_id, webhook_id)
            return await store.deliveries.page(tenant_id, webhook_id, limit=limit)

    async def check_url(self, url: str, *, param: str) -> None:
        """Raises InvalidRequest where no event could ever be sent there."""
        try:
            await require_public(url, self._allowed)
        except InvalidRequest as error:
            raise InvalidRequest(
                f"{param} cannot be used: {error.message.partition(': ')[2]}",
                code="invalid_webhook_url",
                param=param,
                fix="give an http or https address on the public internet;"
                " the operator can allow others by VIVAVOCE_FETCH_ALLOW_HOSTS",
            ) from error


class WebhookSender:
    """
    Empties the outbox, one process of a server at a time.

    Args:
        retries: Pauses in seconds between attempts, each up to a tenth longer by chance.
    """

    def __init__(
        self,
        *,
        database: Database,
        secrets: Secrets,
        clock: Clock,
        leadership: Leadership,
        allow_hosts: Collection[str] = (),
        retries: Sequence[float],
    ) -> None:
        self._database = database
        self._secrets = secrets
        self._clock = clock
        self._leadership = leadership
        self._allowed = frozenset(host.lower() for host in allow_hosts)
        self._retries = retries
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._work(), name="webhooks")

    async def close(self) -> None:
        """What is being sent is given up; the next server sends it again."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _work(self) -> None:
        swept = 0.0
        while True:
            busy = False
            try:
                if self._leadership.held:
                    busy = await self._send_what_is_due()
                    if (now := self._clock.wall()) - swept > 3_600.0:
                        swept = now
                        async with self._database.write() as store:
                            await store.outbox.forget(before=now - KEEP_SECONDS)
            except Exception:
                # The edge of the background task: a store that fails once must not silence it for ever.
                log.exception("the outbox of webhooks could not be read")
            if not busy:
                await asyncio.sleep(POLL_SECONDS)

    async def _send_what_is_due(self) -> bool:
        now = self._clock.wall()
        async with self._database.read() as store:
            due = await store.outbox.next_due()
        if due is None or due > now:
            return False
        async with self._database.write() as store:
            rows = await store.outbox.claim(now=now, until=now + CLAIM_SECONDS, limit=AT_ONCE)
        async with asyncio.TaskGroup() as sending:
            for row in rows:
                sending.create_task(self._send(row), name=f"deliver {row.id}")
        return bool(rows)

    async def _send(self, row: DeliveryRow) -> None:
        status, error = await self._attempt(row)
        now = self._clock.wall()
        attempts = row.attempts + 1
        columns: dict[str, Any] = {"attempts": attempts, "status": status, "error": error}
        if error is None:
            columns |= {"state": "delivered", "delivered_at": now}
        elif attempts > len(self._retries):
            columns |= {"state": "failed"}
            log.warning("event %s could not be delivered: %s", row.event_id, error)
        else:
            pause = self._retries[attempts - 1] * (1.0 + 0.1 * random.random())
            columns |= {"next_at": now + pause}
        async with self._database.write() as store:
            await store.deliveries.change(row.tenant_id, row.id, **columns)

    async def _attempt(self, row: DeliveryRow) -> tuple[int | None, str | None]:
        """The answer's status, and what was wrong with it."""
        body = row.body.encode()
        try:
            secret = self._secrets.decrypt(await self._present_secret(row))
            headers = [
                (b"content-type", b"application/json"),
                (b"user-agent", b"vivavoce-webhooks"),
                (b"x-pyai-event", row.kind.encode()),
                (b"x-pyai-event-id", row.event_id.encode()),
                (SIGNATURE_HEADER, signature(secret, body, at=self._clock.wall()).encode()),
            ]
            async with (
                asyncio.timeout(ANSWER_SECONDS),
                guarded_pool(row.url, self._allowed) as (pool, address, host),
                pool.stream("POST", address, headers=[*headers, host], content=body) as answer,
            ):
                status = answer.status
        except TimeoutError:
            return None, f"no answer in {ANSWER_SECONDS:g} s"
        except InvalidRequest:
            return None, "the address is not on the public internet"
        except ValueError:
            return None, "its secret was stored under another secret key of the server: rotate it"
        except (OSError, httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException):
            return None, "the server cannot be reached"
        return status, None if 200 <= status < 300 else f"it answered with status {status}"

    async def _present_secret(self, row: DeliveryRow) -> str:
        """Of the webhook as it is now: its secret may have been rotated since the event."""
        if row.webhook_id is not None:
            async with self._database.read() as store:
                hook = await store.webhooks.find(row.tenant_id, row.webhook_id)
            if hook is not None:
                return hook.secret
        return row.secret


def new_secret() -> str:
    """256 random bits, marked as what they are."""
    return f"whsec_{random_bytes.token_urlsafe(32)}"


def no_such_webhook() -> NotFound:
    """One answer for ids that are wrong, deleted, or somebody else's."""
    return NotFound("No such webhook.", param="id")


async def _found(store: Transaction, tenant_id: str, webhook_id: str) -> WebhookRow:
    row = await store.webhooks.find(tenant_id, webhook_id)
    if row is None:
        raise no_such_webhook()
    return row
