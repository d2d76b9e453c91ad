"""
Keys for browsers: what a page may hold in the place of a real key.

A secret is made by somebody who has a real key, opens Realtime sessions of that key's tenant and nothing
else, and is over in minutes: two hours at most. It may name the origins it works from and what a session
begins with. The store keeps its SHA-256.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import HTTPConnection

from runtime.clock import Clock
from runtime.errors import Forbidden, InvalidRequest, RateLimited, Unauthorized
from runtime.server.auth import Authenticator, Principal, Scheme, find_key, key_digest
from runtime.store.database import Database
from runtime.store.models import ClientSecretRow

PREFIX = "ek_"
"""OpenAI's browser SDK looks for it."""

SHORTEST, USUAL, LONGEST = 10, 600, 7200
"""Seconds that a secret may live, as OpenAI documents it."""

MOST = 10_000
"""Secrets alive at once."""

SCOPE = "omni:session"


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """A secret in the one moment it can be read."""

    value: str
    expires_at: float
    """Seconds since the Unix epoch."""


@dataclass(frozen=True, slots=True)
class RealtimeCaller:
    """Who opens a Realtime session, and what it begins with."""

    principal: Principal
    session: Mapping[str, Any] | None = None


class ClientSecrets:
    """The secrets that are alive, in the store: every process of a server knows them."""

    def __init__(self, authenticator: Authenticator, database: Database, clock: Clock) -> None:
        self._authenticator = authenticator
        self._database = database
        self._clock = clock

    async def issue(
        self,
        principal: Principal,
        *,
        session: Mapping[str, Any] | None,
        seconds: int = USUAL,
        origins: Sequence[str] = (),
        shortest: int = SHORTEST,
    ) -> ClientSecret:
        """
        Args:
            shortest: Seconds below which ``seconds`` is refused.

        Raises:
            Forbidden: The key may not open sessions.
            InvalidRequest: It would live too short or too long, or allow any origin by name.
            RateLimited: Too many are alive.
        """
        principal.require(SCOPE)
        if not shortest <= seconds <= LONGEST:
            raise InvalidRequest(
                f"expires_after.seconds is {seconds}; it must be {shortest} to {LONGEST}.",
                param="expires_after.seconds",
            )
        if "*" in origins:
            raise InvalidRequest(
                "allowed_origins names each origin; leave it out to allow any.", param="allowed_origins"
            )
        now = self._clock.wall()
        secret = ClientSecret(PREFIX + secrets.token_urlsafe(32), expires_at=now + seconds)
        row = ClientSecretRow(
            digest=key_digest(secret.value),
            key_id=principal.key_id,
            session=None if session is None else dict(session),
            origins=list(origins),
            expires_at=secret.expires_at,
        )
        async with self._database.write() as store:
            await store.client_secrets.forget_expired(at=now)
            if await store.client_secrets.alive() >= MOST:
                raise RateLimited("Too many client secrets are alive.", retry_after=60.0)
            await store.client_secrets.add(principal.tenant_id, row)
        return secret

    async def caller(self, connection: HTTPConnection, schemes: Scheme) -> RealtimeCaller:
        """
        Who opens a session, by a key or by a secret.

        Raises:
            Unauthorized: Neither, or one that is unknown, over, or whose key was revoked.
            Forbidden: The wrong origin, or a key that may not open sessions.
        """
        key = find_key(connection, schemes)
        if key is None or not key.startswith(PREFIX):
            principal = await self._authenticator.key(key)
            principal.require(SCOPE)
            return RealtimeCaller(principal)
        async with self._database.read() as store:
            found = await store.client_secrets.identify(key_digest(key))
        if found is None or found[0].expires_at <= self._clock.wall():
            raise Unauthorized("This client secret is unknown or has expired: make another.")
        secret, made_by, tenant = found
        if made_by.revoked_at is not None or tenant.suspended_at is not None:
            raise Unauthorized("The key that made this client secret was revoked.")
        if secret.origins and connection.headers.get("origin") not in secret.origins:
            error = Forbidden("This client secret does not work from this origin.")
            error.code = "origin_not_allowed"
            raise error
        principal = Principal(
            tenant_id=secret.tenant_id,
            key_id=made_by.id,
            label=made_by.label,
            environment=made_by.environment,
            scopes=frozenset({SCOPE}),
            roles=frozenset(),
            expires_at=secret.expires_at,
        )
        return RealtimeCaller(principal, secret.session)
