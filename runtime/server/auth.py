"""Who is calling: from the key a request or a socket carries to the tenant, scopes and roles behind it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import Flag, auto

from starlette.requests import HTTPConnection

from runtime.clock import Clock
from runtime.errors import Forbidden, Unauthorized
from runtime.store.database import Database

MAX_KEY_CHARACTERS = 512
"""Longer than any key we give out; more is not hashed."""

SUBPROTOCOL_PREFIXES = ("pyai-key.", "openai-insecure-api-key.")
"""How a browser, which can set no header on a WebSocket, carries a key."""


class Scheme(Flag):
    """Where a key may stand. Every route says which of these it accepts."""

    BEARER = auto()
    """``Authorization: Bearer …``"""
    API_KEY = auto()
    """``X-API-Key``"""
    XI_API_KEY = auto()
    """``xi-api-key``"""
    SUBPROTOCOL = auto()
    """``Sec-WebSocket-Protocol: pyai-key.…`` (WebSockets only)"""
    QUERY = auto()
    """``?api_key=`` (WebSockets only: addresses end up in logs)"""


SOCKET_SCHEMES = Scheme.BEARER | Scheme.API_KEY | Scheme.SUBPROTOCOL | Scheme.QUERY


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller whose key was checked."""

    tenant_id: str
    key_id: str
    label: str
    environment: str
    """``live`` or ``test``."""
    scopes: frozenset[str]
    roles: frozenset[str]
    expires_at: float | None = None
    """Seconds since the Unix epoch."""

    def require(self, scope: str) -> None:
        """Raises Forbidden when the key has not this scope."""
        if scope not in self.scopes:
            raise Forbidden(f"Key lacks the {scope} scope.", required_scope=scope)


class Authenticator:
    """
    Checks keys against the store.

    Every request is looked up: a revoked key stops at once. The look-up is by the key's SHA-256, an index
    read; keys are 256 random bits, so a slow password hash would add nothing but latency.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def connection(self, connection: HTTPConnection, schemes: Scheme) -> Principal:
        """
        The caller of a request or of a WebSocket.

        Raises:
            Unauthorized: No key in any of the ``schemes``, or one that is unknown, expired or revoked.
        """
        return await self.key(find_key(connection, schemes))

    async def key(self, key: str | None) -> Principal:
        """Raises Unauthorized; the message never says what was wrong with a key that was sent."""
        if key and len(key) <= MAX_KEY_CHARACTERS:
            async with self._database.read() as store:
                found = await store.keys.identify(key_digest(key))
            if found is not None:
                row, tenant = found
                expired = row.expires_at is not None and row.expires_at <= self._clock.wall()
                if row.revoked_at is None and not expired and tenant.suspended_at is None:
                    return Principal(
                        tenant_id=row.tenant_id,
                        key_id=row.id,
                        label=row.label,
                        environment=row.environment,
                        scopes=frozenset(row.scopes),
                        roles=frozenset(row.roles),
                        expires_at=row.expires_at,
                    )
        raise Unauthorized("Missing or invalid API key.")


def key_digest(key: str) -> str:
    """What the store keeps of a key: SHA-256, hex."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def find_key(connection: HTTPConnection, schemes: Scheme) -> str | None:
    """The key a connection carries by one of these schemes, or None."""
    headers = connection.headers
    if Scheme.BEARER in schemes:
        kind, _, key = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and key.strip():
            return key.strip()
    if Scheme.API_KEY in schemes and (key := headers.get("x-api-key", "").strip()):
        return key
    if Scheme.XI_API_KEY in schemes and (key := headers.get("xi-api-key", "").strip()):
        return key
    if Scheme.SUBPROTOCOL in schemes:
        for offered in offered_subprotocols(connection):
            for prefix in SUBPROTOCOL_PREFIXES:
                if offered.startswith(prefix):
                    return offered.removeprefix(prefix)
    if Scheme.QUERY in schemes:
        return connection.query_params.get("api_key")
    return None


def offered_subprotocols(connection: HTTPConnection) -> list[str]:
    """In the client's order of preference."""
    header = ",".join(connection.headers.getlist("sec-websocket-protocol"))
    return [offered.strip() for offered in header.split(",") if offered.strip()]


def accepted_subprotocol(connection: HTTPConnection) -> str | None:
    """
    What to echo in the handshake: a browser drops the socket unless one it offered comes back.

    A protocol's own name is preferred; the one that carries the key is echoed only when nothing else was
    offered, and must never be logged.
    """
    offered = offered_subprotocols(connection)
    plain = [name for name in offered if not name.startswith(SUBPROTOCOL_PREFIXES)]
    return next(iter(plain or offered), None)
