from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator, Sized
from contextlib import suppress

import pytest

from runtime.server.listen import TIDY_SECONDS, tidy_between_calls
from tests.virtual_time import VirtualTimeLoop


def full_collections(calls: Sized, *, seconds: float) -> int:
    """How many there are in so long."""
    seen = 0

    def note(phase: str, info: dict[str, int]) -> None:
        nonlocal seen
        seen += phase == "start" and info["generation"] == 2

    async def run() -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await tidy_between_calls(calls)

    gc.callbacks.append(note)
    loop = VirtualTimeLoop()
    try:
        loop.run_until_complete(run())
    finally:
        gc.callbacks.remove(note)
        loop.close()
    return seen


@pytest.fixture(autouse=True)
def _nothing_else_collects() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


def test_all_garbage_is_collected_when_nobody_is_on_the_line() -> None:
    assert full_collections([], seconds=3.5 * TIDY_SECONDS) == 3


def test_nobody_who_is_on_the_line_waits_for_that() -> None:
    assert full_collections(["a call"], seconds=10 * TIDY_SECONDS) == 0
