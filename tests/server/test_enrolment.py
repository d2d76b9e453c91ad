"""Every accepted recording comes to an end, whatever dies on the way."""

from __future__ import annotations

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from runtime.clock import ManualClock
from runtime.errors import AtCapacity, EnrolmentError, SynthesisFailed, VoiceNotFound, WorkerDied
from runtime.server.catalog import StoredVoices
from runtime.server.enrolment import MAX_ATTEMPTS, Enrolments
from runtime.server.leadership import Leadership
from runtime.server.voices import Enrolment, SourceClip, VoiceService
from runtime.store.blobs import BlobNotFound, Blobs
from runtime.store.database import Database
from tts.engine import Conditioning, EngineInfo, PcmBlock, SpeechRequest
from tts.voices.gate import GateReport, Window
from tts.voices.resolve import VoiceResolver
from tts.voices.voice import Likeness, Reason, VoiceState

TOO_SHORT = Reason("clip_too_short", "clip too short: 3 s", "send 6 to 15 s", "duration_s", 3.0, 5.5, "s")


class ScriptedWorker:
    """Judges by the first word of the recording; what else it does, ``on`` decides."""

    def __init__(self) -> None:
        self.log: list[tuple[str, str]] = []
        self.reached: defaultdict[tuple[str, str], asyncio.Event] = defaultdict(asyncio.Event)
        self.on: Callable[[str, bytes], Any] = lambda _method, _data: None

    async def call(self, method: str, *args: Any, timeout: float | None = None) -> Any:
        if method == "warm":
            return None
        data: bytes = args[0][0].data
        self.log.append((method, data.decode()))
        self.reached[self.log[-1]].set()
        await asyncio.sleep(0)
        outcome = self.on(method, data)
        if isinstance(outcome, Exception):
            raise outcome
        if isinstance(outcome, asyncio.Event):
            await outcome.wait()
        if method == "clone":
            return Conditioning(args[2], "scripted", "1", data, hashlib.sha256(data).hexdigest())
        if method == "likeness":
            return Likeness(0.3 if data == b"unlike" else 0.8, 8, 0.1, 0.4)
        rejected = data.startswith(b"short")
        return GateReport(
            gate_version="1",
            profile=str(args[1]),
            clip_sha256=hashlib.sha256(data).hexdigest(),
            verdict="rejected" if rejected else "accepted",
            reasons=(TOO_SHORT,) if rejected else (),
            warnings=(),
            window=None if rejected else Window(0, 0.0, 10.0),
        )


@dataclass
class WarmedEngine:
    """Remembers which voices were loaded."""

    warmed: list[str] = field(default_factory=list)
    while_warming: Callable[[], Any] = lambda: None
    info = EngineInfo("scripted", "1", 24_000, ("en",), "none", clones=True, placeholder=True)

    def speak(self, request: SpeechRequest, *, deadline: float | None = None) -> AsyncIterator[PcmBlock]:
        raise AssertionError("nobody speaks here")

    async def warm(self, conditioning: Conditioning) -> None:
        outcome = self.while_warming()
        if asyncio.iscoroutine(outcome):
            await outcome
        self.warmed.append(conditioning.voice_id)


class House:
    """Voices over a store, with a scripted worker."""

    def __init__(self, database: Database, blobs: Blobs, *, limit: int = 256) -> None:
        self.worker = ScriptedWorker()
        self.engine = WarmedEngine()
        clock = ManualClock(wall=1_700_000_000.0)
        self.catalog = StoredVoices(database, blobs)
        self.resolver = VoiceResolver(self.catalog, self.engine, cache_bytes=1000)
        self.enrolments = Enrolments(
            database=database, blobs=blobs, worker=self.worker, engine=self.engine, clock=clock, limit=limit
        )
        self.voices = VoiceService(
            database=database,
            blobs=blobs,
            enrolments=self.enrolments,
            worker=self.worker,
            resolver=self.resolver,
            clock=clock,
        )

    async def enrol(self, tenant_id: str, recording: bytes = b"good") -> str:
        order = Enrolment(name="Ava — brand voice", clips=[SourceClip(recording)])
        return (await self.voices.enrol(tenant_id, order)).id

    async def settled(self, tenant_id: str, voice_id: str) -> VoiceState:
        return (await self.voices.settled(tenant_id, voice_id, timeout=5.0)).state


@pytest.fixture
def blobs() -> Blobs:
    return Blobs.open("memory:///")


@pytest.fixture
async def house(database: Database, blobs: Blobs) -> AsyncIterator[House]:
    house = House(database, blobs)
    await house.enrolments.start()
    yield house
    await house.enrolments.close()


async def test_a_good_recording_becomes_a_voice_that_resolves(house: House, tenants: tuple[str, str]) -> None:
    mine, theirs = tenants
    voice_id = await house.enrol(mine)
    assert await house.settled(mine, voice_id) is VoiceState.READY
    assert (await house.resolver.resolve(mine, voice_id)).data == b"good"
    assert (await house.voices.report(mine, voice_id)).body["verdict"] == "accepted"
    with pytest.raises(VoiceNotFound):
        await house.resolver.resolve(theirs, voice_id)


async def test_a_ready_voice_tells_how_like_it_is_and_a_weak_likeness_warns(
    house: House, tenants: tuple[str, str]
) -> None:
    like, unlike = await house.enrol(tenants[0]), await house.enrol(tenants[0], b"unlike")
    for voice_id in (like, unlike):
        assert await house.settled(tenants[0], voice_id) is VoiceState.READY
    assert (await house.voices.get(tenants[0], like)).likeness == Likeness(0.8, 8, 0.1, 0.4)
    good, weak = [(await house.voices.report(tenants[0], voice_id)).body for voice_id in (like, unlike)]
    assert (good["verdict"], good["likeness"]["score"], good["warnings"]) == ("accepted", 0.8, [])
    assert (weak["verdict"], [told["code"] for told in weak["warnings"]]) == ("accepted", ["weak_likeness"])


async def test_a_recording_declared_in_another_language_is_a_voice_with_a_warning(
    house: House, tenants: tuple[str, str]
) -> None:
    order = Enrolment(name="Ada", clips=[SourceClip(b"good")], language="de-AT")
    voice_id = (await house.voices.enrol(tenants[0], order)).id
    assert await house.settled(tenants[0], voice_id) is VoiceState.READY
    report = (await house.voices.report(tenants[0], voice_id)).body
    assert [warning["code"] for warning in report["warnings"]] == ["other_language"]


async def test_a_voice_that_cannot_be_heard_is_ready_all_the_same(
    house: House, tenants: tuple[str, str]
) -> None:
    house.worker.on = lambda method, _data: SynthesisFailed("no sound") if method == "likeness" else None
    voice_id = await house.enrol(tenants[0])
    assert await house.settled(tenants[0], voice_id) is VoiceState.READY
    assert (await house.voices.get(tenants[0], voice_id)).likeness is None


async def test_a_rejected_recording_says_why_and_what_to_change(
    house: House, tenants: tuple[str, str]
) -> None:
    voice_id = await house.enrol(tenants[0], b"short")
    assert await house.settled(tenants[0], voice_id) is VoiceState.REJECTED
    voice = await house.voices.get(tenants[0], voice_id)
    assert voice.reason == TOO_SHORT
    assert house.worker.log == [("judge", "short")]


async def test_the_engine_has_loaded_the_voice_before_anybody_sees_it_ready(
    house: House, tenants: tuple[str, str]
) -> None:
    seen: list[VoiceState] = []

    async def look() -> None:
        seen.append((await house.voices.get(tenants[0], voice_id)).state)

    house.engine.while_warming = look
    voice_id = await house.enrol(tenants[0])
    assert await house.settled(tenants[0], voice_id) is VoiceState.READY
    assert seen[0] is VoiceState.ENROLLING


async def test_a_worker_that_dies_once_costs_a_second_try(house: House, tenants: tuple[str, str]) -> None:
    deaths = iter([WorkerDied("killed")])
    house.worker.on = lambda _method, _data: next(deaths, None)
    voice_id = await house.enrol(tenants[0])
    assert await house.settled(tenants[0], voice_id) is VoiceState.READY


async def test_a_recording_that_always_kills_the_worker_is_given_up(
    house: House, tenants: tuple[str, str]
) -> None:
    house.worker.on = lambda _method, data: WorkerDied("killed") if data == b"bomb" else None
    bomb, good = await house.enrol(tenants[0], b"bomb"), await house.enrol(tenants[0])
    assert await house.settled(tenants[0], bomb) is VoiceState.ERROR
    assert await house.settled(tenants[0], good) is VoiceState.READY
    assert house.worker.log.count(("judge", "bomb")) == MAX_ATTEMPTS


@pytest.mark.parametrize("error", [EnrolmentError("too quiet", fix="speak up"), RuntimeError("a bug")])
async def test_an_engine_that_fails_leaves_an_error_and_serves_the_next(
    house: House, tenants: tuple[str, str], error: Exception
) -> None:
    house.worker.on = lambda method, data: error if (method, data) == ("clone", b"odd") else None
    odd, good = await house.enrol(tenants[0], b"odd"), await house.enrol(tenants[0])
    assert await house.settled(tenants[0], odd) is VoiceState.ERROR
    reason = (await house.voices.get(tenants[0], odd)).reason
    assert reason is not None
    assert reason.code == "enrolment_failed"
    assert "a bug" not in reason.message
    assert await house.settled(tenants[0], good) is VoiceState.READY


async def test_verdicts_do_not_wait_for_cloning(house: House, tenants: tuple[str, str]) -> None:
    both_wait = asyncio.Event()
    house.worker.on = lambda method, data: both_wait if (method, data) == ("judge", b"one") else None
    first = await house.enrol(tenants[0], b"one")
    second = await house.enrol(tenants[0], b"two")
    both_wait.set()
    for voice_id in (first, second):
        await house.settled(tenants[0], voice_id)
    assert [method for method, _ in house.worker.log] == 2 * ["judge"] + 2 * ["clone", "likeness"]


async def test_a_voice_deleted_while_it_is_made_leaves_nothing(
    house: House, blobs: Blobs, tenants: tuple[str, str]
) -> None:
    gate = asyncio.Event()
    house.worker.on = lambda method, _data: gate if method == "clone" else None
    voice_id = await house.enrol(tenants[0])
    await house.worker.reached["clone", "good"].wait()
    await house.voices.delete(tenants[0], voice_id)
    gate.set()
    await house.enrolments.finished(tenants[0], voice_id)
    for name in ("reference/0", "conditioning"):
        with pytest.raises(BlobNotFound):
            await blobs.get(tenants[0], f"voices/{voice_id}/{name}")
    with pytest.raises(VoiceNotFound):
        await house.voices.get(tenants[0], voice_id)


@pytest.mark.parametrize("stage", ["judge", "clone"])
async def test_what_a_stopped_server_left_is_finished_by_the_next(
    database: Database, blobs: Blobs, tenants: tuple[str, str], stage: str
) -> None:
    first = House(database, blobs)
    never = asyncio.Event()
    first.worker.on = lambda method, _data: never if method == stage else None
    await first.enrolments.start()
    voice_id = await first.enrol(tenants[0])
    await first.worker.reached[stage, "good"].wait()
    await first.enrolments.close()
    assert (await first.voices.get(tenants[0], voice_id)).state.pending

    second = House(database, blobs)
    await second.enrolments.start()
    assert await second.settled(tenants[0], voice_id) is VoiceState.READY
    await second.enrolments.close()


async def test_a_full_queue_refuses_at_the_door(
    database: Database, blobs: Blobs, tenants: tuple[str, str]
) -> None:
    house = House(database, blobs, limit=1)
    await house.enrol(tenants[0])
    with pytest.raises(AtCapacity):
        await house.enrol(tenants[0])


async def is_stored(blobs: Blobs, tenant_id: str, blob: str) -> bool:
    try:
        return bool(await blobs.get(tenant_id, blob))
    except BlobNotFound:
        return False


async def test_blobs_of_a_delete_that_was_cut_short_go_at_the_next_start(
    database: Database, blobs: Blobs, tenants: tuple[str, str]
) -> None:
    house = House(database, blobs)
    voice_id = await house.enrol(tenants[0])
    async with database.write() as store:
        await store.voices.delete(tenants[0], voice_id, at=1.0)
    assert await blobs.get(tenants[0], f"voices/{voice_id}/reference/0")
    house.voices.start_sweep(Leadership())
    async with asyncio.timeout(5.0):
        while await is_stored(blobs, tenants[0], f"voices/{voice_id}/reference/0"):  # noqa: ASYNC110 (no event)
            await asyncio.sleep(0.01)
    await house.voices.close()
