"""Voices that are not made here: shared ones taken into a workspace, and those of an ElevenLabs account."""

from __future__ import annotations

from typing import Any

from runtime.clock import Clock
from runtime.errors import RequestError, VoiceNotFound
from runtime.server.catalog import voice_of
from runtime.server.integrations import PROVIDER, ElevenLabsKeys
from runtime.server.voices import checked_name
from runtime.store.blobs import Blobs
from runtime.store.database import Database
from runtime.store.ids import new_id
from runtime.store.models import VoiceRow
from tts.voices.resolve import VoiceResolver
from tts.voices.voice import Voice, VoiceOrigin, VoiceState


class ImportRefused(RequestError):
    """The provider has no such voice for this tenant."""

    status = 422
    code = "import_refused"


class VoiceImports:
    def __init__(
        self,
        *,
        database: Database,
        blobs: Blobs,
        resolver: VoiceResolver,
        elevenlabs: ElevenLabsKeys,
        clock: Clock,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._resolver = resolver
        self._elevenlabs = elevenlabs
        self._clock = clock

    async def refer(
        self,
        tenant_id: str,
        *,
        name: str,
        provider: str,
        provider_voice_id: str,
        workspace_id: int | None = None,
        once: str | None = None,
        actor: str = "server",
    ) -> Voice:
        """
        A reference to a voice of an ElevenLabs account that one of the tenant's agents is connected to.

        It can be heard where voices are previewed, on that account's quota; calls do not speak in it.

        Raises:
            ImportRefused: Another provider, no account connected, or no such voice there.
            UpstreamUnreachable: ElevenLabs does not answer.
        """
        name = checked_name(name)
        if provider != PROVIDER:
            raise ImportRefused(
                f"Voices cannot be imported from {provider!r}.",
                param="provider",
                fix=f"name {PROVIDER}, or clone a recording",
            )
        found = await self._elevenlabs.find(tenant_id, provider_voice_id)
        if found is None:
            raise ImportRefused(
                f"No connected ElevenLabs account has the voice {provider_voice_id!r}.",
                param="provider_voice_id",
                fix="connect the account with POST /v1/agents/{agent_id}/voice/integrations/elevenlabs",
            )
        agent_id, remote = found
        row = self._row(name, VoiceOrigin.EXTERNAL, workspace_id=workspace_id, once=once, tags=["imported"])
        row.provider = PROVIDER
        row.attributes = {"provider_voice_id": remote.voice_id, "account_of_agent": agent_id}
        return await self._add(tenant_id, row, verb="voice.imported", actor=actor)

    async def share(
        self,
        tenant_id: str,
        *,
        stock_id: str,
        name: str | None,
        workspace_id: int | None = None,
        once: str | None = None,
        actor: str = "server",
    ) -> Voice:
        """
        Take one of the voices that every tenant may use into a workspace, where it has an id of its own.

        Raises:
            VoiceNotFound: There is no such voice.
        """
        stock = self._resolver.stock_voice(stock_id)
        if stock is None:
            raise VoiceNotFound("No such shared voice.", param="voiceId")
        row = self._row(
            checked_name(name or stock.name),
            VoiceOrigin.STOCK,
            workspace_id=workspace_id,
            once=once,
            tags=["shared"],
        )
        made = stock.conditioning
        row.attributes = {"stock_id": stock.voice_id}
        row.language, row.gender, row.description = stock.language, stock.gender, stock.description
        row.engine, row.engine_version = made.engine, made.engine_version
        row.conditioning, row.conditioning_digest = f"voices/{row.id}/conditioning", made.digest
        await self._blobs.put(tenant_id, row.conditioning, made.data)
        return await self._add(tenant_id, row, verb="voice.added", actor=actor)

    async def preview(self, tenant_id: str, voice_id: str, text: str) -> bytes | None:
        """
        MP3 of ``text`` in a reference, made by its provider; None where the voice is none.

        Raises:
            UpstreamUnreachable: ElevenLabs does not answer, or the account is no longer connected.
        """
        async with self._database.read() as store:
            row = await store.voices.find(tenant_id, voice_id)
        if row is None or row.origin != VoiceOrigin.EXTERNAL:
            return None
        where: dict[str, Any] = row.attributes
        return await self._elevenlabs.speak(
            tenant_id, str(where["account_of_agent"]), str(where["provider_voice_id"]), text
        )

    def _row(
        self,
        name: str,
        origin: VoiceOrigin,
        *,
        workspace_id: int | None,
        once: str | None,
        tags: list[str],
    ) -> VoiceRow:
        now = self._clock.wall()
        return VoiceRow(
            id=new_id("voice", at=now),
            workspace_id=workspace_id,
            name=name,
            origin=origin,
            state=VoiceState.READY,
            tags=tags,
            attributes={},
            profile="none",
            sources=[],
            once=once,
            attempts=0,
            created_at=now,
            updated_at=now,
        )

    async def _add(self, tenant_id: str, row: VoiceRow, *, verb: str, actor: str) -> Voice:
        async with self._database.write() as store:
            if row.once is not None:
                made = await store.voices.made_once(tenant_id, row.once)
                if made is not None:
                    return voice_of(made)
            await store.voices.add(tenant_id, row)
            await store.audit.append(
                tenant_id, verb=verb, object=row.id, at=row.created_at, actor=actor, actor_type="key"
            )
        return voice_of(row)
