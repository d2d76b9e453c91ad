"""An agent's own key at ElevenLabs: tried before it is kept, kept encrypted, never shown, never logged."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from runtime.clock import Clock
from runtime.errors import InvalidRequest, VivavoceError
from runtime.server.secrets import Secrets
from runtime.store.database import Database
from runtime.store.models import IntegrationRow

PROVIDER = "elevenlabs"
TIMEOUT_SECONDS = 10.0


class UpstreamUnreachable(VivavoceError):
    """ElevenLabs did not answer, or not as it should; that says nothing about the key."""

    status = 502
    code = "upstream_unreachable"


@dataclass(frozen=True, slots=True)
class Connection:
    """What may be told about a stored key."""

    masked_key: str
    tier: str


@dataclass(frozen=True, slots=True)
class RemoteVoice:
    """A voice in the account behind an agent's key."""

    voice_id: str
    name: str
    preview_url: str | None


class ElevenLabsKeys:
    """
    Args:
        base_url: Of the ElevenLabs API.
    """

    def __init__(self, *, database: Database, secrets: Secrets, clock: Clock, base_url: str) -> None:
        self._database = database
        self._secrets = secrets
        self._clock = clock
        self._http = httpx.AsyncClient(base_url=base_url, timeout=TIMEOUT_SECONDS)

    async def close(self) -> None:
        await self._http.aclose()

    async def status(self, tenant_id: str, agent_id: str) -> Connection | None:
        """What is connected, or None."""
        row = await self._row(tenant_id, agent_id)
        return None if row is None else Connection(f"***{row.hint}", row.detail.get("tier", ""))

    async def test(self, key: str) -> bool:
        """Whether ElevenLabs takes the key. Raises UpstreamUnreachable."""
        return await self._user(key) is not None

    async def connect(self, tenant_id: str, agent_id: str, key: str, *, actor: str) -> Connection:
        """
        Keep a key that ElevenLabs takes, in place of an earlier one.

        Raises:
            InvalidRequest: ``invalid_key``; what was kept before is kept on.
            UpstreamUnreachable: Nobody knows; likewise.
        """
        user = await self._user(key)
        if user is None:
            raise InvalidRequest(
                "ElevenLabs rejected the key (invalid_key).", code="invalid_key", param="api_key"
            )
        tier = str((user.get("subscription") or {}).get("tier") or "unknown")
        now = self._clock.wall()
        row = IntegrationRow(
            agent_id=agent_id,
            provider=PROVIDER,
            secret=self._secrets.encrypt(key),
            hint=key[-4:],
            detail={"tier": tier, "hidden": []},
            created_at=now,
        )
        async with self._database.write() as store:
            await store.integrations.put(tenant_id, row)
            await store.audit.append(
                tenant_id, verb="elevenlabs.connected", object=agent_id, at=now, actor=actor, actor_type="key"
            )
        return Connection(f"***{key[-4:]}", tier)

    async def disconnect(self, tenant_id: str, agent_id: str, *, actor: str) -> None:
        """Forget the key; nothing happens if there is none."""
        async with self._database.write() as store:
            await store.integrations.delete(tenant_id, agent_id, PROVIDER)
            await store.audit.append(
                tenant_id,
                verb="elevenlabs.disconnected",
                object=agent_id,
                at=self._clock.wall(),
                actor=actor,
                actor_type="key",
            )

    async def voices(self, tenant_id: str, agent_id: str) -> Sequence[RemoteVoice]:
        """Voices of the connected account, less those that were hidden; none while nothing is connected."""
        row = await self._row(tenant_id, agent_id)
        if row is None:
            return []
        answer = await self._get("/v1/voices", self._secrets.decrypt(row.secret))
        listed = answer.json().get("voices", []) if answer.status_code == 200 else []
        hidden = set(row.detail.get("hidden", ()))
        return [
            RemoteVoice(str(voice["voice_id"]), str(voice.get("name", "")), voice.get("preview_url"))
            for voice in listed
            if voice.get("voice_id") not in hidden
        ]

    async def find(self, tenant_id: str, voice_id: str) -> tuple[str, RemoteVoice] | None:
        """
        A voice that one of the tenant's connected accounts can speak in, and the agent whose account it is.

        Raises UpstreamUnreachable where no account says yes and one does not answer.
        """
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,128}", voice_id):
            return None
        async with self._database.read() as store:
            rows = await store.integrations.of_provider(tenant_id, PROVIDER)
        for row in rows:
            answer = await self._get(f"/v1/voices/{voice_id}", self._secrets.decrypt(row.secret))
            if answer.status_code == 200:
                voice = answer.json()
                name, preview = str(voice.get("name", "")), voice.get("preview_url")
                return row.agent_id, RemoteVoice(voice_id, name, preview)
            if answer.status_code >= 500:
                raise UpstreamUnreachable(f"ElevenLabs answered {answer.status_code}")
        return None

    async def hide(self, tenant_id: str, agent_id: str, voice_id: str, *, upstream: bool) -> bool:
        """
        Take a voice out of the agent's list.

        Args:
            upstream: Also delete it in the account itself, which nothing brings back.

        Returns:
            False if the agent has no such voice.
        """
        row = await self._row(tenant_id, agent_id)
        if row is None or voice_id not in {v.voice_id for v in await self.voices(tenant_id, agent_id)}:
            return False
        if upstream:
            key = self._secrets.decrypt(row.secret)
            try:
                await self._http.delete(f"/v1/voices/{voice_id}", headers={"xi-api-key": key})
            except httpx.HTTPError as error:
                raise _unreachable(error) from None
        async with self._database.write() as store:
            row.detail = row.detail | {"hidden": [*row.detail.get("hidden", ()), voice_id]}
            await store.integrations.put(tenant_id, row)
        return True

    async def speak(self, tenant_id: str, agent_id: str, voice_id: str, text: str) -> bytes:
        """MP3 of ``text`` in a voice of the account, on its own quota. Raises UpstreamUnreachable."""
        row = await self._row(tenant_id, agent_id)
        if row is None:
            raise UpstreamUnreachable("no ElevenLabs key is connected")
        try:
            answer = await self._http.post(
                f"/v1/text-to-speech/{voice_id}",
                headers={"xi-api-key": self._secrets.decrypt(row.secret)},
                json={"text": text},
            )
        except httpx.HTTPError as error:
            raise _unreachable(error) from None
        if answer.status_code != 200:
            raise UpstreamUnreachable(f"ElevenLabs answered {answer.status_code}")
        return answer.content

    async def _user(self, key: str) -> dict[str, Any] | None:
        """The account behind a key; None when ElevenLabs rejects it."""
        answer = await self._get("/v1/user", key)
        if answer.status_code in (401, 403):
            return None
        if answer.status_code != 200:
            raise UpstreamUnreachable(f"ElevenLabs answered {answer.status_code}")
        try:
            user = answer.json()
        except ValueError:
            raise UpstreamUnreachable("ElevenLabs answered with something that is not JSON") from None
        return user if isinstance(user, dict) else {}

    async def _get(self, path: str, key: str) -> httpx.Response:
        if not key.isascii() or not key.isprintable():
            return httpx.Response(401)
        try:
            return await self._http.get(path, headers={"xi-api-key": key})
        except httpx.HTTPError as error:
            raise _unreachable(error) from None

    async def _row(self, tenant_id: str, agent_id: str) -> IntegrationRow | None:
        async with self._database.read() as store:
            return await store.integrations.find(tenant_id, agent_id, PROVIDER)


def _unreachable(error: httpx.HTTPError) -> UpstreamUnreachable:
    """The kind of failure only: the request that failed carries the key."""
    return UpstreamUnreachable(f"ElevenLabs cannot be reached: {type(error).__name__}")
