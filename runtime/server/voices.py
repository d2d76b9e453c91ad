"""A tenant's voices: enrolled, checked, listed, reported on, deleted."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from runtime.clock import Clock
from runtime.errors import (
    EnrolmentError,
    EnrolmentTimeout,
    GateRejected,
    InsufficientCredits,
    InvalidRequest,
    NotFound,
    StoreUnavailable,
    VoiceNotFound,
    VoiceNotReady,
)
from runtime.server.catalog import voice_of
from runtime.server.enrolment import STEP_SECONDS, Enrolments, EnrolmentWorker, load_uploads
from runtime.server.leadership import Leadership
from runtime.store.blobs import BlobNotFound, Blobs
from runtime.store.database import Database, Transaction
from runtime.store.ids import new_id
from runtime.store.models import ConsentRow, ReportRow, VoiceRow
from tts.voices.gate import GateReport
from tts.voices.gate.limits import Profile
from tts.voices.resolve import VoiceResolver
from tts.voices.upload import Upload
from tts.voices.voice import Likeness, StockVoice, Voice, VoiceOrigin, VoiceState

log = logging.getLogger(__name__)

MAX_NAME_CHARACTERS = 200
MAX_FILES = 25

RETIRE_VOICE = "retire-voice"
"""What the processes of a fleet tell each other: end the calls that speak in this voice."""

SWEEP_SECONDS = 60.0
"""Between two looks for what deleted voices have left behind."""

SYNC_SECONDS = 30.0
"""How long a request may be kept open for a voice."""


@dataclass(frozen=True, slots=True)
class SourceClip:
    """One recording as a dialect took it from a request."""

    data: bytes
    declared_mime: str | None = None
    filename: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """What a caller wants a voice made of."""

    name: str
    clips: Sequence[SourceClip]
    profile: Profile = "strict"
    language: str | None = None
    """BCP-47; None where the caller said nothing."""
    gender: str | None = None
    description: str | None = None
    provider: str | None = None
    agent_id: str | None = None
    workspace_id: int | None = None
    attributes: dict[str, Any] | None = None
    consent: bool = False
    """Whether the caller attests that the speaker agreed."""
    consent_id: str | None = None
    """A recorded consent, checked by whoever passes it."""
    once: str | None = None
    """The idempotency record of the request."""
    actor: str = "server"
    """The key that asks, for the audit log."""


@dataclass(frozen=True, slots=True)
class StoredReport:
    """The gate's report on one voice, with what only the store knows."""

    id: str
    created_at: float
    body: dict[str, Any]


class VoiceService:
    """
    Every method is told whose voices are meant; a voice of somebody else is answered as one that never was.

    Args:
        worker: Judges dry runs and draws reports.
        resolver: Told to forget what is deleted.
    """

    def __init__(
        self,
        *,
        database: Database,
        blobs: Blobs,
        enrolments: Enrolments,
        worker: EnrolmentWorker,
        resolver: VoiceResolver,
        clock: Clock,
        clone_credits: int = 0,
        require_consent: bool = False,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._enrolments = enrolments
        self._worker = worker
        self._resolver = resolver
        self._clock = clock
        self._clone_credits = clone_credits
        self._require_consent = require_consent
        self._sweep: asyncio.Task[None] | None = None

    async def check_credits(self, tenant_id: str) -> None:
        """Raises InsufficientCredits when a clone could not be paid for. Charging is :meth:`enrol`'s."""
        async with self._database.read() as store:
            balance = await store.ledger.balance(tenant_id)
        if balance < self._clone_credits:
            raise self._too_poor(balance)

    async def enrol(self, tenant_id: str, order: Enrolment) -> Voice:
        """
        Store the recordings and queue them. The voice comes back ``queued``, before anybody listened to it.

        Raises:
            InvalidRequest: No name, a name that is too long, no recording, or too many.
            InsufficientCredits: The tenant cannot pay for it; nothing was stored.
            AtCapacity: Too many are waiting.
        """
        name = checked_name(order.name)
        _check_clips(order.clips)
        if self._require_consent and not order.consent and order.consent_id is None:
            raise InvalidRequest(
                "Nobody attests that the speaker agreed.",
                code="consent_required",
                param="consent",
                fix="send consent=true when you have the speaker's explicit permission",
            )
        if order.once is not None and (made := await self._made_once(tenant_id, order.once)) is not None:
            return made
        self._enrolments.admit()
        await self.check_credits(tenant_id)
        row = self._new_row(name, order)
        try:
            for source, clip in zip(row.sources, order.clips, strict=True):
                await self._blobs.put(tenant_id, str(source["blob"]), clip.data)
            async with self._database.write() as store:
                await self._add(store, tenant_id, row, order)
        except BaseException:
            await self._blobs.delete_under(tenant_id, f"voices/{row.id}")
            raise
        self._enrolments.submit(tenant_id, row.id)
        return voice_of(row)

    def _new_row(self, name: str, order: Enrolment) -> VoiceRow:
        now = self._clock.wall()
        voice_id = new_id("voice", at=now)
        return VoiceRow(
            id=voice_id,
            workspace_id=order.workspace_id,
            agent_id=order.agent_id,
            name=name,
            origin=VoiceOrigin.CLONED,
            state=VoiceState.QUEUED,
            language=order.language,
            gender=order.gender,
            description=order.description,
            tags=["cloned"],
            provider=order.provider,
            attributes=order.attributes or {},
            profile=order.profile,
            sources=[
                {
                    "blob": f"voices/{voice_id}/reference/{number}",
                    "filename": clip.filename,
                    "declared_mime": clip.declared_mime,
                }
                for number, clip in enumerate(order.clips)
            ],
            once=order.once,
            consent_id=order.consent_id,
            attempts=0,
            created_at=now,
            updated_at=now,
        )

    async def _add(self, store: Transaction, tenant_id: str, row: VoiceRow, order: Enrolment) -> None:
        """The voice, its price, its consent and its audit event: all of them or none."""
        now = self._clock.wall()
        paid = await store.ledger.move(tenant_id, -self._clone_credits, kind="clone", ref=row.id, at=now)
        if not paid:
            raise self._too_poor(await store.ledger.balance(tenant_id))
        if order.consent and row.consent_id is None:
            row.consent_id = new_id("cons", at=now)
            await store.consents.add(
                tenant_id,
                ConsentRow(
                    id=row.consent_id, name=row.name, kind="attested", attested_by=order.actor, created_at=now
                ),
            )
        await store.voices.add(tenant_id, row)
        await store.audit.append(
            tenant_id,
            verb="voice.enrolled",
            object=row.id,
            at=now,
            actor=order.actor,
            actor_type="key",
            detail={"consent": row.consent_id, "credits": self._clone_credits},
        )

    async def _made_once(self, tenant_id: str, once: str) -> Voice | None:
        async with self._database.read() as store:
            row = await store.voices.made_once(tenant_id, once)
        return None if row is None else voice_of(row)

    def _too_poor(self, balance: int) -> InsufficientCredits:
        return InsufficientCredits(
            "Insufficient credits for voice cloning", required=self._clone_credits, balance=balance
        )

    async def settled(self, tenant_id: str, voice_id: str, *, timeout: float) -> Voice:
        """
        Wait until an enrolment has come to its end; the job goes on when the wait is over first.

        Raises:
            TimeoutError: After ``timeout`` seconds.
            VoiceNotFound: It was deleted meanwhile.
        """
        async with asyncio.timeout(timeout):
            await self._enrolments.finished(tenant_id, voice_id)
        return await self.get(tenant_id, voice_id)

    async def enrol_now(self, tenant_id: str, order: Enrolment, *, timeout: float = SYNC_SECONDS) -> Voice:
        """
        Enrol, and wait for the voice: for dialects that have no word for "not yet" and none for "failed".

        A voice that comes to nothing is deleted again, as nobody there could see that it failed.

        Raises:
            GateRejected: With the report's body as it was stored.
            EnrolmentTimeout: It goes on, and the voice appears in the lists when it is ready.
            EnrolmentError: The recording was good and we failed; status 500.
        """
        voice = await self.enrol(tenant_id, order)
        try:
            voice = await self.settled(tenant_id, voice.id, timeout=timeout)
        except TimeoutError:
            raise EnrolmentTimeout(
                "The voice is still being made.", fix="look for it in the list of voices in a moment"
            ) from None
        if voice.state is VoiceState.READY:
            return voice
        reason = voice.reason
        message = reason.message if reason else "the voice could not be made"
        if voice.state is VoiceState.REJECTED:
            report = await self.report(tenant_id, voice.id)
            await self.delete(tenant_id, voice.id)
            raise GateRejected(message, report=report.body)
        await self.delete(tenant_id, voice.id)
        failed = EnrolmentError(message, fix=reason.fix if reason else None)
        failed.status = 500
        raise failed

    async def check(self, clips: Sequence[SourceClip], profile: Profile = "strict") -> GateReport:
        """What the gate would say. Nothing is stored. Raises InvalidRequest, WorkerDied."""
        _check_clips(clips)
        report: GateReport = await self._worker.call("check", _uploads(clips), profile, timeout=STEP_SECONDS)
        return report

    async def get(
        self,
        tenant_id: str,
        voice_id: str,
        *,
        agent_id: str | None = None,
        workspace_id: int | None = None,
    ) -> Voice:
        """
        One voice, if it belongs to this agent or workspace where one is named.

        Raises:
            VoiceNotFound: For whichever reason.
        """
        row = await self._row(tenant_id, voice_id)
        if agent_id is not None and row.agent_id != agent_id:
            raise no_such_voice()
        if workspace_id is not None and row.workspace_id != workspace_id:
            raise no_such_voice()
        return voice_of(row)

    async def page(
        self,
        tenant_id: str,
        *,
        limit: int,
        after: str | None = None,
        origins: Sequence[VoiceOrigin] | None = None,
        agent_id: str | None = None,
        workspace_id: int | None = None,
    ) -> tuple[Sequence[Voice], bool]:
        """Newest first, and whether there are more after these."""
        async with self._database.read() as store:
            rows = await store.voices.page(
                tenant_id,
                limit=limit + 1,
                after=after,
                origins=origins,
                agent_id=agent_id,
                workspace_id=workspace_id,
            )
        return [voice_of(row) for row in rows[:limit]], len(rows) > limit

    async def revoke_consent(self, tenant_id: str, voice_id: str, *, actor: str = "server") -> None:
        """
        The speaker has taken their word back: from the next request on the voice speaks nowhere.

        The voice is kept, so that what happened can be shown, until it is deleted. Raises VoiceNotFound.
        """
        now = self._clock.wall()
        async with self._database.write() as store:
            if not await store.voices.revoke_consent(tenant_id, voice_id, at=now):
                raise no_such_voice()
            await store.audit.append(
                tenant_id, verb="consent.revoked", object=voice_id, at=now, actor=actor, actor_type="key"
            )
        self._resolver.forget(voice_id)

    async def delete_reference(self, tenant_id: str, voice_id: str, *, actor: str = "server") -> None:
        """
        Remove the recordings a voice was made of; what it speaks with is kept. Harmless twice.

        The audit event names what was removed by SHA-256.

        Raises:
            VoiceNotFound: There is none such.
            VoiceNotReady: They are still needed to make it.
        """
        row = await self._row(tenant_id, voice_id)
        if VoiceState(row.state).pending:
            raise VoiceNotReady(
                "The voice is still being made of its recording.", fix="wait until it is ready, or delete it"
            )
        removed = []
        for source in row.sources:
            try:
                data = await self._blobs.get(tenant_id, str(source["blob"]))
            except BlobNotFound:
                continue
            removed.append(hashlib.sha256(data).hexdigest())
        await self._blobs.delete_under(tenant_id, f"voices/{voice_id}/reference")
        async with self._database.write() as store:
            await store.audit.append(
                tenant_id,
                verb="reference.deleted",
                object=voice_id,
                at=self._clock.wall(),
                actor=actor,
                actor_type="key",
                detail={"sha256": removed},
            )

    async def delete(self, tenant_id: str, voice_id: str, *, actor: str = "server") -> None:
        """
        Nobody finds the voice from now on, and its recordings and conditioning are removed.

        Calls that speak in it keep it to their end. Where the server dies in between, or the store of
        recordings does not answer, the sweep removes the rest. Raises VoiceNotFound.
        """
        now = self._clock.wall()
        async with self._database.write() as store:
            if not await store.voices.delete(tenant_id, voice_id, at=now):
                raise no_such_voice()
            await store.audit.append(
                tenant_id, verb="voice.deleted", object=voice_id, at=now, actor=actor, actor_type="key"
            )
        self._resolver.forget(voice_id)
        try:
            await self._purge(tenant_id, voice_id)
        except StoreUnavailable as error:
            log.warning("recordings of %s are left for the sweep: %s", voice_id, error)

    def start_sweep(self, leadership: Leadership) -> None:
        """Remove, now and every minute, what deletions have left behind; the leading process does."""
        self._sweep = asyncio.create_task(self._sweeping(leadership), name="sweep of deleted voices")

    async def close(self) -> None:
        """Stop sweeping."""
        if self._sweep is not None:
            self._sweep.cancel()
            await asyncio.wait([self._sweep])

    async def _sweeping(self, leadership: Leadership) -> None:
        while True:
            if leadership.held:
                try:
                    await self._purge_deleted()
                except Exception:
                    log.exception("what deleted voices left behind could not be removed")
            await asyncio.sleep(SWEEP_SECONDS)

    async def _purge_deleted(self) -> None:
        async with self._database.read() as store:
            rows = await store.unfinished_voices.unpurged()
        for row in rows:
            await self._purge(row.tenant_id, row.id)

    async def report(self, tenant_id: str, voice_id: str) -> StoredReport:
        """
        The gate's report, and beside it how much the voice came to sound like the recording.

        Raises VoiceNotFound, or NotFound while the gate has not spoken yet.
        """
        voice = await self.get(tenant_id, voice_id)
        report = await self._report(tenant_id, voice_id)
        return report if voice.likeness is None else _with_likeness(report, voice.likeness)

    async def report_picture(self, tenant_id: str, voice_id: str) -> bytes:
        """
        The report as a PNG, drawn from the stored recording.

        Raises:
            NotFound: No such voice, or no report yet.
            EnrolmentError: The recording is no longer stored.
        """
        row = await self._row(tenant_id, voice_id)
        await self._report(tenant_id, voice_id)
        uploads = await load_uploads(self._blobs, row)
        report = await self._worker.call("judge", uploads, row.profile, timeout=STEP_SECONDS)
        picture: bytes = await self._worker.call(
            "picture", uploads, report, voice_of(row).likeness, timeout=STEP_SECONDS
        )
        return picture

    def stock(self) -> Sequence[StockVoice]:
        """Voices that every tenant may use."""
        return list(self._resolver.stock.values())

    async def _row(self, tenant_id: str, voice_id: str) -> VoiceRow:
        async with self._database.read() as store:
            row = await store.voices.find(tenant_id, voice_id)
        if row is None:
            raise no_such_voice()
        return row

    async def _report(self, tenant_id: str, voice_id: str) -> StoredReport:
        async with self._database.read() as store:
            row: ReportRow | None = await store.voices.report(tenant_id, voice_id)
        if row is None:
            raise NotFound("The gate has not judged this voice yet.", code="report_not_ready", param="id")
        return StoredReport(id=row.id, created_at=row.created_at, body=row.body)

    async def _purge(self, tenant_id: str, voice_id: str) -> None:
        removed = await self._blobs.delete_under(tenant_id, f"voices/{voice_id}")
        async with self._database.write() as store:
            await store.voices.purged(tenant_id, voice_id, at=self._clock.wall())
        log.info("%s deleted with %d blobs", voice_id, removed)


def _with_likeness(report: StoredReport, likeness: Likeness) -> StoredReport:
    body = {**report.body, "likeness": likeness.to_json()}
    if (weak := likeness.warning) is not None:
        body["warnings"] = [*body["warnings"], weak.to_json()]
    return replace(report, body=body)


def no_such_voice() -> VoiceNotFound:
    """One answer for ids that are wrong, deleted, or somebody else's: it never says which."""
    return VoiceNotFound("No such voice.", param="id")


def checked_name(name: str, *, param: str = "name") -> str:
    """
    A name people will read, as it was sent but for the space around it.

    Raises:
        InvalidRequest: Empty, longer than 200 characters, or with control characters in it.
    """
    name = name.strip()
    if not name:
        raise InvalidRequest(f"{param} is empty.", param=param, fix=f"give the voice a {param}")
    if len(name) > MAX_NAME_CHARACTERS:
        raise InvalidRequest(f"{param} is longer than {MAX_NAME_CHARACTERS} characters.", param=param)
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in name):
        raise InvalidRequest(f"{param} has control characters in it.", param=param)
    return name


def _check_clips(clips: Sequence[SourceClip]) -> None:
    if not clips:
        raise InvalidRequest("There is no recording.", param="file", fix="send one as the part `file`")
    if len(clips) > MAX_FILES:
        raise InvalidRequest(f"More than {MAX_FILES} recordings.", param="files")


def _uploads(clips: Sequence[SourceClip]) -> list[Upload]:
    return [Upload(clip.data, clip.declared_mime) for clip in clips]
