"""Does a request once, however often it is sent: ``Idempotency-Key``."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable

from sqlalchemy.exc import IntegrityError
from starlette.datastructures import Headers
from starlette.responses import Response

from runtime.clock import Clock
from runtime.errors import Conflict, InvalidRequest
from runtime.server.presence import Presence
from runtime.server.secrets import Secrets
from runtime.store.database import Database
from runtime.store.ids import new_id
from runtime.store.models import IdempotencyRow

MAX_KEY_CHARACTERS = 255

LEASE_SECONDS = 120.0
"""Longest that a request is worked on; then it is taken over from a server this machine knows nothing of."""


class OnceOnly:
    """
    Remembers what each idempotency key of a tenant was answered.

    A request that was being worked on when its server died is taken over by its retry, under the same
    record: effects are marked with the record's id (``once``), so what was already stored is found again
    and not made a second time. Refusals are not remembered, as they did nothing.
    """

    def __init__(self, database: Database, clock: Clock, vault: Secrets, presence: Presence) -> None:
        """
        Args:
            vault: Encrypts what is remembered: an answer may hold a secret that is shown once.
            presence: Tells which servers have died.
        """
        self._database = database
        self._clock = clock
        self._vault = vault
        self._presence = presence

    async def run(
        self, tenant_id: str, key: str, fingerprint: str, work: Callable[[str], Awaitable[Response]]
    ) -> Response:
        """
        The remembered answer, or that of ``work``, which is given the record's id.

        Raises:
            Conflict: The key was used for another request, or the first one is still worked on.
            InvalidRequest: The key is too long.
        """
        if len(key) > MAX_KEY_CHARACTERS:
            raise InvalidRequest(f"Idempotency-Key is longer than {MAX_KEY_CHARACTERS} characters.")
        record = await self._begin(tenant_id, key, fingerprint)
        if record.fingerprint != fingerprint:
            raise Conflict(
                "This Idempotency-Key was used for another request.",
                code="idempotency_conflict",
                fix="use a new key for a new request",
            )
        if record.status is not None:
            return Response(
                None if record.body is None else self._vault.decrypt(record.body),
                record.status,
                headers={"idempotency-replayed": "true"},
                media_type=record.media_type,
            )
        answered = False
        try:
            response = await work(record.id)
            if 200 <= response.status_code < 300:
                await self._remember(tenant_id, key, response)
                answered = True
            return response
        finally:
            if not answered:
                async with self._database.write() as store:
                    await store.idempotency.forget(tenant_id, key)

    async def _begin(self, tenant_id: str, key: str, fingerprint: str) -> IdempotencyRow:
        now = self._clock.wall()
        row = IdempotencyRow(
            key=key,
            id=new_id("once", at=now),
            fingerprint=fingerprint,
            server=self._presence.name,
            created_at=now,
        )
        try:
            async with self._database.write() as store:
                found = await store.idempotency.find(tenant_id, key)
                if found is None:
                    await store.idempotency.begin(tenant_id, row)
                    return row
                if (
                    found.status is None
                    and self._is_orphan(found, now)
                    and await store.idempotency.take_over(
                        tenant_id, key, left_by=found.server, server=self._presence.name
                    )
                ):
                    return found
        except IntegrityError:  # somebody else began it between our look and our write
            raise self._in_progress() from None
        if found.status is None and found.fingerprint == fingerprint:
            raise self._in_progress()
        return found

    def _is_orphan(self, record: IdempotencyRow, now: float) -> bool:
        over = self._presence.is_over(record.server)
        return record.created_at + LEASE_SECONDS < now if over is None else over

    async def _remember(self, tenant_id: str, key: str, response: Response) -> None:
        async with self._database.write() as store:
            await store.idempotency.answer(
                tenant_id,
                key,
                status=response.status_code,
                media_type=response.media_type,
                body=self._vault.encrypt(bytes(response.body).decode()),
            )

    def _in_progress(self) -> Conflict:
        return Conflict(
            "The first request with this Idempotency-Key is still worked on.",
            code="idempotency_in_progress",
            fix="send it again in a moment",
        )


def fingerprint(method: str, path: str, headers: Headers, body: bytes) -> str:
    """
    What makes two requests the same one.

    A form's boundary is made up anew by most clients each time, so it does not count.
    """
    kind = headers.get("content-type", "")
    _, _, boundary = kind.partition("boundary=")
    if boundary := boundary.strip().strip('"'):
        body = body.replace(boundary.encode(), b"boundary")
    digest = hashlib.sha256(f"{method} {path}\n".encode())
    digest.update(body)
    return digest.hexdigest()
