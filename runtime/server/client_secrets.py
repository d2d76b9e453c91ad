"""
Keys for browsers: what a page may hold in the place of a real key.

A secret is made by somebody who has a real key, opens Realtime sessions of that key's tenant and nothing
else, and is over in minutes. It may name the origins it works from and what a session begins with. Secrets
are kept in memory, so a restart forgets them; none lives longer than two hours.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import HTTPConnection

from runtime.clock import Clock
from runtime.errors import Forbidden, InvalidRequest, RateLimited, Unauthorized
from runtime.server.auth import Authenticator, Principal, Scheme, find_key
from runtime.store.database import Database

PREFIX = "ek_"
"""OpenAI's browser SDK looks for it."""

SHORTEST, USUAL, LONGEST = 10, 600, 7200
"""Seconds that a secret may live, as OpenAI documents it."""

MOST = 10_000
"""Secrets alive at once."""

SCOPE = "omni:session"


@dataclass(frozen=True, slots=True)
class ClientSecret:
    value: str
    expires_at: float
    """Seconds since the Unix epoch."""
    principal: Principal
    session: Mapping[str, Any] | None
    """What its sessions begin with, as for ``session.update``."""
    origins: tuple[str, ...]
    """Empty is any."""


@dataclass(frozen=True, slots=True)
class RealtimeCaller:
    """Who opens a Realtime session, and what it begins with."""

    principal: Principal
    session: Mapping[str, Any] | None = None


class ClientSecrets:
    """The secrets that are alive."""

    def __init__(self, authenticator: Authenticator, database: Database, clock: Clock) -> None:
        self._authenticator = authenticator
        self._database = database
        self._clock = clock
        self._alive: OrderedDict[str, ClientSecret] = OrderedDict()

    def issue(
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
        self._forget_expired()
        if len(self._alive) >= MOST:
            raise RateLimited("Too many client secrets are alive.", retry_after=60.0)
        secret = ClientSecret(
            value=PREFIX + secrets.token_urlsafe(32),
            expires_at=self._clock.wall() + seconds,
            principal=replace(principal, scopes=frozenset({SCOPE}), roles=frozenset()),
            session=session,
            origins=tuple(origins),
        )
        self._alive[secret.value] = secret
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
        secret = self._alive.get(key)
        if secret is None or secret.expires_at <= self._clock.wall():
            raise Unauthorized("This client secret is unknown or has expired: make another.")
        async with self._database.read() as store:
            row = await store.keys.find(secret.principal.tenant_id, secret.principal.key_id)
        if row is None or row.revoked_at is not None:
            raise Unauthorized("The key that made this client secret was revoked.")
        if secret.origins and connection.headers.get("origin") not in secret.origins:
            error = Forbidden("This client secret does not work from this origin.")
            error.code = "origin_not_allowed"
            raise error
        return RealtimeCaller(secret.principal, secret.session)

    def _forget_expired(self) -> None:
        now = self._clock.wall()
        for value in [value for value, secret in self._alive.items() if secret.expires_at <= now]:
            del self._alive[value]
