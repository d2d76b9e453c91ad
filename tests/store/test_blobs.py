from __future__ import annotations

from pathlib import Path

import pytest

from runtime.store.blobs import BlobNotFound, Blobs


@pytest.fixture(params=["folder", "memory"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
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
