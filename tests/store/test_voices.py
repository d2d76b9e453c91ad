from __future__ import annotations

from runtime.store.database import Database
from runtime.store.models import ReportRow
from tests.store.test_database import voice


async def test_another_tenants_voice_does_not_exist(database: Database, tenants: tuple[str, str]) -> None:
    mine, theirs = tenants
    async with database.write() as store:
        await store.voices.add(mine, voice("voice_a"))
    async with database.write() as store:
        assert await store.voices.find(theirs, "voice_a") is None
        assert not await store.voices.delete(theirs, "voice_a", at=2.0)
        assert not await store.voices.advance(theirs, "voice_a", come_from=["queued"], to="ready", at=2.0)
        assert await store.voices.page(theirs, limit=10) == []
        assert await store.voices.find(mine, "voice_a") is not None


async def test_pages_follow_each_other_newest_first(database: Database, tenants: tuple[str, str]) -> None:
    mine, theirs = tenants
    async with database.write() as store:
        for name, born in (("voice_a", 1.0), ("voice_b", 2.0), ("voice_c", 2.0), ("voice_d", 3.0)):
            await store.voices.add(mine, voice(name, created_at=born))
    async with database.read() as store:
        first = await store.voices.page(mine, limit=2)
        second = await store.voices.page(mine, limit=2, after=first[-1].id)
        foreign = await store.voices.page(theirs, limit=2, after="voice_d")
    assert [row.id for row in first] == ["voice_d", "voice_c"]
    assert [row.id for row in second] == ["voice_b", "voice_a"]
    assert foreign == []


async def test_a_state_is_left_only_from_where_it_stands(
    database: Database, tenants: tuple[str, str]
) -> None:
    mine, _ = tenants
    async with database.write() as store:
        await store.voices.add(mine, voice("voice_a", state="ready"))
        assert not await store.voices.advance(mine, "voice_a", come_from=["queued"], to="analysing", at=2.0)
        row = await store.voices.find(mine, "voice_a")
        assert row is not None
        assert row.state == "ready"


async def test_deleting_takes_the_report_along_and_happens_once(
    database: Database, tenants: tuple[str, str]
) -> None:
    mine, _ = tenants
    async with database.write() as store:
        await store.voices.add(mine, voice("voice_a"))
        report = ReportRow(id="rpt_a", voice_id="voice_a", verdict="rejected", body={"a": 1}, created_at=1.0)
        await store.voices.put_report(mine, report)
    async with database.write() as store:
        assert await store.voices.delete(mine, "voice_a", at=2.0)
        assert not await store.voices.delete(mine, "voice_a", at=3.0)
        assert await store.voices.report(mine, "voice_a") is None
        assert [row.id for row in await store.unfinished_voices.unpurged()] == ["voice_a"]
        await store.voices.purged(mine, "voice_a", at=4.0)
        assert await store.unfinished_voices.unpurged() == []


async def test_what_a_stopped_server_left_is_queued_again(
    database: Database, tenants: tuple[str, str]
) -> None:
    mine, theirs = tenants
    async with database.write() as store:
        await store.voices.add(mine, voice("voice_a", state="analysing", created_at=2.0))
        await store.voices.add(theirs, voice("voice_b", state="enrolling", created_at=1.0))
        await store.voices.add(mine, voice("voice_c", state="ready"))
        await store.voices.add(mine, voice("voice_d", state="rejected"))
    async with database.write() as store:
        queued = await store.unfinished_voices.requeue(at=5.0)
    assert [(row.tenant_id, row.id, row.state) for row in queued] == [
        (theirs, "voice_b", "queued"),
        (mine, "voice_a", "queued"),
    ]
