"""The tenants' voices as :mod:`tts` knows them, read from the store."""

from __future__ import annotations

from datetime import UTC, datetime

from runtime.errors import ConsentRevoked, VoiceNotFound, VoiceNotReady
from runtime.store.blobs import BlobNotFound, Blobs
from runtime.store.database import Database
from runtime.store.models import VoiceRow
from tts.engine import Conditioning
from tts.voices.voice import Likeness, Reason, Voice, VoiceOrigin, VoiceState


class StoredVoices:
    """A :class:`tts.voices.resolve.VoiceCatalog` over rows and blobs."""

    def __init__(self, database: Database, blobs: Blobs) -> None:
        self._database = database
        self._blobs = blobs

    async def find(self, tenant_id: str, ref: str) -> Voice | None:
        """
        The tenant's own voice; None for a deleted one, another tenant's, or a name that is none.

        Raises:
            ConsentRevoked: Whoever it was cloned from has taken their consent back.
        """
        async with self._database.read() as store:
            row = await store.voices.find(tenant_id, ref)
        if row is None:
            return None
        if row.consent_revoked_at is not None:
            raise ConsentRevoked("The consent to use this voice was revoked.")
        return voice_of(row)

    async def conditioning(self, voice: Voice) -> Conditioning:
        """
        Raises:
            VoiceNotFound: It was deleted since it was found.
            VoiceNotReady: It speaks at its provider only.
        """
        async with self._database.read() as store:
            row = await store.voices.find(voice.tenant_id, voice.id)
        if row is not None and row.origin == VoiceOrigin.EXTERNAL:
            raise VoiceNotReady(
                "This voice is a reference to one at ElevenLabs: it can be previewed, and no more.",
                code="voice_not_supported",
                param="voice",
                fix="use a cloned, designed or stock voice",
            )
        if row is None or row.conditioning is None or row.conditioning_digest is None:
            raise VoiceNotFound(f"no voice is called {voice.id!r}", param="voice")
        try:
            data = await self._blobs.get(row.tenant_id, row.conditioning)
        except BlobNotFound as error:
            raise VoiceNotFound(f"no voice is called {voice.id!r}", param="voice") from error
        return Conditioning(
            voice_id=row.id,
            engine=row.engine or "",
            engine_version=row.engine_version or "",
            data=data,
            digest=row.conditioning_digest,
        )


def voice_of(row: VoiceRow, *, report_id: str | None = None) -> Voice:
    """A row as the value that dialects render."""
    return Voice(
        id=row.id,
        tenant_id=row.tenant_id,
        name=row.name,
        origin=VoiceOrigin(row.origin),
        state=VoiceState(row.state),
        language=row.language or "en",
        engine=row.engine or "",
        engine_version=row.engine_version or "",
        created_at=datetime.fromtimestamp(row.created_at, UTC),
        updated_at=datetime.fromtimestamp(row.updated_at, UTC),
        gender=row.gender,
        description=row.description,
        accent=row.accent,
        tags=tuple(row.tags),
        provider=row.provider,
        agent_id=row.agent_id,
        reason=None if row.reason is None else Reason.from_json(row.reason),
        likeness=None if row.likeness is None else Likeness.from_json(row.likeness),
        report_id=report_id,
        consent_id=row.consent_id,
    )
