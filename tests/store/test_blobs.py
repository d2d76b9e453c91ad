from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.errors import StoreUnavailable
from runtime.store.blobs import BlobNotFound, Blobs
from tests.s3 import S3, s3_store


@pytest.fixture
def s3() -> Iterator[S3]:
    with s3_store() as store:
        yield store


def in_bucket(s3: S3, **changed: str) -> Blobs:
    told = {name.removeprefix("blob_"): value for name, value in s3.settings.items()} | changed
    return Blobs.open(told.pop("url"), **told)


@pytest.fixture(params=["folder", "memory", "s3"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    if request.param == "s3":
        return in_bucket(request.getfixturevalue("s3"))
    return Blobs.open(str(tmp_path / "blobs") if request.param == "folder" else "memory:///")


async def test_what_was_put_is_got_until_it_is_deleted(blobs: Blobs) -> None:
    await blobs.put("org_a", "voices/v/reference/0", b"RIFF")
    assert await blobs.get("org_a", "voices/v/reference/0") == b"RIFF"
    await blobs.delete("org_a", "voices/v/reference/0")
    await blobs.delete("org_a", "voices/v/reference/0")
    with pytest.raises(BlobNotFound):
        await blobs.get("org_a", "voices/v/reference/0")


async def test_another_tenant_sees_nothing(blobs: Blobs) -> None:
    await blobs.put("org_a", "x", b"1")
    with pytest.raises(BlobNotFound):
        await blobs.get("org_b", "x")
    assert await blobs.delete_under("org_b", "x") == 0


async def test_a_folder_goes_with_all_that_is_in_it_and_no_more(blobs: Blobs) -> None:
    for name in ("voices/v1/reference/0", "voices/v1/conditioning", "voices/v10/conditioning"):
        await blobs.put("org_a", name, b"1")
    assert await blobs.delete_under("org_a", "voices/v1") == 2
    assert await blobs.get("org_a", "voices/v10/conditioning") == b"1"


@pytest.mark.parametrize("name", ["../org_b/x", "a//b", "", ".", "a/..", "a b", "ü", "a\x00"])
async def test_names_that_could_lead_elsewhere_are_refused(blobs: Blobs, name: str) -> None:
    with pytest.raises(ValueError, match="blob name"):
        await blobs.put("org_a", name, b"1")


async def test_a_tenant_that_could_lead_elsewhere_is_refused(blobs: Blobs) -> None:
    with pytest.raises(ValueError, match="blob name"):
        await blobs.get("..", "x")


def test_a_local_folder_is_made(tmp_path: Path) -> None:
    Blobs.open(f"file://{tmp_path}/deep/er")
    assert (tmp_path / "deep" / "er").is_dir()


async def test_what_is_too_large_for_one_request_is_sent_in_parts(blobs: Blobs, tmp_path: Path) -> None:
    large = bytes(range(256)) * 2**16  # 16 MiB
    (tmp_path / "large").write_bytes(large)
    await blobs.put("org_a", "large", large)
    assert await blobs.get("org_a", "large") == large
    await blobs.put_file("org_a", "again", tmp_path / "large")
    size, pieces = await blobs.stream("org_a", "again", start=1_000, end=5_000)
    assert size == len(large)
    assert b"".join([piece async for piece in pieces]) == large[1_000:5_000]


async def test_s3_is_asked_again_when_it_is_busy(s3: S3) -> None:
    s3.failing = 2
    blobs = in_bucket(s3)
    await blobs.put("org_a", "x", b"1")
    assert await blobs.get("org_a", "x") == b"1"
    assert list(s3.objects) == ["vivavoce/tenants/org_a/x"]
    assert s3.refused == 0


async def test_wrong_credentials_are_a_refusal_of_the_store_not_of_the_blob(s3: S3) -> None:
    blobs = in_bucket(s3, secret_access_key="guessed")
    with pytest.raises(StoreUnavailable):
        await blobs.put("org_a", "x", b"1")
    with pytest.raises(StoreUnavailable):
        await blobs.get("org_a", "x")
    assert s3.refused
    assert s3.objects == {}


async def test_a_bucket_that_is_not_there_is_told(s3: S3) -> None:
    blobs = in_bucket(s3, url="s3://nowhere")
    with pytest.raises((StoreUnavailable, BlobNotFound)):
        await blobs.put("org_a", "x", b"1")


async def test_a_store_that_hangs_up_leaves_nothing_half_written(s3: S3) -> None:
    blobs = in_bucket(s3)
    s3.dead = True
    with pytest.raises(StoreUnavailable):
        await blobs.put("org_a", "x", b"1")
    s3.dead = False
    with pytest.raises(BlobNotFound):
        await blobs.get("org_a", "x")
