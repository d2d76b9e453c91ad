"""Speech that is made in the background, paid for once, and fetched by a signed address."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
from dataclasses import dataclass
from typing import Any

from runtime.clock import Clock
from runtime.errors import InsufficientCredits, NotFound, VivavoceError
from runtime.server.integrations import ElevenLabsKeys
from runtime.server.leadership import Leadership
from runtime.server.speech import SpeechOrder, SpeechService
from runtime.store.blobs import Blobs
from runtime.store.database import Database
from runtime.store.models import JobRow

log = logging.getLogger(__name__)

MAX_NUMBER = 2**48
"""Of jobs and resources: small enough for every JSON reader, too many to guess."""


LOOK_SECONDS = 10.0
ABANDONED_SECONDS = 60.0
"""Since a job was last touched, before somebody else does it. Done twice, it is charged once all the same."""


@dataclass(frozen=True, slots=True)
class PreviewJob:
    """A job as its owner sees it."""

    id: int
    state: str
    """``pending``, ``processing``, ``completed`` or ``failed``."""
    outputs: list[dict[str, Any]]
    error: str | None


class PreviewService:
    """
    One job after the other. The row is the truth: what a stopped server left is done at the next start, and
    charged once.
    """

    def __init__(
        self,
        *,
        database: Database,
        blobs: Blobs,
        speech: SpeechService,
        elevenlabs: ElevenLabsKeys,
        clock: Clock,
        credits: int,
        leadership: Leadership | None = None,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._speech = speech
        self._elevenlabs = elevenlabs
        self._clock = clock
        self._credits = credits
        self._leadership = leadership or Leadership()
        self._queue: asyncio.Queue[JobRow] = asyncio.Queue()
        self._queued: set[int] = set()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Work; first on what a stopped server left, where this process leads."""
        if self._leadership.held:
            await self._take_up(untouched_since=self._clock.wall())
        self._tasks = [
            asyncio.create_task(self._work(), name="previews"),
            asyncio.create_task(self._look_after_others(), name="previews of dead processes"),
        ]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def enqueue(
        self,
        tenant_id: str,
        *,
        agent_id: str,
        voice: str,
        text: str,
        remote: bool,
        once: str | None = None,
    ) -> int:
        """
        Order a preview and pay for it.

        Args:
            remote: The voice is one of the agent's at ElevenLabs: its quota pays, not our credits.
            once: The idempotency record it is made under: made again, it is the same job, and paid for once.

        Raises:
            InsufficientCredits: Nothing was ordered.
            InvalidRequest: Too much text, or none.
        """
        self._speech.check_text(text)
        now = self._clock.wall()
        row = JobRow(
            id=secrets.randbelow(MAX_NUMBER) if once is None else _number(once),
            agent_id=agent_id,
            kind="preview",
            state="pending",
            order={"voice": voice, "text": text, "remote": remote},
            outputs=[],
            created_at=now,
            updated_at=now,
        )
        async with self._database.write() as store:
            if once is not None and await store.jobs.find(tenant_id, row.id) is not None:
                return row.id
            await store.jobs.add(tenant_id, row)
            price = 0 if remote else self._credits
            if not await store.ledger.move(tenant_id, -price, kind="preview", ref=str(row.id), at=now):
                raise InsufficientCredits(
                    "Insufficient credits for this job",
                    required=price,
                    balance=await store.ledger.balance(tenant_id),
                )
        self._push(row)
        return row.id

    async def get(self, tenant_id: str, job_id: int, *, agent_id: str) -> PreviewJob:
        """Raises NotFound, also for jobs of others and of other agents."""
        async with self._database.read() as store:
            row = await store.jobs.find(tenant_id, job_id) if 0 <= job_id < MAX_NUMBER else None
        if row is None or row.agent_id != agent_id:
            raise NotFound("No such job.", param="job_id")
        return PreviewJob(row.id, row.state, row.outputs, row.error)

    def _push(self, row: JobRow) -> None:
        if row.id not in self._queued:
            self._queued.add(row.id)
            self._queue.put_nowait(row)

    async def _take_up(self, *, untouched_since: float) -> None:
        async with self._database.read() as store:
            rows = await store.unfinished_jobs.all(untouched_since=untouched_since)
        for row in rows:
            self._push(row)

    async def _look_after_others(self) -> None:
        """A process that dies leaves its jobs pending: the leader does what nobody touched for a while."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if not self._leadership.held:
                continue
            try:
                await self._take_up(untouched_since=self._clock.wall() - ABANDONED_SECONDS)
            except Exception:
                # The edge of the background task: a store that fails once is asked again.
                log.exception("abandoned previews could not be looked for")

    async def _work(self) -> None:
        while True:
            row = await self._queue.get()
            try:
                await self._do(row)
            except VivavoceError as error:
                await self._fail(row, error.message)
            except Exception:
                # The edge of the background task: one job must not stop all later ones.
                log.exception("preview %d broke", row.id)
                await self._fail(row, "the preview could not be made")
            finally:
                self._queued.discard(row.id)

    async def _do(self, row: JobRow) -> None:
        order = row.order
        async with self._database.write() as store:
            await store.jobs.move(row.tenant_id, row.id, to="processing", at=self._clock.wall())
        if order["remote"]:
            audio = await self._elevenlabs.speak(
                row.tenant_id, str(row.agent_id), order["voice"], order["text"]
            )
        else:
            speech = await self._speech.speak(
                row.tenant_id, SpeechOrder(text=order["text"], voice=order["voice"], format="mp3")
            )
            audio = b"".join([piece async for piece in speech])
        blob = f"jobs/{row.id}/preview.mp3"
        await self._blobs.put(row.tenant_id, blob, audio)
        output = {
            "id": secrets.randbelow(MAX_NUMBER),
            "type": "audio",
            "blob": blob,
            "content_type": "audio/mpeg",
        }
        async with self._database.write() as store:
            await store.jobs.move(
                row.tenant_id, row.id, to="completed", at=self._clock.wall(), outputs=[output]
            )

    async def _fail(self, row: JobRow, message: str) -> None:
        now = self._clock.wall()
        try:
            async with self._database.write() as store:
                await store.jobs.move(row.tenant_id, row.id, to="failed", at=now, error=message)
                await store.ledger.refund(row.tenant_id, kind="preview", ref=str(row.id), at=now)
        except Exception:
            # The store itself fails. The row stays as it is until the next start does it again.
            log.exception("could not record that preview %d failed", row.id)


def _number(once: str) -> int:
    """A job's number, the same for the same record and no easier to guess."""
    return int.from_bytes(hashlib.sha256(once.encode()).digest()[:6])
