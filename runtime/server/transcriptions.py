"""
Recordings that are transcribed in the background.

The row is the truth. A server claims a job for a moment at a time and says so again while it works; one that
dies leaves its job to the next, and a recording that takes three servers down with it has failed. The sound
is deleted when its words are there, or cannot be had.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, get_args

from runtime.clock import Clock
from runtime.errors import AtCapacity, InvalidRequest, NotFound, RateLimited, VivavoceError, WorkerDied
from runtime.server.fetch import AudioFetcher
from runtime.server.secrets import Secrets
from runtime.server.transcripts import full_text, subrip, web_vtt
from runtime.server.webhooks import WebhookService, announce, announce_to, new_secret
from runtime.store.blobs import BlobNotFound, Blobs
from runtime.store.database import Database
from runtime.store.ids import new_id
from runtime.store.transcriptions import TranscriptionRow
from sessions.transcriber import Segment, Transcriber

log = logging.getLogger(__name__)

OutputFormat = Literal["json", "srt", "vtt"]
MEDIA_TYPES: dict[str, str] = {"json": "application/json", "srt": "application/x-subrip", "vtt": "text/vtt"}
OUTPUT_FORMATS: tuple[str, ...] = get_args(OutputFormat)

MOST_UNFINISHED = 100
"""Jobs of one tenant that may wait."""

MOST_ATTEMPTS = 3
"""Times a recording may take its server down before it is given up."""

CLAIM_SECONDS = 20.0
POLL_SECONDS = 0.5
BUSY_SECONDS = 5.0
"""How long a job waits where interactive requests have the recogniser."""

UNFINISHED = ("queued", "processing")


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptionOrder:
    """What a caller wants of one recording. Exactly one of ``data`` and ``audio_url`` is given."""

    data: bytes | None = None
    audio_url: str | None = None
    filename: str | None = None
    language: str = "en"
    """BCP-47."""
    formats: Sequence[OutputFormat] = ("json",)
    by_channel: bool = False
    """Whether each channel is a speaker of its own."""
    webhook_url: str | None = None
    once: str | None = None
    """The idempotency record it is made under."""


class TranscriptionJobs:
    """
    A tenant's jobs, and the worker that does them.

    Args:
        transcriber: Shared with the requests that wait for an answer, which go first.
    """

    def __init__(
        self,
        *,
        database: Database,
        blobs: Blobs,
        transcriber: Transcriber,
        fetcher: AudioFetcher,
        webhooks: WebhookService,
        secrets: Secrets,
        clock: Clock,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._transcriber = transcriber
        self._fetcher = fetcher
        self._webhooks = webhooks
        self._secrets = secrets
        self._clock = clock
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._work(), name="transcription jobs")

    async def close(self) -> None:
        """What is being worked on is begun again by the next server."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    # What its owner may ask

    async def create(self, tenant_id: str, order: TranscriptionOrder) -> tuple[TranscriptionRow, str | None]:
        """
        Take a job; returns it with the secret that signs what is sent to its ``webhook_url``.

        Raises:
            InvalidRequest: Nothing, or two things, to transcribe; an address that cannot be used.
            RecognitionError: This server recognises no speech.
            RateLimited: As many of the tenant's jobs wait as may.
        """
        if (order.data is None) == (order.audio_url is None):
            raise InvalidRequest(
                "Exactly one of file and audio_url is needed.", param="file", fix="send one of them"
            )
        if order.data == b"":
            raise InvalidRequest("file is empty.", param="file")
        if order.webhook_url is not None:
            await self._webhooks.check_url(order.webhook_url, param="webhook_url")
        if order.audio_url is not None:
            await self._webhooks.check_url(order.audio_url, param="audio_url")
        self._transcriber.require_recognizer()
        if order.once is not None and (made := await self._made_once(tenant_id, order.once)) is not None:
            return made, None if made.secret is None else self._secrets.decrypt(made.secret)
        secret = new_secret() if order.webhook_url is not None else None
        now = self._clock.wall()
        job_id = new_id("job", at=now)
        source = None
        if order.data is not None:
            source = f"transcriptions/{job_id}/source"
            await self._blobs.put(tenant_id, source, order.data)
        row = TranscriptionRow(
            id=job_id,
            state="queued",
            order={
                "language": order.language,
                "formats": list(order.formats),
                "by_channel": order.by_channel,
                "filename": order.filename,
            },
            source=source,
            audio_url=order.audio_url,
            webhook_url=order.webhook_url,
            secret=None if secret is None else self._secrets.encrypt(secret),
            attempts=0,
            due_at=now,
            once=order.once,
            created_at=now,
            updated_at=now,
        )
        try:
            async with self._database.write() as store:
                if await store.transcriptions.unfinished(tenant_id) >= MOST_UNFINISHED:
                    raise RateLimited(f"{MOST_UNFINISHED} jobs wait already.", retry_after=30.0)
                await store.transcriptions.add(tenant_id, row)
        except BaseException:
            await self._blobs.delete_under(tenant_id, f"transcriptions/{job_id}")
            raise
        return row, secret

    async def get(self, tenant_id: str, job_id: str) -> TranscriptionRow:
        """Raises NotFound."""
        async with self._database.read() as store:
            row = await store.transcriptions.find(tenant_id, job_id)
        if row is None:
            raise no_such_job()
        return row

    async def page(
        self, tenant_id: str, *, limit: int, after: str | None = None
    ) -> tuple[Sequence[TranscriptionRow], bool]:
        """Newest first, and whether there are more after these."""
        async with self._database.read() as store:
            rows = await store.transcriptions.page(tenant_id, limit=limit + 1, after=after)
        return rows[:limit], len(rows) > limit

    async def result(self, row: TranscriptionRow, wanted: str) -> bytes:
        """
        The words of a job that is completed, in one of the forms it was asked for.

        Raises:
            NotFound: It is not completed, or was not asked for this form.
        """
        if row.state != "completed" or wanted not in row.order["formats"]:
            raise NotFound(
                f"The job has no {wanted} result.",
                param="format",
                fix="poll until its status is completed, and name one of its output_formats",
            )
        try:
            return await self._blobs.get(row.tenant_id, result_blob(row.id, wanted))
        except BlobNotFound as error:
            raise no_such_job() from error

    async def delete(self, tenant_id: str, job_id: str) -> None:
        """With its sound and its words, whether it is done or not. Raises NotFound."""
        await self.get(tenant_id, job_id)
        await self._blobs.delete_under(tenant_id, f"transcriptions/{job_id}")
        async with self._database.write() as store:
            if not await store.transcriptions.delete(tenant_id, job_id):
                raise no_such_job()

    async def _made_once(self, tenant_id: str, once: str) -> TranscriptionRow | None:
        async with self._database.read() as store:
            return await store.transcriptions.made_once(tenant_id, once)

    # The work

    async def _work(self) -> None:
        while True:
            row = None
            try:
                row = await self._next()
                if row is not None:
                    await self._do(row)
            except Exception:
                # The edge of the background task: one job must not stop all later ones. It is tried again.
                log.exception("transcription %s broke", row.id if row is not None else "of nothing")
            if row is None:
                await asyncio.sleep(POLL_SECONDS)

    async def _next(self) -> TranscriptionRow | None:
        now = self._clock.wall()
        async with self._database.read() as store:
            if not await store.due_transcriptions.any(now=now):
                return None
        async with self._database.write() as store:
            return await store.due_transcriptions.claim(now=now, until=now + CLAIM_SECONDS)

    async def _do(self, row: TranscriptionRow) -> None:
        if row.attempts > MOST_ATTEMPTS:
            await self._fail(row, "transcription_failed", "the recording stops the process that reads it")
            return
        alive = asyncio.create_task(self._say_so(row), name=f"{row.id} is worked on")
        try:
            seconds, segments = await self._transcribe(row)
        except AtCapacity:
            await self._wait(row)
        except WorkerDied as died:
            log.warning("transcription %s: %s", row.id, died)
            await self._wait(row)
        except BlobNotFound:
            await self._fail(row, "recording_gone", "the recording is no longer stored")
        except VivavoceError as error:
            await self._fail(row, error.code, error.message, error.fix)
        else:
            await self._complete(row, seconds, segments)
        finally:
            alive.cancel()
            with suppress(asyncio.CancelledError):
                await alive

    async def _say_so(self, row: TranscriptionRow) -> None:
        while True:
            await asyncio.sleep(CLAIM_SECONDS / 3)
            now = self._clock.wall()
            async with self._database.write() as store:
                await store.transcriptions.change(
                    row.tenant_id, row.id, at=now, come_from=["processing"], due_at=now + CLAIM_SECONDS
                )

    async def _transcribe(self, row: TranscriptionRow) -> tuple[float, list[list[Segment]]]:
        """The recording's length, and the segments of each of its channels."""
        if row.source is not None:
            data = await self._blobs.get(row.tenant_id, row.source)
        else:
            data = await self._fetcher.fetch(row.audio_url or "")
        if row.order["by_channel"]:
            channels = await self._transcriber.cut_channels(data)
        else:
            channels = (await self._transcriber.cut(data),)
        language = row.order["language"]
        heard = [
            [segment async for segment in self._transcriber.segments(cut, language=language)]
            for cut in channels
        ]
        return channels[0].seconds, heard

    async def _complete(self, row: TranscriptionRow, seconds: float, heard: list[list[Segment]]) -> None:
        for wanted in row.order["formats"]:
            text = rendered(wanted, row, seconds, heard)
            await self._blobs.put(row.tenant_id, result_blob(row.id, wanted), text.encode())
        now = self._clock.wall()
        told = {"job_id": row.id, "status": "completed", "duration_seconds": round(seconds, 3)}
        async with self._database.write() as store:
            kept = await store.transcriptions.change(
                row.tenant_id,
                row.id,
                at=now,
                come_from=["processing"],
                state="completed",
                seconds=seconds,
                source=None,
                result=f"transcriptions/{row.id}",
            )
            if kept:
                await self._tell(store, row, "transcription.completed", told, now)
        folder = f"transcriptions/{row.id}"
        if not kept:  # deleted while it was worked on
            await self._blobs.delete_under(row.tenant_id, folder)
        elif row.source is not None:
            await self._blobs.delete(row.tenant_id, row.source)

    async def _fail(self, row: TranscriptionRow, code: str, message: str, fix: str | None = None) -> None:
        now = self._clock.wall()
        error = {"code": code, "message": message, "fix": fix}
        async with self._database.write() as store:
            kept = await store.transcriptions.change(
                row.tenant_id,
                row.id,
                at=now,
                come_from=UNFINISHED,
                state="failed",
                error=error,
                source=None,
            )
            if kept:
                told = {"job_id": row.id, "status": "failed", "error": error}
                await self._tell(store, row, "transcription.failed", told, now)
        if row.source is not None:
            await self._blobs.delete(row.tenant_id, row.source)

    async def _wait(self, row: TranscriptionRow) -> None:
        now = self._clock.wall()
        async with self._database.write() as store:
            await store.transcriptions.change(
                row.tenant_id,
                row.id,
                at=now,
                come_from=["processing"],
                state="queued",
                due_at=now + BUSY_SECONDS,
            )

    async def _tell(
        self, store: Any, row: TranscriptionRow, kind: Any, told: dict[str, Any], now: float
    ) -> None:
        await announce(store, row.tenant_id, kind, told, at=now)
        if row.webhook_url is not None and row.secret is not None:
            await announce_to(store, row.tenant_id, row.webhook_url, row.secret, kind, told, at=now)


def rendered(wanted: str, row: TranscriptionRow, seconds: float, heard: Sequence[Sequence[Segment]]) -> str:
    """A result in one of :data:`OUTPUT_FORMATS`; channels are woven together by time."""
    woven = sorted(
        ((number, segment) for number, segments in enumerate(heard) for segment in segments),
        key=lambda one: (one[1].start, one[0]),
    )
    segments = [segment for _, segment in woven]
    if wanted == "srt":
        return subrip(segments)
    if wanted == "vtt":
        return web_vtt(segments)
    body = {
        "object": "transcription",
        "job_id": row.id,
        "language": row.order["language"],
        "duration_seconds": round(seconds, 3),
        "text": full_text(segments),
        "segments": [
            {
                **({"channel": number} if row.order["by_channel"] else {}),
                "start": round(segment.start, 3),
                "end": round(segment.end, 3),
                "text": segment.transcript.text,
                "words": [
                    {"word": word.word, "start": round(word.start, 3), "end": round(word.end, 3)}
                    for word in segment.transcript.words
                ],
            }
            for number, segment in woven
        ],
    }
    return json.dumps(body, ensure_ascii=False)


def result_blob(job_id: str, wanted: str) -> str:
    return f"transcriptions/{job_id}/result.{wanted}"


def no_such_job() -> NotFound:
    """One answer for ids that are wrong, deleted, or somebody else's."""
    return NotFound("No such job.", param="id")
