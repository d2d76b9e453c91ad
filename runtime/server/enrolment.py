"""Carries every accepted recording to an end: a voice that speaks, or a reason why not."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from runtime import metrics
from runtime.clock import Clock
from runtime.errors import AtCapacity, EnrolmentError, VivavoceError, WorkerDied
from runtime.server.leadership import Leadership
from runtime.server.webhooks import announce
from runtime.store.blobs import BlobNotFound, Blobs
from runtime.store.database import Database, Transaction
from runtime.store.ids import new_id
from runtime.store.models import ReportRow, VoiceRow
from tts.engine import Conditioning, SpeechEngine
from tts.voices.gate import GateReport, Window
from tts.voices.gate.language import other_language
from tts.voices.upload import Upload
from tts.voices.voice import Likeness, Reason, VoiceState

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
"""Times a recording may take the worker (or the whole server) down with it before it is given up."""

POLL_SECONDS = 0.2
"""How often processes that share a store look for each other's voices there."""

STEP_SECONDS = 45.0
"""Longest judging or cloning: two of them stay inside the 120 s that clients are told to wait."""


class EnrolmentWorker(Protocol):
    """The process that holds a :class:`tts.voices.enrol.EnrolmentService`."""

    async def call(self, method: str, *args: object, timeout: float | None = None) -> Any: ...


@dataclass(order=True, slots=True)
class _Step:
    """What to do next with one voice. A verdict is quick and awaited, so judging goes before cloning."""

    stage: int
    number: int
    tenant_id: str = field(compare=False)
    voice_id: str = field(compare=False)
    window: Window | None = field(compare=False, default=None)


class Enrolments:
    """
    One queue, one recording at a time, in a process of its own with a low priority.

    The row is the truth and the queue only a memory of it: every step is written down when it begins, so a
    server that is killed begins the unfinished ones again and nothing stays pending. A voice becomes
    ``ready`` after its conditioning is stored and the engine has loaded it, so that the first request that
    sees ``ready`` is served like any other.

    Among the processes of one server the leader works for all: the others only store what they are sent.

    Args:
        leadership: Whether this process works; by default it is alone.
        limit: Voices that may wait; more are refused at the door.
    """

    def __init__(
        self,
        *,
        database: Database,
        blobs: Blobs,
        worker: EnrolmentWorker,
        engine: SpeechEngine,
        clock: Clock,
        leadership: Leadership | None = None,
        limit: int = 256,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._worker = worker
        self._engine = engine
        self._clock = clock
        self._leadership = leadership or Leadership()
        self._limit = limit
        self._steps: asyncio.PriorityQueue[_Step] = asyncio.PriorityQueue()
        self._number = 0
        self._waiting: dict[str, asyncio.Event] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Take up what a stopped server left, then work; behind a leader, wait to take its place."""
        if self._leadership.take():
            await self._take_up()
            self._run(self._warm(), "enrolments warming up")
            self._run(self._work(), "enrolments")
            if not self._leadership.alone:
                self._run(self._follow_store(), "enrolments of other processes")
        else:
            self._run(self._stand_by(), "enrolments on stand-by")

    async def _stand_by(self) -> None:
        while not self._leadership.take():  # noqa: ASYNC110 (no event tells of a file lock)
            await asyncio.sleep(POLL_SECONDS)
        log.info("this process now enrols for all")
        await self._take_up()
        self._run(self._follow_store(), "enrolments of other processes")
        await self._work()

    async def _warm(self) -> None:
        try:
            await self._worker.call("warm", timeout=STEP_SECONDS)
        except VivavoceError as error:
            log.warning("the enrolment worker could not warm up: %s", error)

    async def _take_up(self) -> None:
        async with self._database.write() as store:
            unfinished = await store.unfinished_voices.requeue(at=self._clock.wall())
        for row in unfinished:
            log.info("enrolment of %s begins again", row.id)
            self.submit(row.tenant_id, row.id)

    async def _follow_store(self) -> None:
        """Submit what the other processes stored."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            async with self._database.read() as store:
                queued = await store.unfinished_voices.queued()
            for row in queued:
                if row.id not in self._waiting:
                    self.submit(row.tenant_id, row.id)

    def _run(self, work: Coroutine[Any, Any, None], name: str) -> None:
        self._tasks.append(asyncio.create_task(work, name=name))

    async def close(self) -> None:
        """Stop. What is unfinished begins again at the next start."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    @property
    def pending(self) -> int:
        """Voices on their way."""
        return len(self._waiting)

    def admit(self) -> None:
        """Raises AtCapacity while the queue is full; asked before an upload is stored."""
        if self.pending >= self._limit:
            raise AtCapacity("Too many recordings are waiting to be enrolled.", retry_after=5.0)

    def submit(self, tenant_id: str, voice_id: str) -> None:
        """Begin with a voice whose row is stored as ``queued``; behind a leader, leave it to that."""
        if not self._leadership.held:
            return
        if voice_id not in self._waiting:  # whoever saw the row first has begun
            self._waiting[voice_id] = asyncio.Event()
            self._push(0, tenant_id, voice_id)

    async def finished(self, tenant_id: str, voice_id: str) -> None:
        """Return when the voice is not pending (any more)."""
        if (event := self._waiting.get(voice_id)) is not None:
            await event.wait()
        while not self._leadership.held:
            async with self._database.read() as store:
                row = await store.voices.find(tenant_id, voice_id)
            if row is None or not VoiceState(row.state).pending:
                return
            await asyncio.sleep(POLL_SECONDS)

    def _push(self, stage: int, tenant_id: str, voice_id: str, window: Window | None = None) -> None:
        self._number += 1
        self._steps.put_nowait(_Step(stage, self._number, tenant_id, voice_id, window))

    async def _work(self) -> None:
        while True:
            step = await self._steps.get()
            try:
                if step.window is None:
                    pending = await self._judge(step.tenant_id, step.voice_id)
                else:
                    pending = await self._clone(step.tenant_id, step.voice_id, step.window)
            except WorkerDied as died:
                pending = await self._again(step, died)
            except VivavoceError as error:
                pending = await self._fail(step, error.message, error.fix)
            except Exception:
                # The edge of the background task: one recording must not stop all later ones.
                log.exception("enrolment of %s broke", step.voice_id)
                pending = await self._fail(step, "the voice could not be made", None)
            if not pending and (event := self._waiting.pop(step.voice_id, None)) is not None:
                event.set()

    async def _judge(self, tenant_id: str, voice_id: str) -> bool:
        row = await self._begin(tenant_id, voice_id)
        if row is None:
            return False
        uploads = await load_uploads(self._blobs, row)
        report: GateReport = await self._worker.call("judge", uploads, row.profile, timeout=STEP_SECONDS)
        if foreign := other_language(row.language, spoken=self._engine.info.languages):
            report = report.warned(foreign)
        now = self._clock.wall()
        async with self._database.write() as store:
            if await store.voices.find(tenant_id, voice_id) is None:
                return False
            await store.voices.put_report(
                tenant_id,
                ReportRow(
                    id=new_id("rpt", at=now),
                    voice_id=voice_id,
                    verdict=report.verdict,
                    body=report.to_json(),
                    created_at=now,
                ),
            )
            if not report.accepted or report.window is None:
                await self._end(
                    store,
                    tenant_id,
                    voice_id,
                    [VoiceState.ANALYSING],
                    VoiceState.REJECTED,
                    reason=report.reasons[0].to_json(),
                )
                return False
            await store.voices.advance(
                tenant_id, voice_id, come_from=[VoiceState.ANALYSING], to=VoiceState.ENROLLING, at=now
            )
        self._push(1, tenant_id, voice_id, report.window)
        return True

    async def _clone(self, tenant_id: str, voice_id: str, window: Window) -> bool:
        async with self._database.read() as store:
            row = await store.voices.find(tenant_id, voice_id)
        if row is None:
            return False
        uploads = await load_uploads(self._blobs, row)
        made: Conditioning = await self._worker.call("clone", uploads, window, voice_id, timeout=STEP_SECONDS)
        blob = f"voices/{voice_id}/conditioning"
        await self._blobs.put(tenant_id, blob, made.data)
        likeness = await self._likeness(uploads, window, made)
        await self._engine.warm(made)
        async with self._database.write() as store:
            kept = await self._end(
                store,
                tenant_id,
                voice_id,
                [VoiceState.ENROLLING],
                VoiceState.READY,
                engine=made.engine,
                engine_version=made.engine_version,
                conditioning=blob,
                conditioning_digest=made.digest,
                likeness=None if likeness is None else likeness.to_json(),
            )
        if not kept:  # deleted while it was made
            await self._blobs.delete_under(tenant_id, f"voices/{voice_id}")
        return False

    async def _likeness(
        self, uploads: Sequence[Upload], window: Window, made: Conditioning
    ) -> Likeness | None:
        """A voice that cannot be listened to is no worse a voice."""
        try:
            found: Likeness | None = await self._worker.call(
                "likeness", uploads, window, made, timeout=STEP_SECONDS
            )
        except VivavoceError as error:
            log.warning("the likeness of %s is not known: %s", made.voice_id, error)
            return None
        if found is not None and found.warning is not None:
            log.info("%s: %s", made.voice_id, found.warning.message)
        return found

    async def _begin(self, tenant_id: str, voice_id: str) -> VoiceRow | None:
        """The row, now ``analysing``; None when it was deleted, or has been tried too often."""
        now = self._clock.wall()
        queued = [VoiceState.QUEUED]
        async with self._database.write() as store:
            row = await store.voices.find(tenant_id, voice_id, lock=True)
            if row is None or row.state != VoiceState.QUEUED:
                return None
            if row.attempts >= MAX_ATTEMPTS:
                reason = _broken("the recording stops the process that examines it", None)
                await self._end(store, tenant_id, voice_id, queued, VoiceState.ERROR, reason=reason.to_json())
                return None
            await store.voices.advance(
                tenant_id,
                voice_id,
                come_from=queued,
                to=VoiceState.ANALYSING,
                at=now,
                attempts=row.attempts + 1,
            )
        return row

    async def _end(
        self,
        store: Transaction,
        tenant_id: str,
        voice_id: str,
        come_from: Sequence[VoiceState],
        to: VoiceState,
        **columns: Any,
    ) -> bool:
        """The last state, and with it, or not at all, the refund and the audit event."""
        now = self._clock.wall()
        moved = await store.voices.advance(tenant_id, voice_id, come_from=come_from, to=to, at=now, **columns)
        if moved:
            metrics.enrolments.labels(str(to)).inc()
            row = await store.voices.find(tenant_id, voice_id)
            if row is not None:
                metrics.enrolment_seconds.observe(max(0.0, now - row.created_at))
            if to is not VoiceState.READY:
                await store.ledger.refund(tenant_id, kind="clone", ref=voice_id, at=now)
            await store.audit.append(tenant_id, verb=f"voice.{to}", object=voice_id, at=now)
            await _announce_voice(store, tenant_id, voice_id, row, to, at=now)
        return moved

    async def _again(self, step: _Step, died: WorkerDied) -> bool:
        log.warning("the worker died on %s: %s", step.voice_id, died)
        async with self._database.write() as store:
            queued = await store.voices.advance(
                step.tenant_id,
                step.voice_id,
                come_from=[VoiceState.ANALYSING, VoiceState.ENROLLING],
                to=VoiceState.QUEUED,
                at=self._clock.wall(),
            )
        if queued:
            self._push(0, step.tenant_id, step.voice_id)
        return queued

    async def _fail(self, step: _Step, message: str, fix: str | None) -> bool:
        try:
            async with self._database.write() as store:
                await self._end(
                    store,
                    step.tenant_id,
                    step.voice_id,
                    [VoiceState.QUEUED, VoiceState.ANALYSING, VoiceState.ENROLLING],
                    VoiceState.ERROR,
                    reason=_broken(message, fix).to_json(),
                )
        except Exception:
            # The store itself fails. The row stays pending until the next start begins it again.
            log.exception("could not record that %s failed", step.voice_id)
        return False


async def _announce_voice(
    store: Transaction, tenant_id: str, voice_id: str, row: VoiceRow | None, to: VoiceState, *, at: float
) -> None:
    voice: dict[str, Any] = {"voice_id": voice_id, "name": row.name if row is not None else None}
    if to is VoiceState.READY:
        await announce(store, tenant_id, "voice.ready", voice, at=at)
    else:
        voice["failure"] = row.reason if row is not None else None
        await announce(store, tenant_id, "voice.failed", voice, at=at)


async def load_uploads(blobs: Blobs, row: VoiceRow) -> Sequence[Upload]:
    """
    The recordings of a voice, as they were sent.

    Raises:
        EnrolmentError: One of them is gone.
    """
    try:
        return [
            Upload(await blobs.get(row.tenant_id, source["blob"]), source.get("declared_mime"))
            for source in row.sources
        ]
    except BlobNotFound as error:
        raise EnrolmentError(
            "the recording is no longer stored", code="reference_gone", fix="enrol the recording again"
        ) from error


def _broken(message: str, fix: str | None) -> Reason:
    return Reason(code="enrolment_failed", message=message, fix=fix or "enrol the recording again")
