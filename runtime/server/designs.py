"""Voices from words: heard first, kept if liked."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from runtime.clock import Clock
from runtime.errors import Conflict, InvalidRequest
from runtime.server.catalog import voice_of
from runtime.server.enrolment import EnrolmentWorker
from runtime.server.speech import SpeechService
from runtime.server.voices import checked_name
from runtime.store.blobs import Blobs
from runtime.store.database import Database
from runtime.store.ids import new_id
from runtime.store.models import DesignRow, VoiceRow
from tts.engine import Conditioning, SpeechEngine
from tts.voices.design import recipes
from tts.voices.voice import Voice, VoiceOrigin, VoiceState

SAMPLE_SECONDS = 6 * 3600.0
"""How long a sample may be made a voice."""

MAX_SAMPLE_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class DesignSample:
    """One candidate: a name only we can read, and how it sounds."""

    generation_id: str
    audio: bytes
    """MP3."""


class DesignService:
    """
    Args:
        worker: Its process makes conditioning of a recipe: ``design(recipe, voice_id)``.
    """

    def __init__(
        self,
        *,
        database: Database,
        blobs: Blobs,
        worker: EnrolmentWorker,
        engine: SpeechEngine,
        speech: SpeechService,
        clock: Clock,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._worker = worker
        self._engine = engine
        self._speech = speech
        self._clock = clock

    async def samples(
        self,
        tenant_id: str,
        *,
        agent_id: str | None,
        text: str,
        description: str,
        gender: str | None = None,
        generation_ids: Sequence[str] | None = None,
    ) -> Sequence[DesignSample]:
        """
        Different voices that fit the description, saying ``text``. Nothing but their recipes is kept.

        Args:
            generation_ids: What to call them; None makes three unguessable names.

        Raises:
            InvalidRequest: No text, or too much.
            SpeechError: The engine cannot design, or failed.
        """
        if len(text) > MAX_SAMPLE_CHARACTERS:
            raise InvalidRequest(f"text is longer than {MAX_SAMPLE_CHARACTERS} characters.", param="text")
        if generation_ids is None:
            generation_ids = [f"gen_{secrets.token_urlsafe(24)}" for _ in range(3)]
        made = []
        wanted = recipes(description, gender=gender, count=len(generation_ids))
        for generation_id, recipe in zip(generation_ids, wanted, strict=True):
            conditioning = await self._conditioning(recipe, generation_id)
            audio = await self._speech.say(conditioning, text, format="mp3")
            row = DesignRow(
                id=_hidden(generation_id),
                agent_id=agent_id,
                recipe=recipe,
                expires_at=self._clock.wall() + SAMPLE_SECONDS,
            )
            async with self._database.write() as store:
                await store.designs.add(tenant_id, row)
            made.append(DesignSample(generation_id, audio))
        return made

    async def keep(
        self,
        tenant_id: str,
        generation_id: str,
        *,
        agent_id: str | None,
        name: str,
        gender: str | None = None,
        language: str | None = None,
        description: str | None = None,
        actor: str = "server",
    ) -> Voice:
        """
        Make a sample a voice. Doing it again under the same name gives the same voice.

        Raises:
            InvalidRequest: Unknown, expired, or made for somebody else: ``invalid_generation_id``.
            Conflict: It was kept under another name.
        """
        name = checked_name(name)
        now = self._clock.wall()
        hidden = _hidden(generation_id)
        async with self._database.read() as store:
            design = await store.designs.find(tenant_id, hidden, agent_id=agent_id, at=now)
            kept = await store.voices.find(tenant_id, design.voice_id) if design and design.voice_id else None
        if design is None:
            raise InvalidRequest(
                "There is no such sample, or no longer.",
                code="invalid_generation_id",
                param="generation_id",
                fix="generate samples again and use one of their ids",
            )
        if kept is not None:
            if kept.name == name:
                return voice_of(kept)
            raise Conflict(f"This sample was kept as {kept.name!r}.", code="already_kept")
        voice_id = new_id("voice", at=now)
        made = await self._conditioning(design.recipe, voice_id)
        blob = f"voices/{voice_id}/conditioning"
        await self._blobs.put(tenant_id, blob, made.data)
        await self._engine.warm(made)
        row = VoiceRow(
            id=voice_id,
            agent_id=agent_id,
            name=name,
            origin=VoiceOrigin.DESIGNED,
            state=VoiceState.READY,
            language=language,
            gender=gender,
            description=description,
            tags=["designed"],
            attributes={"recipe": design.recipe},
            profile="none",
            sources=[],
            engine=made.engine,
            engine_version=made.engine_version,
            conditioning=blob,
            conditioning_digest=made.digest,
            attempts=0,
            created_at=now,
            updated_at=now,
        )
        async with self._database.write() as store:
            await store.voices.add(tenant_id, row)
            await store.designs.kept(tenant_id, hidden, voice_id=voice_id)
            await store.audit.append(
                tenant_id, verb="voice.designed", object=voice_id, at=now, actor=actor, actor_type="key"
            )
        return voice_of(row)

    async def _conditioning(self, recipe: dict[str, object], voice_id: str) -> Conditioning:
        made: Conditioning = await self._worker.call(
            "design", json.dumps(recipe, sort_keys=True), voice_id, timeout=20.0
        )
        return made


def _hidden(generation_id: str) -> str:
    """What the store knows a sample by: who reads the store cannot keep a sample."""
    return hashlib.sha256(generation_id.encode("utf-8", "surrogateescape")).hexdigest()
