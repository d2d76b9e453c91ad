"""Tenants and their keys: made, shown once, listed, rotated, revoked."""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from runtime.clock import Clock
from runtime.errors import InvalidRequest, NotFound
from runtime.server.auth import key_digest
from runtime.store.audit import first_break
from runtime.store.database import Database, Transaction
from runtime.store.ids import new_id
from runtime.store.models import AuditRow, KeyRow, LedgerRow, TenantRow

SCOPES = frozenset(
    {
        "voice:clone",
        "voice:synthesize",
        "omni:session",
        "omni:read",
        "hear:transcribe",
        "transcribe:jobs",
        "account:admin",
    }
)
"""Everything a key may be allowed. ``account:admin`` covers keys, the audit log and the ledger."""

SANDBOX_SECONDS = 7 * 86_400.0
"""How long a sandbox key lives."""

MAX_LABEL_CHARACTERS = 64

STARTING_CREDITS = 100_000
"""What a new tenant may spend: a thousand clones."""

ROLES = frozenset({"platform_admin", "provider_admin"})
"""Privileges over other tenants."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key in the one moment it can be read."""

    key: str
    row: KeyRow


class AccountService:
    """
    Args:
        sandbox_open: Whether anyone may have a sandbox tenant; see :func:`listens_on_loopback`.
    """

    def __init__(self, database: Database, clock: Clock, *, sandbox_open: bool) -> None:
        self._database = database
        self._clock = clock
        self.sandbox_open = sandbox_open

    async def create_sandbox(
        self, *, label: str, scopes: Sequence[str] | None, credits: int = STARTING_CREDITS
    ) -> NewKey:
        """
        A new tenant that shares nothing with any other, and a test key for it.

        Args:
            label: For people, at most 64 characters.
            scopes: What the key may do; None is everything.
            credits: What the tenant may spend.

        Raises:
            NotFound: This server gives none out.
            InvalidRequest: Unknown scope, or a label that is too long.
        """
        if not self.sandbox_open:
            raise NotFound("There are no sandbox keys on this server.")
        chosen = _checked_scopes(SCOPES if scopes is None else scopes)
        now = self._clock.wall()
        async with self._database.write() as store:
            tenant_id = await self._add_tenant(store, label or "sandbox", credits=credits)
            return await self._add_key(
                store,
                tenant_id,
                label=label,
                scopes=chosen,
                environment="test",
                expires_at=now + SANDBOX_SECONDS,
            )

    async def create_tenant(
        self,
        *,
        name: str,
        scopes: Sequence[str] | None = None,
        roles: Sequence[str] = (),
        provider_id: int | None = None,
        credits: int = STARTING_CREDITS,
    ) -> NewKey:
        """
        A new tenant with its first, lasting key: for the operator, who alone can give roles.

        Args:
            roles: Of :data:`ROLES`; what a key may select, never what it gets unasked.
            provider_id: Whose customer the tenant is, where the server is resold.
        """
        if unknown := set(roles) - ROLES:
            raise InvalidRequest(f"unknown role: {', '.join(sorted(unknown))}", param="roles")
        chosen = _checked_scopes(SCOPES if scopes is None else scopes)
        async with self._database.write() as store:
            tenant_id = await self._add_tenant(store, name, credits=credits, provider_id=provider_id)
            return await self._add_key(
                store,
                tenant_id,
                label=name[:MAX_LABEL_CHARACTERS],
                scopes=chosen,
                environment="live",
                expires_at=None,
                roles=roles,
            )

    async def tenant(self, tenant_id: str) -> TenantRow:
        """Raises NotFound."""
        async with self._database.read() as store:
            row = await store.tenants.find(tenant_id)
        if row is None:
            raise NotFound("No such workspace.")
        return row

    async def tenant_by_number(self, number: int, *, provider_id: int | None) -> TenantRow:
        """
        The tenant that dialects with integer ids mean.

        Args:
            provider_id: Only a customer of this provider; None is any.

        Raises:
            NotFound: There is none, or it is another provider's.
        """
        async with self._database.read() as store:
            row = await store.tenants.by_number(number)
        if row is None or (provider_id is not None and row.provider_id != provider_id):
            raise NotFound("No such workspace.")
        return row

    async def grant(self, tenant_id: str, credits: int, *, ref: str) -> int:
        """Add credits, once for each ``ref``; returns the balance."""
        async with self._database.write() as store:
            await store.ledger.move(tenant_id, credits, kind="grant", ref=ref, at=self._clock.wall())
            return await store.ledger.balance(tenant_id)

    async def balance(self, tenant_id: str) -> int:
        """Credits."""
        async with self._database.read() as store:
            return await store.ledger.balance(tenant_id)

    async def ledger(self, tenant_id: str, *, limit: int) -> Sequence[LedgerRow]:
        """Newest first."""
        async with self._database.read() as store:
            return await store.ledger.entries(tenant_id, limit=limit)

    async def audit(self, tenant_id: str, *, limit: int, after: int = 0) -> Sequence[AuditRow]:
        """Oldest first."""
        async with self._database.read() as store:
            return await store.audit.events(tenant_id, limit=limit, after=after)

    async def first_audit_break(self, tenant_id: str) -> tuple[int, int | None]:
        """How many events there are, and the number of the first that was tampered with, if any."""
        async with self._database.read() as store:
            events = await store.audit.events(tenant_id)
        return len(events), first_break(events)

    async def record(
        self,
        tenant_id: str,
        *,
        verb: str,
        object: str,
        actor: str,
        actor_type: str = "key",
        detail: dict[str, Any] | None = None,
    ) -> None:
        """Write an event into a tenant's audit log."""
        async with self._database.write() as store:
            await store.audit.append(
                tenant_id,
                verb=verb,
                object=object,
                at=self._clock.wall(),
                actor=actor,
                actor_type=actor_type,
                detail=detail,
            )

    async def create_key(
        self,
        tenant_id: str,
        *,
        label: str,
        scopes: Sequence[str],
        granted_by: Iterable[str],
        environment: str = "live",
    ) -> NewKey:
        """
        Another key of a tenant.

        Args:
            granted_by: Scopes of the key that asks: nobody hands on what they have not.
        """
        chosen = _checked_scopes(scopes)
        if beyond := sorted(set(chosen) - set(granted_by)):
            raise InvalidRequest(
                f"This key cannot grant {', '.join(beyond)}: it does not have it.", param="scopes"
            )
        async with self._database.write() as store:
            return await self._add_key(
                store, tenant_id, label=label, scopes=chosen, environment=environment, expires_at=None
            )

    async def keys(self, tenant_id: str) -> Sequence[KeyRow]:
        """Oldest first, revoked ones included."""
        async with self._database.read() as store:
            return await store.keys.all(tenant_id)

    async def rotate_key(self, tenant_id: str, key_id: str) -> NewKey:
        """A new key with the same rights; the old one stops in the same transaction. Raises NotFound."""
        async with self._database.write() as store:
            old = await store.keys.find(tenant_id, key_id)
            if old is None or not await store.keys.revoke(tenant_id, key_id, at=self._clock.wall()):
                raise NotFound("No such key.", param="id")
            return await self._add_key(
                store,
                tenant_id,
                label=old.label,
                scopes=old.scopes,
                environment=old.environment,
                expires_at=old.expires_at,
                roles=old.roles,
            )

    async def revoke_key(self, tenant_id: str, key_id: str) -> None:
        """The key stops with the next request. Raises NotFound for one that is unknown or already revoked."""
        async with self._database.write() as store:
            if not await store.keys.revoke(tenant_id, key_id, at=self._clock.wall()):
                raise NotFound("No such key.", param="id")

    async def _add_tenant(
        self, store: Transaction, name: str, *, credits: int, provider_id: int | None = None
    ) -> str:
        now = self._clock.wall()
        tenant_id = new_id("org", at=now)
        row = TenantRow(
            id=tenant_id,
            name=name,
            number=secrets.randbelow(2**31),
            provider_id=provider_id,
            credit_balance=0,
            created_at=now,
        )
        await store.tenants.add(row)
        await store.ledger.move(tenant_id, credits, kind="grant", ref="start", at=now)
        await store.audit.append(tenant_id, verb="tenant.created", object=tenant_id, at=now)
        return tenant_id

    async def _add_key(
        self,
        store: Transaction,
        tenant_id: str,
        *,
        label: str,
        scopes: Sequence[str],
        environment: str,
        expires_at: float | None,
        roles: Sequence[str] = (),
    ) -> NewKey:
        if len(label) > MAX_LABEL_CHARACTERS:
            raise InvalidRequest(f"label is longer than {MAX_LABEL_CHARACTERS} characters", param="label")
        key = f"vv_{environment}_{secrets.token_urlsafe(32)}"
        now = self._clock.wall()
        row = KeyRow(
            id=new_id("key", at=now),
            label=label,
            digest=key_digest(key),
            hint=key[-4:],
            environment=environment,
            scopes=sorted(scopes),
            roles=sorted(roles),
            created_at=now,
            expires_at=expires_at,
        )
        await store.keys.add(tenant_id, row)
        await store.audit.append(
            tenant_id, verb="key.created", object=row.id, at=now, detail={"scopes": row.scopes}
        )
        return NewKey(key=key, row=row)


def listens_on_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens on ``host``."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _checked_scopes(scopes: Iterable[str]) -> list[str]:
    chosen = sorted(set(scopes))
    if unknown := [scope for scope in chosen if scope not in SCOPES]:
        raise InvalidRequest(
            f"unknown scope: {', '.join(unknown)}",
            param="scopes",
            fix=f"choose from {', '.join(sorted(SCOPES))}",
        )
    return chosen
