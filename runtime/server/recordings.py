"""
Recordings of calls: written to disk while they last, stored when they are over, kept until deleted.

The event loop only puts sound on tapes. Once a second a thread writes what has settled into a WAV in the
server's own folder, so memory is bounded by seconds of sound, and a server that is killed leaves a file that
can be read; the next one stores it. A call's particulars lie beside its sound until then.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runtime.clock import Clock
from runtime.errors import NotFound
from runtime.server.leadership import Leadership
from runtime.server.webhooks import announce
from runtime.store.blobs import Blobs
from runtime.store.database import Database
from runtime.store.models import CallRow
from runtime.store.recordings import RecordingRow
from sessions.tape import Sound, Tape
from sessions.tape_file import TapeFile, recovered

log = logging.getLogger(__name__)

TICK = 1.0
"""Seconds between two writes."""

SWEEP_SECONDS = 60.0
"""How often the folder is searched for what a process that died left there."""

MEDIA_TYPE = "audio/wav"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedCall:
    """What must be known of a call to list it, should its server die."""

    id: str
    tenant_id: str
    agent_id: str
    transport: str
    voice: str
    began_at: float
    """Seconds since the Unix epoch."""


@dataclass(frozen=True, slots=True)
class _Live:
    tape: Tape
    file: TapeFile


class Recordings:
    """
    Args:
        folder: Of this server's own disk; made when the first call is recorded.
        leadership: Whether this process stores what dead ones left, and deletes what is too old.
        keep_days: How long recordings are kept; None until they are deleted.
    """

    def __init__(
        self,
        *,
        database: Database,
        blobs: Blobs,
        folder: Path,
        clock: Clock,
        leadership: Leadership | None = None,
        keep_days: float | None = None,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._folder = folder
        self._clock = clock
        self._leadership = leadership or Leadership()
        self._keep_days = keep_days
        self._live: dict[str, _Live] = {}
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="recordings")
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._work(), name="recordings")

    async def close(self) -> None:
        """What is still being recorded stays in the folder, for the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        for live in self._live.values():
            live.file.release()
        self._writer.shutdown()

    # While a call is up

    async def begin(self, call: RecordedCall) -> Tape | None:
        """A tape for a call that begins now; None where nothing can be written, which is logged."""
        tape = Tape(began=self._clock.now())
        try:
            file = await self._in_thread(self._make, call)
        except OSError:
            log.exception("call %s is not recorded", call.id)
            return None
        self._live[call.id] = _Live(tape, file)
        return tape

    async def finish(self, call: RecordedCall) -> None:
        """The call is over: store what was recorded of it. What cannot be stored now is tried again later."""
        live = self._live.pop(call.id, None)
        if live is None:
            return
        now = self._clock.now()
        try:
            await self._in_thread(_close, live.file, live.tape.rest(now), live.tape.seconds(now))
            await self._store(call, live.file.path, live.tape.seconds(now))
        except Exception:
            # Whatever the disk or the store says: the file is there, and the next sweep tries again.
            log.exception("the recording of %s could not be stored", call.id)
        finally:
            live.file.release()

    async def _work(self) -> None:
        sweep_at = self._clock.now()
        while True:
            try:
                await self._write_what_settled()
                if self._leadership.held and self._clock.now() >= sweep_at:
                    sweep_at = self._clock.now() + SWEEP_SECONDS
                    await self._take_up()
                    await self._delete_old()
            except Exception:
                # The edge of the background task.
                log.exception("recordings could not be looked after")
            await asyncio.sleep(TICK)

    async def _write_what_settled(self) -> None:
        now = self._clock.now()
        settled = [(live.file, live.tape.take(now)) for live in self._live.values()]
        if settled:
            await self._in_thread(_write_all, settled)

    def _make(self, call: RecordedCall) -> TapeFile:
        self._folder.mkdir(parents=True, exist_ok=True)
        file = TapeFile(self._folder / f"{call.id}.wav")
        file.path.with_suffix(".json").write_text(json.dumps(asdict(call)))
        return file

    # When it is over

    async def _store(self, call: RecordedCall, path: Path, seconds: float) -> None:
        blob = f"calls/{call.id}/recording.wav"
        size = (await self._in_thread(path.stat)).st_size
        await self._blobs.put_file(call.tenant_id, blob, path)
        now = self._clock.wall()
        row = RecordingRow(call_id=call.id, blob=blob, seconds=seconds, size_bytes=size, created_at=now)
        async with self._database.write() as store:
            known = await store.recordings.find(call.tenant_id, call.id) is not None
            await store.recordings.put(call.tenant_id, row)
            if not known:
                ready = {"call_id": call.id, "session_label": call.agent_id, "duration_seconds": seconds}
                await announce(store, call.tenant_id, "recording.ready", ready, at=now)
        await self._in_thread(_forget, path)

    async def _take_up(self) -> None:
        """Store what processes left that were killed."""
        for path, call, seconds in await self._in_thread(_leftovers, self._folder):
            log.warning("call %s was being recorded when its server died: %.1f s kept", call.id, seconds)
            row = CallRow(
                id=call.id,
                agent_id=call.agent_id,
                transport=call.transport,
                voice=call.voice,
                began_at=call.began_at,
                seconds=seconds,
                turns=[],
            )
            async with self._database.write() as store:
                if await store.calls.find(call.tenant_id, call.id) is None:
                    await store.calls.add(call.tenant_id, row)
                    ended = {"call_id": call.id, "session_label": call.agent_id, "duration_seconds": seconds}
                    await announce(store, call.tenant_id, "call.ended", ended, at=self._clock.wall())
            await self._store(call, path, seconds)

    async def _delete_old(self) -> None:
        if self._keep_days is None:
            return
        async with self._database.read() as store:
            old = await store.expired_recordings.older_than(self._clock.wall() - self._keep_days * 86_400.0)
        for row in old:
            await self.delete(row.tenant_id, row.call_id)

    # What its owner may ask

    async def of_calls(self, tenant_id: str, call_ids: Sequence[str]) -> Mapping[str, RecordingRow]:
        """The recordings of those calls that have one."""
        async with self._database.read() as store:
            return await store.recordings.of_calls(tenant_id, call_ids)

    async def get(self, tenant_id: str, call_id: str) -> RecordingRow:
        """Raises NotFound."""
        async with self._database.read() as store:
            row = await store.recordings.find(tenant_id, call_id)
        if row is None:
            raise NotFound(
                "No such call, or it was not recorded.",
                param="id",
                fix="set recordings_enabled on the agent before the call",
            )
        return row

    async def delete(self, tenant_id: str, call_id: str) -> bool:
        """Forget a recording, its sound first; False where there is none."""
        async with self._database.read() as store:
            row = await store.recordings.find(tenant_id, call_id)
        if row is None:
            return False
        await self._blobs.delete(tenant_id, row.blob)
        async with self._database.write() as store:
            if await store.recordings.delete(tenant_id, call_id) is not None:
                await store.audit.append(
                    tenant_id, verb="recording.deleted", object=call_id, at=self._clock.wall()
                )
        return True

    async def _in_thread(self, work: Any, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._writer, work, *arguments)


Both = tuple[Sequence[Sound], Sequence[Sound]]


def _write_all(settled: Sequence[tuple[TapeFile, Both]]) -> None:
    for file, both in settled:
        try:
            file.write(*both)
        except (OSError, ValueError):  # a full disk; a call that ended meanwhile
            log.warning("%s lacks a second", file.path.name, exc_info=True)


def _close(file: TapeFile, both: Both, seconds: float) -> None:
    file.write(*both)
    file.close(seconds)


def _forget(path: Path) -> None:
    path.with_suffix(".json").unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def _leftovers(folder: Path) -> list[tuple[Path, RecordedCall, float]]:
    """The files in ``folder`` that nobody writes any more, finished."""
    found = []
    for particulars in sorted(folder.glob("*.json")):
        path = particulars.with_suffix(".wav")
        try:
            seconds = recovered(path)
            if seconds is not None:
                found.append((path, RecordedCall(**json.loads(particulars.read_text())), seconds))
        except FileNotFoundError:
            continue  # it was stored meanwhile
        except (OSError, ValueError, TypeError):
            log.exception("%s cannot be read", path)
    return found
