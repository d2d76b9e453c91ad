"""Spoken consents: kept, and held against the samples they are for."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from runtime.clock import Clock
from runtime.errors import InvalidRequest, NotFound
from runtime.server.enrolment import STEP_SECONDS, EnrolmentWorker
from runtime.server.voices import SourceClip, checked_name
from runtime.store.blobs import Blobs
from runtime.store.database import Database
from runtime.store.ids import new_id
from runtime.store.models import ConsentRow
from tts.voices.upload import Upload

MAX_RECORDING_BYTES = 10 * 2**20
"""Documented bound of the API this serves."""


class ConsentService:
    """
    Args:
        worker: Opens recordings and compares speakers.
    """

    def __init__(self, *, database: Database, blobs: Blobs, worker: EnrolmentWorker, clock: Clock) -> None:
        self._database = database
        self._blobs = blobs
        self._worker = worker
        self._clock = clock

    async def record(
        self, tenant_id: str, *, name: str, language: str, recording: SourceClip, actor: str
    ) -> ConsentRow:
        """
        Keep a recording in which somebody agrees to be cloned.

        What is said in it is not checked, as there is no recogniser here that could be relied on for that.

        Raises:
            InvalidRequest: Not a recording of speech, or larger than 10 MiB.
        """
        name = checked_name(name)
        if len(recording.data) > MAX_RECORDING_BYTES:
            raise InvalidRequest("recording is larger than 10 MiB.", param="recording")
        upload = Upload(recording.data, recording.declared_mime)
        report = await self._worker.call("check", [upload], "best_window", timeout=STEP_SECONDS)
        for reason in report.reasons:
            if reason.code in ("undecodable", "no_speech", "payload_too_large"):
                raise InvalidRequest(
                    f"recording: {reason.message}", code=reason.code, param="recording", fix=reason.fix
                )
        now = self._clock.wall()
        consent_id = new_id("cons", at=now)
        blob = f"consents/{consent_id}/recording"
        await self._blobs.put(tenant_id, blob, recording.data)
        row = ConsentRow(
            id=consent_id,
            name=name,
            language=language,
            kind="recorded",
            attested_by=actor,
            recording=blob,
            sha256=hashlib.sha256(recording.data).hexdigest(),
            created_at=now,
        )
        async with self._database.write() as store:
            await store.consents.add(tenant_id, row)
            await store.audit.append(
                tenant_id, verb="consent.recorded", object=consent_id, at=now, actor=actor, actor_type="key"
            )
        return row

    async def check(self, tenant_id: str, consent_id: str, sample: SourceClip) -> None:
        """
        Hold a sample against the consent it came with.

        Raises:
            NotFound: No such consent.
            InvalidRequest: Somebody else speaks in it: ``consent_speaker_mismatch``.
            Undecodable: The sample is no recording.
        """
        row = await self.get(tenant_id, consent_id)
        spoken = Upload(await self._blobs.get(tenant_id, str(row.recording)))
        same = await self._worker.call(
            "same_speaker", spoken, Upload(sample.data, sample.declared_mime), timeout=STEP_SECONDS
        )
        if not same:
            raise InvalidRequest(
                "The voice in audio_sample is not the one in the consent recording.",
                code="consent_speaker_mismatch",
                param="audio_sample",
                fix="let the person whose voice it is record the consent, with the same microphone",
            )

    async def get(self, tenant_id: str, consent_id: str) -> ConsentRow:
        """Raises NotFound."""
        async with self._database.read() as store:
            row = await store.consents.find(tenant_id, consent_id)
        if row is None or row.recording is None:
            raise no_such_consent()
        return row

    async def page(
        self, tenant_id: str, *, limit: int, after: str | None
    ) -> tuple[Sequence[ConsentRow], bool]:
        """Newest first, and whether there are more after these."""
        async with self._database.read() as store:
            rows = await store.consents.page(tenant_id, limit=limit + 1, after=after)
        return rows[:limit], len(rows) > limit

    async def rename(self, tenant_id: str, consent_id: str, name: str) -> ConsentRow:
        """Raises NotFound, InvalidRequest."""
        name = checked_name(name)
        async with self._database.write() as store:
            if not await store.consents.rename(tenant_id, consent_id, name):
                raise no_such_consent()
        return await self.get(tenant_id, consent_id)

    async def delete(self, tenant_id: str, consent_id: str, *, actor: str) -> None:
        """Remove it with its recording. Voices that were made under it stay. Raises NotFound."""
        now = self._clock.wall()
        async with self._database.write() as store:
            if not await store.consents.delete(tenant_id, consent_id, at=now):
                raise no_such_consent()
            await store.audit.append(
                tenant_id, verb="consent.deleted", object=consent_id, at=now, actor=actor, actor_type="key"
            )
        await self._blobs.delete_under(tenant_id, f"consents/{consent_id}")


def no_such_consent() -> NotFound:
    """One answer for ids that are wrong, deleted, or somebody else's."""
    return NotFound("No such voice consent.", param="consent")
